package s3

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/awsapi/checksum"
	"github.com/slipway-dev/slipway/kernel/store"
)

// source is what x-amz-copy-source names.
type source struct {
	bucket, key string
	version     *string
}

// parseSource reads "bucket/key?versionId=id", which comes in the form of a URL
// and may begin with a slash.
func parseSource(text string) (source, error) {
	path, query, _ := strings.Cut(text, "?")
	plain, err := url.PathUnescape(path)
	if err != nil {
		return source{}, errArgument("x-amz-copy-source", text, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(plain, "/"), "/")
	if !ok || bucket == "" || key == "" {
		return source{}, errArgument("x-amz-copy-source", text, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	out := source{bucket: bucket, key: key}
	if id, ok := strings.CutPrefix(query, "versionId="); ok {
		out.version = &id
	}
	return out, nil
}

// copySource finds the object that a request copies and holds it.
func (s *Service) copySource(ctx context.Context, text string, match, noneMatch *string, modified, unmodified *time.Time) (Object, func(), error) {
	from, err := parseSource(text)
	if err != nil {
		return Object{}, nil, err
	}
	if err := s.mayCopy(ctx, from); err != nil {
		return Object{}, nil, err
	}
	o, release, err := s.holdObject(ctx, &from.bucket, &from.key, from.version)
	if err != nil {
		return o, nil, err
	}
	if err := conditions(ctx, o, match, noneMatch, modified, unmodified); err != nil {
		release()
		// A copy that is not made is no answer of "not modified".
		return o, nil, errPrecondition("x-amz-copy-source-If-")
	}
	return o, release, nil
}

// errMoved says that the source was replaced while it was copied.
var errMoved = errors.New("the source was replaced")

// CopyObject copies an object, without moving a byte: the new row names the same
// blobs.
func (s *Service) CopyObject(ctx context.Context, in *api.CopyObjectInput) (*api.CopyObjectOutput, error) {
	for {
		out, err := s.copyObject(ctx, in)
		if !errors.Is(err, errMoved) {
			return out, err
		}
	}
}

func (s *Service) copyObject(ctx context.Context, in *api.CopyObjectInput) (*api.CopyObjectOutput, error) {
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	from, release, err := s.copySource(ctx, val(in.CopySource), in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince)
	if err != nil {
		return nil, err
	}
	defer release()
	o, err := s.draft(ctx, b, *in.Key, in)
	if err != nil {
		return nil, err
	}
	if from.Size > maxPut {
		return nil, errRequest("The specified copy source is larger than the maximum allowable size for a copy source: " + decimal(maxPut))
	}
	if from.Bucket == b.Name && from.Key == o.Key && in.MetadataDirective != api.MetadataDirectiveReplace && in.StorageClass == "" &&
		in.WebsiteRedirectLocation == nil && in.ServerSideEncryption == "" && from.Version == newestID(s.Store.Snapshot(), from) {
		return nil, errRequest("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	if in.MetadataDirective != api.MetadataDirectiveReplace {
		kept := from.Headers
		kept.StorageClass, kept.Redirect = o.Headers.StorageClass, o.Headers.Redirect
		o.Headers = kept
	}
	if in.TaggingDirective != api.TaggingDirectiveReplace {
		o.Tags = from.Tags
	}
	o.Size, o.ETag, o.Pieces, o.Checksum = from.Size, from.ETag, from.Pieces, from.Checksum
	if err := s.flatten(&o, from, string(in.ChecksumAlgorithm)); err != nil {
		return nil, err
	}
	err = s.commit(&o, condition{match: val(in.IfMatch), noneMatch: val(in.IfNoneMatch)}, func(tx *store.Tx) ([]string, error) {
		there, err := Objects.Get(tx, Objects.Key(from))
		if err != nil || !slices.Equal(blobsOf(there.Pieces), blobsOf(from.Pieces)) {
			return nil, errMoved // its blobs may be going
		}
		return nil, nil
	})
	if err != nil {
		return nil, err
	}
	out := &api.CopyObjectOutput{
		CopyObjectResult:    &api.CopyObjectResult{ETag: quoted(o.ETag), LastModified: &o.Modified},
		CopySourceVersionId: versionOf(from), VersionId: versionOf(o),
	}
	setChecksum(out.CopyObjectResult, o.Checksum)
	o.Encryption.answer(out)
	return out, nil
}

func newestID(r store.Reader, o Object) string {
	newest, _ := latest(r, o.Scope, o.Bucket, o.Key)
	return newest.Version
}

// flatten makes the copy of an object in parts one without parts, as S3 does: its
// ETag and checksum are those of the whole. That, and another checksum than the
// source has, mean reading it.
func (s *Service) flatten(o *Object, from Object, algorithm string) error {
	if algorithm == "" {
		algorithm = o.Checksum.Algorithm
	}
	if algorithm == "" {
		algorithm = fallbackChecksum
	}
	if !from.Parted && algorithm == from.Checksum.Algorithm && from.Checksum.Type == "FULL_OBJECT" {
		return nil
	}
	if _, ok := checksum.New(algorithm); !ok {
		return errLater("the checksum algorithm " + algorithm)
	}
	etag, sum, err := s.digest(cut(from.Pieces, 0, from.Size), algorithm)
	if err != nil {
		return err
	}
	o.ETag, o.Checksum, o.Parted = etag, Checksum{algorithm, sum, "FULL_OBJECT"}, false
	return nil
}
