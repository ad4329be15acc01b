package s3

import (
	"context"
	"slices"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// home is the region that CreateBucket takes without a location constraint, and
// in which an owner may create a bucket twice.
const home = "us-east-1"

// maxBuckets is AWS's default quota for an account.
const maxBuckets = 10_000

// CreateBucket makes an empty bucket. New buckets have ACLs off, all public
// access blocked and their objects encrypted, as on AWS.
func (s *Service) CreateBucket(ctx context.Context, in *api.CreateBucketInput) (*api.CreateBucketOutput, error) {
	b, err := s.createBucket(ctx, in, nil)
	if err != nil {
		return nil, err
	}
	return &api.CreateBucketOutput{Location: new("/" + b.Name), BucketArn: new(b.ARN())}, nil
}

// createBucket is CreateBucket with tags that users may not set.
func (s *Service) createBucket(ctx context.Context, in *api.CreateBucketInput, system map[string]string) (b Bucket, err error) {
	c, name := caller(ctx), val(in.Bucket)
	if !validBucket(name) {
		return b, errBucketName(name)
	}
	tags, err := checkLocation(ctx, in)
	if err != nil {
		return b, err
	}
	if system != nil {
		tags = system
	}
	b = Bucket{
		Scope: c.Scope, Name: name, Created: time.Now().UTC().Truncate(time.Second), Tags: tags,
		Ownership: "BucketOwnerEnforced", PublicAccess: &PublicAccess{true, true, true, true}, Encryption: Encryption{Algorithm: "AES256"},
	}
	if in.ObjectOwnership != "" {
		b.Ownership = string(in.ObjectOwnership)
	}
	if val(in.ObjectLockEnabledForBucket) {
		return b, errLater("object lock")
	}
	if b.ACL, err = cannedACL(b, string(in.ACL), in); err != nil {
		return b, err
	}
	return b, s.Store.Update(func(tx *store.Tx) error {
		if there, err := find(tx, name); err == nil {
			if there.Scope.Account != c.Account {
				return errTaken(name)
			}
			if there.Scope.Region == home && c.Region == home {
				return nil // AWS's exception of old
			}
			return errOwned(name)
		}
		n := 0
		for range Buckets.List(tx, c.Account+"/") {
			n++
		}
		if n >= maxBuckets {
			return fault(400, "TooManyBuckets", "You have attempted to create more buckets than allowed")
		}
		Buckets.Put(tx, b)
		return nil
	})
}

// checkLocation holds the location constraint against the region that the
// request was sent to, and reads the tags that come with it.
func checkLocation(ctx context.Context, in *api.CreateBucketInput) (map[string]string, error) {
	region := caller(ctx).Region
	conf := in.CreateBucketConfiguration
	if conf == nil {
		conf = &api.CreateBucketConfiguration{}
	}
	if conf.Bucket != nil || conf.Location != nil {
		return nil, errLater("directory buckets")
	}
	want := string(conf.LocationConstraint)
	switch {
	case want == "" && region != home:
		return nil, fault(400, "IllegalLocationConstraintException", "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.")
	case want == "EU" && region == "eu-west-1", want == region && want != home, want == "":
	case want == home:
		return nil, fault(400, "InvalidLocationConstraint", "The specified location-constraint is not valid", "LocationConstraint", want)
	default:
		return nil, fault(400, "IllegalLocationConstraintException", "The "+want+" location constraint is incompatible for the region specific endpoint this request was sent to.")
	}
	return tagMap(conf.Tags, bucketTags)
}

// HeadBucket says whether a bucket is there and may be listed.
func (s *Service) HeadBucket(_ context.Context, in *api.HeadBucketInput) (*api.HeadBucketOutput, error) {
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	return &api.HeadBucketOutput{BucketRegion: &b.Scope.Region, BucketArn: new(b.ARN()), AccessPointAlias: new(false)}, nil
}

// GetBucketLocation tells a bucket's region; empty is us-east-1.
func (s *Service) GetBucketLocation(_ context.Context, in *api.GetBucketLocationInput) (*api.GetBucketLocationOutput, error) {
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	out := &api.GetBucketLocationOutput{}
	if b.Scope.Region != home {
		out.LocationConstraint = api.BucketLocationConstraint(b.Scope.Region)
	}
	return out, nil
}

// ListBuckets lists the caller's buckets, of all regions, by name.
func (s *Service) ListBuckets(ctx context.Context, in *api.ListBucketsInput) (*api.ListBucketsOutput, error) {
	c := caller(ctx)
	byName := map[string]Bucket{}
	var names []string
	for b := range Buckets.List(s.Store.Snapshot(), c.Account+"/") {
		if strings.HasPrefix(b.Name, val(in.Prefix)) && (in.BucketRegion == nil || *in.BucketRegion == b.Scope.Region) {
			byName[b.Name] = b
			names = append(names, b.Name)
		}
	}
	limit := 0 // all, as AWS does when no page is asked for
	if in.MaxBuckets != nil {
		limit = maxBuckets
	}
	slices.Sort(names)
	page, next, err := awsapi.Page(names, func(n string) string { return n }, in.ContinuationToken, int(val(in.MaxBuckets)), limit)
	if err != nil {
		return nil, err
	}
	out := &api.ListBucketsOutput{Owner: ownerOf(c.Account), ContinuationToken: next, Prefix: in.Prefix}
	for _, n := range page {
		b := byName[n]
		out.Buckets = append(out.Buckets, api.Bucket{Name: &b.Name, CreationDate: &b.Created, BucketArn: new(b.ARN()), BucketRegion: &b.Scope.Region})
	}
	return out, nil
}

func ownerOf(account string) *api.Owner { return &api.Owner{ID: new(canonicalID(account))} }

// DeleteBucket removes an empty bucket, and the uploads that were never
// completed.
func (s *Service) DeleteBucket(_ context.Context, in *api.DeleteBucketInput) (*api.DeleteBucketOutput, error) {
	var dropped []string
	err := s.Store.Update(func(tx *store.Tx) error {
		dropped = nil
		b, err := find(tx, val(in.Bucket))
		if err != nil {
			return err
		}
		for range Objects.List(tx, objectsKey(b.Scope, b.Name, "")) {
			if b.Versioning != "" {
				return errVersionsLeft(b.Name)
			}
			return errNotEmpty(b.Name)
		}
		for u := range Uploads.List(tx, objectsKey(b.Scope, b.Name, "")) {
			dropped = append(dropped, forget(tx, u)...)
		}
		Buckets.Delete(tx, Buckets.Key(b))
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.drop(dropped)
	return &api.DeleteBucketOutput{}, nil
}
