package s3

import (
	"context"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi/checksum"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Limits of uploads in parts (Amazon S3 user guide, Multipart upload limits).
const (
	maxParts   = 10_000
	leastPart  = 5 << 20 // of all parts but the last
	uploadSize = 48      // bytes of an upload's id
)

// CreateMultipartUpload begins an upload in parts.
func (s *Service) CreateMultipartUpload(ctx context.Context, in *api.CreateMultipartUploadInput) (*api.CreateMultipartUploadOutput, error) {
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	o, err := s.draft(ctx, b, *in.Key, in)
	if err != nil {
		return nil, err
	}
	sum, err := uploadChecksum(string(in.ChecksumAlgorithm), string(in.ChecksumType))
	if err != nil {
		return nil, err
	}
	u := Upload{
		Scope: o.Scope, Bucket: o.Bucket, Key: o.Key, ID: random(uploadSize), Started: now(), Initiator: caller(ctx).ARN, Checksum: sum,
		Headers: o.Headers, Encryption: o.Encryption, Tags: o.Tags, ACL: o.ACL,
	}
	err = s.Store.Update(func(tx *store.Tx) error {
		if _, err := find(tx, b.Name); err != nil {
			return err
		}
		Uploads.Put(tx, u)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &api.CreateMultipartUploadOutput{
		Bucket: &u.Bucket, Key: &u.Key, UploadId: &u.ID,
		ChecksumAlgorithm: api.ChecksumAlgorithm(sum.Algorithm), ChecksumType: api.ChecksumType(sum.Type),
	}
	u.Encryption.answer(out)
	return out, nil
}

// uploadChecksum is the checksum of an upload: of the whole for CRC64NVME, and
// for the other CRCs where that is asked; else one made of those of the parts.
func uploadChecksum(algorithm, kind string) (Checksum, error) {
	if algorithm == "" {
		if kind != "" {
			return Checksum{}, errRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
		return Checksum{}, nil
	}
	if _, ok := checksum.New(algorithm); !ok {
		return Checksum{}, errLater("the checksum algorithm " + algorithm)
	}
	combines := strings.HasPrefix(algorithm, "CRC")
	if kind == "" {
		kind = "COMPOSITE"
		if algorithm == "CRC64NVME" {
			kind = "FULL_OBJECT"
		}
	}
	if kind == "FULL_OBJECT" && !combines || kind == "COMPOSITE" && algorithm == "CRC64NVME" {
		return Checksum{}, errRequest("The " + kind + " checksum type cannot be used with the " + algorithm + " checksum algorithm.")
	}
	return Checksum{Algorithm: algorithm, Type: kind}, nil
}

// upload finds an upload by id; it must be for that key.
func upload(r store.Reader, bucket, key, id *string) (Upload, error) {
	b, err := find(r, val(bucket))
	if err != nil {
		return Upload{}, err
	}
	u, err := Uploads.Get(r, uploadKey(b.Scope, b.Name, val(key), val(id)))
	if err != nil {
		return Upload{}, errNoSuchUpload(val(id))
	}
	return u, nil
}

// algorithm is what a part's checksum is computed with.
func (u Upload) algorithm() string {
	if u.Checksum.Algorithm == "" {
		return fallbackChecksum
	}
	return u.Checksum.Algorithm
}

// UploadPart stores a part, in place of one with the same number.
func (s *Service) UploadPart(ctx context.Context, in *api.UploadPartInput) (*api.UploadPartOutput, error) {
	u, err := upload(s.Store.Snapshot(), in.Bucket, in.Key, in.UploadId)
	if err != nil {
		return nil, err
	}
	if err := refuseUnserved(in); err != nil {
		return nil, err
	}
	if err := checkPart(in.PartNumber); err != nil {
		return nil, err
	}
	want, err := expect(ctx, in, u.algorithm())
	if err != nil {
		return nil, err
	}
	if u.Checksum.Algorithm != "" && want.checksum.Algorithm != u.Checksum.Algorithm {
		return nil, errRequest("Checksum Type mismatch occurred, expected checksum Type: " + lower(u.Checksum.Algorithm) + ", actual checksum Type: " + lower(want.checksum.Algorithm))
	}
	body, err := s.receive(in.Body, in.ContentLength, want)
	if err != nil {
		return nil, err
	}
	p := Part{
		Scope: u.Scope, Bucket: u.Bucket, Upload: u.ID, Number: *in.PartNumber, ETag: body.etag, Blob: body.piece.Blob, Size: body.size, Checksum: body.checksum,
	}
	if err := s.keepPart(u, &p); err != nil {
		body.abort()
		return nil, err
	}
	body.release()
	out := &api.UploadPartOutput{ETag: quoted(p.ETag)}
	setChecksum(out, p.Checksum)
	u.Encryption.answer(out)
	return out, nil
}

func checkPart(number *int32) error {
	if n := val(number); n < 1 || n > maxParts {
		return errArgument("partNumber", decimal(int64(n)), "Part number must be an integer between 1 and 10000, inclusive")
	}
	return nil
}

// keepPart writes a part's row.
func (s *Service) keepPart(u Upload, p *Part) error {
	p.Modified = now()
	var dropped []string
	err := s.Store.Update(func(tx *store.Tx) error {
		dropped = nil
		if _, err := Uploads.Get(tx, Uploads.Key(u)); err != nil {
			return errNoSuchUpload(u.ID)
		}
		if old, err := Parts.Get(tx, Parts.Key(*p)); err == nil && old.Blob != "" {
			dropped = []string{old.Blob}
		}
		Parts.Put(tx, *p)
		return nil
	})
	if err == nil {
		s.drop(dropped)
	}
	return err
}

// UploadPartCopy makes a part of an object, or of a range of one.
func (s *Service) UploadPartCopy(ctx context.Context, in *api.UploadPartCopyInput) (*api.UploadPartCopyOutput, error) {
	u, err := upload(s.Store.Snapshot(), in.Bucket, in.Key, in.UploadId)
	if err != nil {
		return nil, err
	}
	if err := refuseUnserved(in); err != nil {
		return nil, err
	}
	if err := checkPart(in.PartNumber); err != nil {
		return nil, err
	}
	from, release, err := s.copySource(ctx, val(in.CopySource), in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince)
	if err != nil {
		return nil, err
	}
	defer release()
	begin, length := int64(0), from.Size
	if text := val(in.CopySourceRange); text != "" {
		var ok bool
		if begin, length, ok, err = parseRange(text, from.Size); err != nil || !ok {
			return nil, errArgument("x-amz-copy-source-range", text, "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
		}
	}
	c := &contents{blobs: s.blobs, pieces: cut(from.Pieces, begin, length), release: func() {}}
	defer c.Close()
	body, err := s.receive(c, &length, expected{checksum: Checksum{Algorithm: u.algorithm(), Type: "FULL_OBJECT"}})
	if err != nil {
		return nil, err
	}
	p := Part{
		Scope: u.Scope, Bucket: u.Bucket, Upload: u.ID, Number: *in.PartNumber, ETag: body.etag, Blob: body.piece.Blob, Size: body.size, Checksum: body.checksum,
	}
	if err := s.keepPart(u, &p); err != nil {
		body.abort()
		return nil, err
	}
	body.release()
	out := &api.UploadPartCopyOutput{CopySourceVersionId: versionOf(from), CopyPartResult: &api.CopyPartResult{ETag: quoted(p.ETag), LastModified: &p.Modified}}
	if u.Checksum.Algorithm != "" {
		setChecksum(out.CopyPartResult, p.Checksum)
	}
	u.Encryption.answer(out)
	return out, nil
}

// AbortMultipartUpload forgets an upload and its parts.
func (s *Service) AbortMultipartUpload(_ context.Context, in *api.AbortMultipartUploadInput) (*api.AbortMultipartUploadOutput, error) {
	var dropped []string
	err := s.Store.Update(func(tx *store.Tx) error {
		u, err := upload(tx, in.Bucket, in.Key, in.UploadId)
		if err != nil {
			return err
		}
		if t := in.IfMatchInitiatedTime; t != nil && !t.Truncate(time.Second).Equal(u.Started) {
			return errPrecondition("If-Match-Initiated-Time")
		}
		dropped = forget(tx, u)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.drop(dropped)
	return &api.AbortMultipartUploadOutput{}, nil
}

// forget removes the rows of an upload and returns the blobs that they named.
func forget(tx *store.Tx, u Upload) (blobs []string) {
	for p := range Parts.List(tx, u.Scope.Key(u.ID, "")) {
		if p.Blob != "" {
			blobs = append(blobs, p.Blob)
		}
		Parts.Delete(tx, Parts.Key(p))
	}
	Uploads.Delete(tx, Uploads.Key(u))
	return blobs
}

// location is where a completed object can be fetched.
func location(ctx context.Context, bucket, key string) *string {
	return new(awsapi.Endpoint(ctx) + "/" + bucket + "/" + encoder("url")(key))
}
