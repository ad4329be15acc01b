// Package sigv4 signs and verifies AWS Signature Version 4: in the
// Authorization header, in the query of a presigned URL, and chunk by chunk in
// an aws-chunked body.
//
// Verification recomputes the signature from what arrived and compares in
// constant time. Derived keys are cached by the secret itself, never by access
// key id alone, so a changed secret stops verifying at once. The canonical form
// is checked against the AWS SDK's own signer by a property test.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Payload hashes with a meaning of their own.
const (
	Unsigned                 = "UNSIGNED-PAYLOAD"
	StreamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	StreamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	StreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	longDate  = "20060102T150405Z"
	shortDate = "20060102"
	emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// Matches reports whether the request carries the signature that secret makes.
// payloadHash is the hash of the body in hex or one of the special values; the
// caller has compared it with the body.
func (a Auth) Matches(r *http.Request, secret, payloadHash string) bool {
	want := a.sign(r, secret, payloadHash)
	return subtle.ConstantTimeCompare([]byte(want), []byte(a.Signature)) == 1
}

// sign computes the signature that the request ought to have.
func (a Auth) sign(r *http.Request, secret, payloadHash string) string {
	sum := sha256.Sum256(canonical(r, a, payloadHash))
	b := make([]byte, 0, 256)
	b = append(b, algorithm...)
	b = append(b, '\n')
	b = append(b, a.Time.UTC().Format(longDate)...)
	b = append(b, '\n')
	b = append(b, a.scope()...)
	b = append(b, '\n')
	b = hex.AppendEncode(b, sum[:])
	return a.mac(secret, b)
}

func (a Auth) mac(secret string, message []byte) string {
	k := keys.derive(derivation{secret, a.Date, a.Region, a.Service})
	return hex.EncodeToString(hmacSum(k[:], message))
}

// scope is date/region/service/aws4_request.
func (a Auth) scope() string {
	return a.Date + "/" + a.Region + "/" + a.Service + "/aws4_request"
}

// derivation is all that a signing key depends on.
type derivation struct{ secret, date, region, service string }

// keyCache keeps derived keys: four HMACs saved per request.
type keyCache struct {
	mu   sync.RWMutex
	keys map[derivation][32]byte
}

var keys keyCache

// maxKeys bounds the cache; beyond it the cache starts afresh.
const maxKeys = 4096

func (c *keyCache) derive(d derivation) [32]byte {
	c.mu.RLock()
	k, ok := c.keys[d]
	c.mu.RUnlock()
	if ok {
		return k
	}
	sum := hmacSum([]byte("AWS4"+d.secret), []byte(d.date))
	for _, part := range []string{d.region, d.service, "aws4_request"} {
		sum = hmacSum(sum, []byte(part))
	}
	k = [32]byte(sum)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil || len(c.keys) >= maxKeys {
		c.keys = map[derivation][32]byte{}
	}
	c.keys[d] = k
	return k
}

func hmacSum(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

// Hash is the payload hash of a body, in hex.
func Hash(body []byte) string {
	if len(body) == 0 {
		return emptyHash
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Key is what a client signs with.
type Key struct{ AccessKey, Secret, SessionToken string }

// Sign adds the Authorization header, X-Amz-Date and, when there is one, the
// session token. payloadHash is Hash of the body or a special value; for S3 it
// is also sent as X-Amz-Content-Sha256.
func Sign(r *http.Request, k Key, service, region, payloadHash string, now time.Time) {
	r.Header.Set("X-Amz-Date", now.UTC().Format(longDate))
	if k.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", k.SessionToken)
	}
	if service == "s3" || strings.HasPrefix(payloadHash, "STREAMING") || payloadHash == Unsigned {
		r.Header.Set("X-Amz-Content-Sha256", payloadHash)
	}
	a := Auth{AccessKey: k.AccessKey, Date: now.UTC().Format(shortDate), Region: region, Service: service, Time: now, SignedHeaders: []string{"host"}}
	for name := range r.Header {
		if l := strings.ToLower(name); l == "content-type" || strings.HasPrefix(l, "x-amz-") {
			a.SignedHeaders = append(a.SignedHeaders, l)
		}
	}
	slices.Sort(a.SignedHeaders)
	r.Header.Set("Authorization", algorithm+" Credential="+a.AccessKey+"/"+a.scope()+
		", SignedHeaders="+strings.Join(a.SignedHeaders, ";")+", Signature="+a.sign(r, k.Secret, payloadHash))
}
