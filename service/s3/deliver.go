package s3

import (
	"bytes"
	"context"
	"fmt"
	"io"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/service/iam"
)

// Delivery is an object that a service of AWS puts into a bucket of a user,
// such as logs.
type Delivery struct {
	// Principals are the names that the service goes by: its own, and ARNs of
	// accounts that it has used before. The bucket's policy must allow one.
	Principals []string
	Scope      arn.Scope // of what the object is about; the bucket is in its region
	Source     string    // ARN of that, aws:SourceArn of the policy
	Bucket     string
	Key        string
	Type       string // Content-Type
	Body       []byte
}

// Deliver puts an object where the bucket's policy lets the service. Errors:
// NoSuchBucket, AccessDenied with the reason.
func (s *Service) Deliver(ctx context.Context, d Delivery) error {
	r := s.Store.Snapshot()
	b, err := find(r, d.Bucket)
	if err != nil {
		return err
	}
	if b.Scope.Region != d.Scope.Region {
		return fault(403, "AccessDenied", fmt.Sprintf("bucket %s is in %s, and what is delivered of %s", b.Name, b.Scope.Region, d.Scope.Region))
	}
	for _, name := range d.Principals {
		if s.AnyAuth {
			break
		}
		err = iam.Decide(r, iam.Access{
			Caller: name, Action: "s3:PutObject", Resource: b.ARN() + "/" + d.Key, Owner: b.Scope.Account, Region: b.Scope.Region, Policy: b.Policy,
			Context: map[string]string{
				"aws:securetransport": "true", "aws:sourcearn": d.Source, "aws:sourceaccount": d.Scope.Account, "s3:x-amz-acl": "bucket-owner-full-control",
			},
		})
		if err == nil {
			break
		}
	}
	if err != nil {
		return fault(403, "AccessDenied", err.Error())
	}
	size := int64(len(d.Body))
	_, err = s.PutObject(ctx, &api.PutObjectInput{
		Bucket: &d.Bucket, Key: &d.Key, Body: io.NopCloser(bytes.NewReader(d.Body)), ContentLength: &size, ContentType: opt(d.Type),
	})
	return err
}
