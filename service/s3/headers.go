package s3

import (
	"context"
	"net/url"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/s3api"
)

// maxMetadata bounds the names and values of an object's own metadata: 2 KB.
const maxMetadata = 2 << 10

// storageClasses are those whose objects can be read at once. The others would
// have to be restored first.
var storageClasses = []string{"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"}

// headersOf reads what a request gives an object besides its contents.
func headersOf(in any) (h Headers, err error) {
	h = Headers{
		ContentType: member(in, "ContentType"), ContentEncoding: member(in, "ContentEncoding"), ContentDisposition: member(in, "ContentDisposition"),
		ContentLanguage: member(in, "ContentLanguage"), CacheControl: member(in, "CacheControl"), Expires: member(in, "Expires"),
		Redirect: member(in, "WebsiteRedirectLocation"), StorageClass: member(in, "StorageClass"),
	}
	if h.ContentType == "" {
		h.ContentType = "binary/octet-stream"
	}
	if h.StorageClass != "" && !slices.Contains(storageClasses, h.StorageClass) {
		return h, fault(400, "InvalidStorageClass", "The storage class you specified is not valid", "StorageClassRequested", h.StorageClass)
	}
	if h.StorageClass == "STANDARD" {
		h.StorageClass = ""
	}
	if h.Redirect != "" && !strings.HasPrefix(h.Redirect, "/") && !strings.HasPrefix(h.Redirect, "http://") && !strings.HasPrefix(h.Redirect, "https://") {
		return h, fault(400, "InvalidRedirectLocation", "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.")
	}
	switch in := in.(type) {
	case *api.PutObjectInput:
		h.Metadata = in.Metadata
	case *api.CreateMultipartUploadInput:
		h.Metadata = in.Metadata
	case *api.CopyObjectInput:
		h.Metadata = in.Metadata
	}
	size := 0
	for k, v := range h.Metadata {
		size += len(k) + len(v)
	}
	if size > maxMetadata {
		return h, fault(400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size", "Size", decimal(int64(size)), "MaxSizeAllowed", decimal(maxMetadata))
	}
	if len(h.Metadata) == 0 {
		h.Metadata = nil
	}
	return h, refuseUnserved(in)
}

// refuseUnserved answers members that ask for what is not done here.
func refuseUnserved(in any) error {
	for name, what := range map[string]string{
		"SSECustomerAlgorithm": "encryption with keys of the customer (SSE-C)", "CopySourceSSECustomerAlgorithm": "encryption with keys of the customer (SSE-C)",
		"SSEKMSEncryptionContext": "an encryption context", "ObjectLockMode": "object lock", "ObjectLockLegalHoldStatus": "object lock",
		"WriteOffsetBytes": "appending to objects", "GrantFullControl": "grants in headers", "GrantRead": "grants in headers",
		"GrantReadACP": "grants in headers", "GrantWriteACP": "grants in headers", "GrantWrite": "grants in headers",
	} {
		if has(in, name) {
			return errLater(what)
		}
	}
	return nil
}

// answer puts an object's headers into an output.
func (h Headers) answer(out *api.HeadObjectOutput) {
	out.ContentType, out.ContentEncoding, out.ContentDisposition = opt(h.ContentType), opt(h.ContentEncoding), opt(h.ContentDisposition)
	out.ContentLanguage, out.CacheControl, out.Expires, out.WebsiteRedirectLocation = opt(h.ContentLanguage), opt(h.CacheControl), opt(h.Expires), opt(h.Redirect)
	out.StorageClass, out.Metadata = api.StorageClass(h.StorageClass), h.Metadata
}

// class is the storage class as listings have it.
func (h Headers) class() string {
	if h.StorageClass == "" {
		return "STANDARD"
	}
	return h.StorageClass
}

// encryption is how the object of a request is encrypted: as it asks, or as the
// bucket has it.
func (s *Service) encryption(ctx context.Context, b Bucket, in any) (Encryption, error) {
	e := Encryption{Algorithm: member(in, "ServerSideEncryption"), Key: member(in, "SSEKMSKeyId")}
	if e.Algorithm == "" && e.Key == "" {
		e = b.Encryption
	}
	if has(in, "BucketKeyEnabled") {
		e.BucketKey = memberTrue(in, "BucketKeyEnabled")
	}
	return s.resolved(ctx, b, e)
}

// resolved checks an encryption and finds its key.
func (s *Service) resolved(ctx context.Context, b Bucket, e Encryption) (Encryption, error) {
	switch e.Algorithm {
	case "AES256":
		if e.Key != "" {
			return e, errArgument("x-amz-server-side-encryption", e.Algorithm, "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms")
		}
		e.BucketKey = false
		return e, nil
	case "aws:kms", "aws:kms:dsse":
	case "":
		return e, errArgument("x-amz-server-side-encryption", "null", "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms")
	default:
		return e, errArgument("x-amz-server-side-encryption", e.Algorithm, "The encryption method specified is not supported")
	}
	if e.Key == "" || e.Key == "alias/aws/s3" {
		e.Key = b.ownKey()
		return e, nil
	}
	if e.Key == b.ownKey() {
		return e, nil
	}
	if s.Key == nil {
		return e, fault(400, "KMS.NotFoundException", "Key '"+e.Key+"' does not exist")
	}
	key, err := s.Key(ctx, b.Scope, e.Key)
	if err != nil {
		return e, fault(400, "KMS.NotFoundException", err.Error())
	}
	e.Key = key
	return e, nil
}

// ownKey is the ARN of the key that AWS keeps for S3 in the bucket's account
// and region (alias/aws/s3).
func (b Bucket) ownKey() string {
	id := canonicalID("key aws/s3 " + b.Scope.Key())
	return b.Scope.ARN("kms", "key/"+id[:8]+"-"+id[8:12]+"-4"+id[13:16]+"-8"+id[17:20]+"-"+id[20:32])
}

// answer puts an encryption into an output that has members for it.
func (e Encryption) answer(out any) {
	fill(out, struct {
		ServerSideEncryption api.ServerSideEncryption
		SSEKMSKeyId          *string //nolint:revive // AWS's name
		BucketKeyEnabled     *bool
	}{api.ServerSideEncryption(e.Algorithm), opt(e.Key), optTrue(e.BucketKey)})
}

func optTrue(b bool) *bool {
	if b {
		return &b
	}
	return nil
}

// parseTagging reads tags in the form of a query: "team=web&tier=1".
func parseTagging(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	q, err := url.ParseQuery(text)
	if err != nil {
		return nil, errArgument("x-amz-tagging", text, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
	}
	var tags []api.Tag
	for k, v := range q {
		if len(v) != 1 {
			return nil, errArgument("x-amz-tagging", text, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
		}
		tags = append(tags, api.Tag{Key: &k, Value: &v[0]})
	}
	return tagMap(tags, objectTags)
}
