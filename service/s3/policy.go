package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/service/iam"
)

// maxPolicy bounds a bucket policy in bytes.
const maxPolicy = 20 << 10

func errMalformedPolicy(message string) error { return fault(400, "MalformedPolicy", message) }

// PutBucketPolicy sets a bucket's policy.
func (s *Service) PutBucketPolicy(ctx context.Context, in *api.PutBucketPolicyInput) (*api.PutBucketPolicyOutput, error) {
	text := val(in.Policy)
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	if err := s.checkPolicy(b, text); err != nil {
		return nil, err
	}
	if b.PublicAccess != nil && b.PublicAccess.BlockPolicy && iam.Public(text) {
		return nil, fault(403, "AccessDenied", fmt.Sprintf("User: %s is not authorized to perform: s3:PutBucketPolicy on resource: %q because public policies are blocked by the BlockPublicPolicy block public access setting.", caller(ctx).ARN, b.ARN()))
	}
	return &api.PutBucketPolicyOutput{}, s.change(in.Bucket, func(b *Bucket) error {
		b.Policy = text
		return nil
	})
}

// checkPolicy checks the form of a policy, and that it speaks of this bucket.
func (s *Service) checkPolicy(b Bucket, text string) error {
	if len(text) > maxPolicy {
		return fault(400, "PolicyTooLarge", "Policy size exceeds the maximum allowed size of 20480 bytes")
	}
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return errMalformedPolicy("Policies must be valid JSON and the first byte must be '{'")
	}
	snap := s.Store.Snapshot()
	err := iam.CheckResourcePolicy(text, func(arn string) bool { return iam.Known(snap, arn) })
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		message := e.Message
		if message == "This policy contains invalid Json" {
			message = "Policies must be valid JSON and the first byte must be '{'"
		}
		return errMalformedPolicy(message)
	}
	for _, r := range iam.Resources(text) {
		if name, ok := strings.CutPrefix(r, "arn:aws:s3:::"); !ok || !covers(name, b.Name) {
			return errMalformedPolicy("Policy has invalid resource")
		}
	}
	return nil
}

// covers says whether a pattern of a resource, "bucket" or "bucket/key*", is of
// this bucket.
func covers(pattern, bucket string) bool {
	name, _, _ := strings.Cut(pattern, "/")
	if at := strings.IndexAny(name, "*?"); at >= 0 {
		return strings.HasPrefix(bucket, name[:at])
	}
	return name == bucket
}

// GetBucketPolicy tells a bucket's policy; none is an error.
func (s *Service) GetBucketPolicy(_ context.Context, in *api.GetBucketPolicyInput) (*api.GetBucketPolicyOutput, error) {
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	if b.Policy == "" {
		return nil, errNoPolicy(b.Name)
	}
	return &api.GetBucketPolicyOutput{Policy: &b.Policy}, nil
}

func errNoPolicy(name string) error {
	return fault(404, "NoSuchBucketPolicy", "The bucket policy does not exist", "BucketName", name)
}

// DeleteBucketPolicy removes a bucket's policy.
func (s *Service) DeleteBucketPolicy(_ context.Context, in *api.DeleteBucketPolicyInput) (*api.DeleteBucketPolicyOutput, error) {
	return &api.DeleteBucketPolicyOutput{}, s.change(in.Bucket, func(b *Bucket) error {
		b.Policy = ""
		return nil
	})
}

// GetBucketPolicyStatus says whether the policy lets everybody in.
func (s *Service) GetBucketPolicyStatus(_ context.Context, in *api.GetBucketPolicyStatusInput) (*api.GetBucketPolicyStatusOutput, error) {
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	if b.Policy == "" {
		return nil, errNoPolicy(b.Name)
	}
	return &api.GetBucketPolicyStatusOutput{PolicyStatus: &api.PolicyStatus{IsPublic: new(iam.Public(b.Policy))}}, nil
}
