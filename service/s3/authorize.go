package s3

import (
	"context"
	"errors"
	"time"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/iam"
)

// may says whether the caller of a request may do something with a bucket, or
// with a key in it: nil, or AccessDenied with the reason.
//
// The API listens on this machine alone, so that what reaches it has not left
// it: aws:SecureTransport is true.
func (s *Service) may(ctx context.Context, r store.Reader, b Bucket, action, key string, more map[string]string) error {
	if s.AnyAuth {
		return nil
	}
	c := caller(ctx)
	resource := b.ARN()
	if key != "" {
		resource += "/" + key
	}
	a := iam.Access{
		Caller: c.ARN, Action: action, Resource: resource, Owner: b.Scope.Account, Region: b.Scope.Region, Policy: b.Policy,
		Context: map[string]string{"aws:securetransport": "true", "aws:currenttime": time.Now().UTC().Format(time.RFC3339), "aws:userid": c.UserID},
	}
	if ip := awsapi.SourceIP(ctx); ip != "" {
		a.Context["aws:sourceip"] = ip
	}
	for k, v := range more {
		a.Context[k] = v
	}
	foreign := c.Account != b.Scope.Account || c.ARN == ""
	if foreign && b.PublicAccess != nil && b.PublicAccess.Restrict && iam.Public(b.Policy) {
		a.Policy = "" // others than the owner's account are kept out
	}
	err := iam.Decide(r, a)
	if err == nil {
		return nil
	}
	if no, ok := errors.AsType[*iam.Refusal](err); ok && !no.Explicit && byACL(r, b, c, action, key) {
		return nil
	}
	return fault(403, "AccessDenied", err.Error())
}

// byACL says whether an ACL of the bucket or the object lets the caller.
func byACL(r store.Reader, b Bucket, c awsapi.Caller, action, key string) bool {
	if b.Ownership == "BucketOwnerEnforced" || b.PublicAccess != nil && b.PublicAccess.IgnoreACLs {
		return false
	}
	acl := b.ACL
	switch action {
	case "s3:GetObject", "s3:GetObjectVersion":
		o, _ := latest(r, b.Scope, b.Name, key)
		acl = o.ACL
	case "s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads":
	case "s3:PutObject", "s3:DeleteObject":
		return acl == "public-read-write"
	default:
		return false
	}
	return acl == "public-read" || acl == "public-read-write" || acl == "authenticated-read" && c.ARN != ""
}

// mayDelete is asked for each object of DeleteObjects.
func (s *Service) mayDelete(ctx context.Context, b Bucket, o api.ObjectIdentifier) error {
	action := "s3:DeleteObject"
	if o.VersionId != nil {
		action = "s3:DeleteObjectVersion"
	}
	if _, ok := ctx.Value(authorised{}).(bool); !ok {
		return nil // called directly
	}
	return s.may(ctx, s.Store.Snapshot(), b, action, val(o.Key), nil)
}

// mayCopy is asked for the source of a copy.
func (s *Service) mayCopy(ctx context.Context, from source) error {
	if _, ok := ctx.Value(authorised{}).(bool); !ok {
		return nil
	}
	r := s.Store.Snapshot()
	b, err := find(r, from.bucket)
	if err != nil {
		return err
	}
	action := "s3:GetObject"
	if from.version != nil {
		action = "s3:GetObjectVersion"
	}
	return s.may(ctx, r, b, action, from.key, nil)
}

// authorised marks the context of a request that came over the API, whose
// further resources have to be asked about.
type authorised struct{}
