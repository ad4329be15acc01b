// Package sigv2 checks AWS Signature Version 2 in the form that is still in use:
// presigned URLs of S3, which boto3 and the AWS command line make unless they
// are told to use version 4.
//
// Source: Amazon S3 user guide, Signing and authenticating REST requests.
package sigv2

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the signature's own
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Auth is what a presigned URL says about its signature.
type Auth struct {
	AccessKey    string
	Signature    string
	Expires      time.Time
	SessionToken string
}

// Parse reads the signature out of a request's query; false when it has none.
func Parse(r *http.Request) (Auth, bool) {
	if !strings.Contains(r.URL.RawQuery, "AWSAccessKeyId=") {
		return Auth{}, false
	}
	q := r.URL.Query()
	at, err := strconv.ParseInt(q.Get("Expires"), 10, 64)
	a := Auth{AccessKey: q.Get("AWSAccessKeyId"), Signature: q.Get("Signature"), Expires: time.Unix(at, 0), SessionToken: q.Get("x-amz-security-token")}
	return a, err == nil && a.AccessKey != "" && a.Signature != ""
}

// Matches reports whether the signature is that of the request under the secret
// key. bucket is the one in the host's name, if it is there and not in the path.
func (a Auth) Matches(r *http.Request, secret, bucket string) bool {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(message(r, bucket)))
	want := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return hmac.Equal([]byte(want), []byte(a.Signature))
}

// Sign puts a signature into a request's query.
func Sign(r *http.Request, accessKey, secret, bucket string, expires time.Time) {
	q := r.URL.Query()
	q.Set("AWSAccessKeyId", accessKey)
	q.Set("Expires", strconv.FormatInt(expires.Unix(), 10))
	r.URL.RawQuery = q.Encode()
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(message(r, bucket)))
	q.Set("Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	r.URL.RawQuery = q.Encode()
}

// message is what is signed.
func message(r *http.Request, bucket string) string {
	q := r.URL.Query()
	either := func(name string) string {
		if v := r.Header.Get(name); v != "" {
			return v
		}
		return q.Get(strings.ToLower(name))
	}
	return r.Method + "\n" + either("Content-MD5") + "\n" + either("Content-Type") + "\n" + q.Get("Expires") + "\n" + amzHeaders(r, q) + resource(r, q, bucket)
}

// amzHeaders are the headers that begin with x-amz-, of the request or of its
// query, by name.
func amzHeaders(r *http.Request, q url.Values) string {
	all := map[string]string{}
	for name, values := range q {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
			all[name] = strings.Join(values, ",")
		}
	}
	for name, values := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
			all[name] = strings.Join(values, ",")
		}
	}
	var lines []string
	for name, value := range all {
		lines = append(lines, name+":"+strings.TrimSpace(value)+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// subresources are the parameters that name what of the resource is meant, or
// that change the answer; they are signed, others are not.
var subresources = []string{
	"accelerate", "acl", "cors", "defaultObjectAcl", "delete", "inventory", "lifecycle", "location", "logging", "notification", "object-lock", "partNumber", "policy", "replication",
	"requestPayment", "response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language", "response-content-type", "response-expires",
	"restore", "select", "select-type", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
}

// resource is the path, with the bucket, and the parameters that name a part of
// it.
func resource(r *http.Request, q url.Values, bucket string) string {
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	if bucket != "" {
		path = "/" + bucket + path
	}
	var parts []string
	for _, name := range subresources {
		if !q.Has(name) {
			continue
		}
		if v := q.Get(name); v != "" {
			name += "=" + v
		}
		parts = append(parts, name)
	}
	if len(parts) == 0 {
		return path
	}
	return path + "?" + strings.Join(parts, "&")
}
