package s3

import (
	"net/http"
	"testing"

	api "github.com/slipway-dev/slipway/api/s3api"
)

// A user may what policies say, of his own and of the bucket; somebody without
// a name may what the bucket says.
func TestPoliciesAreEnforced(t *testing.T) {
	w := newWorld(t)
	w.bucket("shop-data")
	w.put("shop-data", "public/a", "hello")
	w.put("shop-data", "private/b", "secret")
	nobody := w.user("nobody", "")
	reader := w.user("reader", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::shop-data/private/*"}]}`)
	get := func(p *person, key, code string) {
		t.Helper()
		call[api.GetObjectOutput](p, "GetObject", &api.GetObjectInput{Bucket: new("shop-data"), Key: &key}, code)
	}
	get(nobody, "public/a", "AccessDenied")
	get(reader, "public/a", "AccessDenied")
	get(reader, "private/b", "")
	call[api.PutObjectOutput](reader, "PutObject", putInput("shop-data", "private/c", "x"), "AccessDenied")
	if resp, text := w.plain(http.MethodGet, "/shop-data/public/a", http.Header{}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("without a signature: %d %s", resp.StatusCode, text)
	}

	call[api.DeletePublicAccessBlockOutput](w.person, "DeletePublicAccessBlock", &api.DeletePublicAccessBlockInput{Bucket: new("shop-data")}, "")
	call[api.PutBucketPolicyOutput](w.person, "PutBucketPolicy", &api.PutBucketPolicyInput{Bucket: new("shop-data"), Policy: new(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::shop-data/public/*"},
		{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::shop-data/private/*"}]}`)}, "")
	get(nobody, "public/a", "")
	get(reader, "private/b", "AccessDenied") // a denial wins
	if resp, text := w.plain(http.MethodGet, "/shop-data/public/a", http.Header{}); resp.StatusCode != http.StatusOK || text != "hello" {
		t.Errorf("without a signature: %d %s", resp.StatusCode, text)
	}
}
