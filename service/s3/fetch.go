package s3

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strings"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// Fetch reads an object on behalf of the caller, by an address that templates
// and requests name: https or http, path style or virtual-hosted, of AWS or of
// this machine, or s3://bucket/key. It takes at most limit bytes.
func (s *Service) Fetch(ctx context.Context, address string, limit int64) ([]byte, error) {
	bucket, key, version, ok := locate(address)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrAddress, address)
	}
	b, err := find(s.Store.Snapshot(), bucket)
	if err != nil {
		return nil, err
	}
	if err := s.may(ctx, s.Store.Snapshot(), b, "s3:GetObject", key, nil); err != nil {
		return nil, errDenied()
	}
	out, err := s.GetObject(ctx, &api.GetObjectInput{Bucket: &bucket, Key: &key, VersionId: opt(version)})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	if n := val(out.ContentLength); n > limit {
		return nil, fmt.Errorf("s3://%s/%s has %d bytes, more than %d", bucket, key, n, limit)
	}
	return io.ReadAll(out.Body)
}

// ErrAddress answers an address that no object of S3 can have.
var ErrAddress = &awsapi.Error{Code: "ValidationError", Message: "TemplateURL must be a supported URL.", Status: 400}

// locate reads an object's address.
// Source: Amazon S3 user guide, Methods for accessing a general purpose bucket.
func locate(address string) (bucket, key, version string, ok bool) {
	u, err := url.Parse(address)
	if err != nil {
		return "", "", "", false
	}
	host, path := u.Hostname(), strings.TrimPrefix(u.Path, "/")
	version = u.Query().Get("versionId")
	switch {
	case u.Scheme == "s3":
		bucket, key = host, path
	case u.Scheme != "https" && u.Scheme != "http":
		return "", "", "", false
	case ofPathStyle(host):
		bucket, key, _ = strings.Cut(path, "/")
	default:
		bucket, key = awsapi.BucketOf(host), path
	}
	return bucket, key, version, bucket != "" && key != ""
}

// ofPathStyle says whether a host is an endpoint and not a bucket's.
func ofPathStyle(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return true
	}
	return strings.HasPrefix(host, "s3.") || strings.HasPrefix(host, "s3-")
}
