package s3

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// How many tags a bucket and an object may have.
const (
	bucketTags = 50
	objectTags = 10
)

// tagMap checks tags.
func tagMap(tags []api.Tag, limit int) (map[string]string, error) {
	out := map[string]string{}
	for _, t := range tags {
		k, v := val(t.Key), val(t.Value)
		if strings.HasPrefix(k, "aws:") {
			return nil, fault(400, "InvalidTag", "System tags cannot be added/updated by requester")
		}
		if n := utf8.RuneCountInString(k); n == 0 || n > 128 {
			return nil, fault(400, "InvalidTag", "The TagKey you have provided is invalid", "TagKey", k)
		}
		if utf8.RuneCountInString(v) > 256 {
			return nil, fault(400, "InvalidTag", "The TagValue you have provided is invalid", "TagKey", k, "TagValue", v)
		}
		if _, twice := out[k]; twice {
			return nil, fault(400, "InvalidTag", "Cannot provide multiple Tags with the same key", "TagKey", k)
		}
		out[k] = v
	}
	if len(out) > limit {
		if limit == objectTags {
			return nil, fault(400, "BadRequest", "Object tags cannot be greater than 10")
		}
		return nil, fault(400, "BadRequest", "Bucket tag count cannot be greater than 50")
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// PutBucketTagging replaces a bucket's tags; those that CloudFormation made
// stay.
func (s *Service) PutBucketTagging(_ context.Context, in *api.PutBucketTaggingInput) (*api.PutBucketTaggingOutput, error) {
	if in.Tagging == nil {
		return nil, errXML()
	}
	tags, err := tagMap(slices.DeleteFunc(slices.Clone(in.Tagging.TagSet), func(t api.Tag) bool { return strings.HasPrefix(val(t.Key), "aws:cloudformation:") }), bucketTags)
	if err != nil {
		return nil, err
	}
	return &api.PutBucketTaggingOutput{}, s.change(in.Bucket, func(b *Bucket) error {
		b.Tags = withSystem(b.Tags, tags)
		return nil
	})
}

// withSystem is the user's tags beside the system's of before.
func withSystem(before, tags map[string]string) map[string]string {
	out := maps.Clone(tags)
	for k, v := range before {
		if strings.HasPrefix(k, "aws:") {
			if out == nil {
				out = map[string]string{}
			}
			out[k] = v
		}
	}
	return out
}

// GetBucketTagging tells a bucket's tags; none is an error.
func (s *Service) GetBucketTagging(_ context.Context, in *api.GetBucketTaggingInput) (*api.GetBucketTaggingOutput, error) {
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	if len(b.Tags) == 0 {
		return nil, fault(404, "NoSuchTagSet", "The TagSet does not exist", "BucketName", b.Name)
	}
	return &api.GetBucketTaggingOutput{TagSet: tagset.List[api.Tag](b.Tags)}, nil
}

// DeleteBucketTagging removes the user's tags.
func (s *Service) DeleteBucketTagging(_ context.Context, in *api.DeleteBucketTaggingInput) (*api.DeleteBucketTaggingOutput, error) {
	return &api.DeleteBucketTaggingOutput{}, s.change(in.Bucket, func(b *Bucket) error {
		b.Tags = withSystem(b.Tags, nil)
		return nil
	})
}

// changeObject changes what can be changed of an object.
func (s *Service) changeObject(ctx context.Context, bucket, key, id *string, fn func(b Bucket, o *Object) error) (Object, error) {
	var o Object
	err := s.Store.Update(func(tx *store.Tx) (err error) {
		b, err := find(tx, val(bucket))
		if err != nil {
			return err
		}
		if o, err = s.object(ctx, tx, bucket, key, id); err != nil {
			return err
		}
		if err := fn(b, &o); err != nil {
			return err
		}
		Objects.Put(tx, o)
		return nil
	})
	return o, err
}

// PutObjectTagging replaces an object's tags.
func (s *Service) PutObjectTagging(ctx context.Context, in *api.PutObjectTaggingInput) (*api.PutObjectTaggingOutput, error) {
	if in.Tagging == nil {
		return nil, errXML()
	}
	tags, err := tagMap(in.Tagging.TagSet, objectTags)
	if err != nil {
		return nil, err
	}
	o, err := s.changeObject(ctx, in.Bucket, in.Key, in.VersionId, func(_ Bucket, o *Object) error {
		o.Tags = tags
		return nil
	})
	return &api.PutObjectTaggingOutput{VersionId: versionOf(o)}, err
}

// GetObjectTagging tells an object's tags.
func (s *Service) GetObjectTagging(ctx context.Context, in *api.GetObjectTaggingInput) (*api.GetObjectTaggingOutput, error) {
	o, err := s.object(ctx, s.Store.Snapshot(), in.Bucket, in.Key, in.VersionId)
	if err != nil {
		return nil, err
	}
	return &api.GetObjectTaggingOutput{VersionId: versionOf(o), TagSet: tagset.List[api.Tag](o.Tags)}, nil
}

// DeleteObjectTagging removes an object's tags.
func (s *Service) DeleteObjectTagging(ctx context.Context, in *api.DeleteObjectTaggingInput) (*api.DeleteObjectTaggingOutput, error) {
	o, err := s.changeObject(ctx, in.Bucket, in.Key, in.VersionId, func(_ Bucket, o *Object) error {
		o.Tags = nil
		return nil
	})
	return &api.DeleteObjectTaggingOutput{VersionId: versionOf(o)}, err
}
