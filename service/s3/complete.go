package s3

import (
	"context"
	"crypto/md5" //nolint:gosec // an ETag is one
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/awsapi/checksum"
	"github.com/slipway-dev/slipway/kernel/store"
)

// CompleteMultipartUpload makes an object of the parts that the client lists.
// Parts that it leaves out are dropped.
func (s *Service) CompleteMultipartUpload(ctx context.Context, in *api.CompleteMultipartUploadInput) (*api.CompleteMultipartUploadOutput, error) {
	if in.MultipartUpload == nil || len(in.MultipartUpload.Parts) == 0 {
		return nil, errXML()
	}
	u, err := upload(s.Store.Snapshot(), in.Bucket, in.Key, in.UploadId)
	if err != nil {
		return nil, err
	}
	o := Object{
		Scope: u.Scope, Bucket: u.Bucket, Key: u.Key, Parted: true, Headers: u.Headers, Encryption: u.Encryption, Tags: u.Tags, ACL: u.ACL,
	}
	c := condition{match: val(in.IfMatch), noneMatch: val(in.IfNoneMatch)}
	err = s.commit(&o, c, func(tx *store.Tx) ([]string, error) {
		if _, err := Uploads.Get(tx, Uploads.Key(u)); err != nil {
			return nil, errNoSuchUpload(u.ID)
		}
		if err := assemble(tx, u, in, &o); err != nil {
			return nil, err
		}
		return forget(tx, u), nil // what o names is named again before the commit
	})
	if err != nil {
		return nil, err
	}
	out := &api.CompleteMultipartUploadOutput{
		Location: location(ctx, o.Bucket, o.Key), Bucket: &o.Bucket, Key: &o.Key, ETag: quoted(o.ETag), VersionId: versionOf(o),
	}
	setChecksum(out, o.Checksum)
	o.Encryption.answer(out)
	return out, nil
}

// assemble fills an object's contents from the parts of an upload.
func assemble(tx *store.Tx, u Upload, in *api.CompleteMultipartUploadInput, o *Object) error {
	o.Size, o.Pieces = 0, nil
	digests := md5.New() //nolint:gosec // an ETag is one
	listed := in.MultipartUpload.Parts
	last := int32(0)
	for i, want := range listed {
		number := val(want.PartNumber)
		if number <= last {
			return fault(400, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.", "UploadId", u.ID)
		}
		last = number
		p, err := Parts.Get(tx, partKey(u.Scope, u.ID, number))
		if err != nil || !sameETag(val(want.ETag), p.ETag) {
			return errInvalidPart(u, want)
		}
		if given, _ := givenChecksum(&want); given.Algorithm != "" && given.Algorithm == p.Checksum.Algorithm && given.Value != p.Checksum.Value {
			return errInvalidPart(u, want)
		}
		if i < len(listed)-1 && p.Size < leastPart {
			return fault(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size",
				"ProposedSize", decimal(p.Size), "MinSizeAllowed", decimal(leastPart), "PartNumber", decimal(int64(number)), "ETag", p.ETag)
		}
		raw, _ := hex.DecodeString(p.ETag)
		digests.Write(raw)
		o.Size += p.Size
		o.Pieces = append(o.Pieces, Piece{Blob: p.Blob, BlobSize: p.Size, Size: p.Size, Number: number, Checksum: p.Checksum})
	}
	if in.MpuObjectSize != nil && *in.MpuObjectSize != o.Size {
		return errRequest("The provided 'x-amz-mp-object-size' header value does not match what was computed.")
	}
	o.ETag = hex.EncodeToString(digests.Sum(nil)) + "-" + strconv.Itoa(len(listed))
	o.Checksum = together(u, o.Pieces)
	given, _ := givenChecksum(in)
	if given.Algorithm == o.Checksum.Algorithm && given.Value != o.Checksum.Value && given.Algorithm != "" {
		return fault(400, "BadDigest", "The "+given.Algorithm+" you specified did not match the calculated checksum.")
	}
	if kind := string(in.ChecksumType); kind != "" && kind != o.Checksum.Type {
		return errRequest("The upload was created using the " + o.Checksum.Type + " checksum mode. The complete request must use the same checksum mode.")
	}
	return nil
}

func errInvalidPart(u Upload, p api.CompletedPart) error {
	return fault(400, "InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
		"UploadId", u.ID, "PartNumber", decimal(int64(val(p.PartNumber))), "ETag", strings.Trim(val(p.ETag), `"`))
}

// together is the checksum of an object out of those of its parts.
func together(u Upload, pieces []Piece) Checksum {
	c := Checksum{Algorithm: u.algorithm(), Type: u.Checksum.Type}
	if c.Type == "COMPOSITE" {
		h, _ := checksum.New(c.Algorithm) // the upload was checked
		for _, p := range pieces {
			raw, _ := base64.StdEncoding.DecodeString(p.Checksum.Value)
			h.Write(raw)
		}
		c.Value = checksum.Value(h) + "-" + strconv.Itoa(len(pieces))
		return c
	}
	c.Type = "FULL_OBJECT"
	for i, p := range pieces {
		if i == 0 {
			c.Value = p.Checksum.Value
			continue
		}
		c.Value, _ = checksum.Combine(c.Algorithm, c.Value, p.Checksum.Value, p.Size)
	}
	return c
}
