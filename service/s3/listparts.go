package s3

import (
	"context"
	"strings"

	api "github.com/slipway-dev/slipway/api/s3api"
)

// ListParts lists the parts that an upload has so far.
func (s *Service) ListParts(_ context.Context, in *api.ListPartsInput) (*api.ListPartsOutput, error) {
	snap := s.Store.Snapshot()
	u, err := upload(snap, in.Bucket, in.Key, in.UploadId)
	if err != nil {
		return nil, err
	}
	limit := maxList
	if in.MaxParts != nil {
		limit = max(0, min(int(*in.MaxParts), maxList))
	}
	marker := val(in.PartNumberMarker)
	out := &api.ListPartsOutput{
		Bucket: &u.Bucket, Key: &u.Key, UploadId: &u.ID, PartNumberMarker: &marker, MaxParts: new(int32(limit)), IsTruncated: new(false),
		StorageClass: api.StorageClass(u.Headers.class()), Owner: ownerOf(u.Scope.Account), Initiator: u.initiator(),
		ChecksumAlgorithm: api.ChecksumAlgorithm(u.Checksum.Algorithm), ChecksumType: api.ChecksumType(u.Checksum.Type),
	}
	prefix := u.Scope.Key(u.ID, "")
	for p := range Parts.ListFrom(snap, prefix, partKey(u.Scope, u.ID, marker+1)) {
		if len(out.Parts) == limit {
			out.IsTruncated = new(true)
			break
		}
		part := api.Part{PartNumber: &p.Number, LastModified: &p.Modified, ETag: quoted(p.ETag), Size: &p.Size}
		if u.Checksum.Algorithm != "" {
			setChecksum(&part, p.Checksum)
		}
		out.Parts = append(out.Parts, part)
		out.NextPartNumberMarker = &p.Number
	}
	return out, nil
}

func (u Upload) initiator() *api.Initiator {
	if strings.HasSuffix(u.Initiator, ":root") || u.Initiator == "" {
		return &api.Initiator{ID: new(canonicalID(u.Scope.Account))}
	}
	return &api.Initiator{ID: &u.Initiator}
}

// ListMultipartUploads lists the uploads under way, by key and then by age.
func (s *Service) ListMultipartUploads(_ context.Context, in *api.ListMultipartUploadsInput) (*api.ListMultipartUploadsOutput, error) {
	snap := s.Store.Snapshot()
	b, err := find(snap, val(in.Bucket))
	if err != nil {
		return nil, err
	}
	q, err := newQuery(in.Prefix, in.Delimiter, in.MaxUploads, in.EncodingType)
	if err != nil {
		return nil, err
	}
	q.after = val(in.KeyMarker)
	e := encoder(in.EncodingType)
	out := &api.ListMultipartUploadsOutput{
		Bucket: &b.Name, KeyMarker: new(e(q.after)), UploadIdMarker: new(val(in.UploadIdMarker)), MaxUploads: new(int32(q.limit)), IsTruncated: new(false),
		EncodingType: in.EncodingType, Prefix: opt(e(q.prefix)),
	}
	out.Delimiter = in.Delimiter
	encode(e, &out.Delimiter)
	from, ok := q.start(b)
	if id := val(in.UploadIdMarker); id != "" && q.after != "" {
		from, ok = uploadKey(b.Scope, b.Name, q.after, id)+"\x00", true
	}
	if !ok || q.limit == 0 {
		return out, nil
	}
	seen := map[string]bool{}
	for u := range Uploads.ListFrom(snap, objectsKey(b.Scope, b.Name, q.prefix), from) {
		prefix := ""
		if at := strings.Index(u.Key[len(q.prefix):], q.delimiter); q.delimiter != "" && at >= 0 {
			prefix = u.Key[:len(q.prefix)+at+len(q.delimiter)]
		}
		if prefix != "" && seen[prefix] {
			continue
		}
		if len(out.Uploads)+len(out.CommonPrefixes) == q.limit {
			out.IsTruncated = new(true)
			return out, nil
		}
		out.NextKeyMarker, out.NextUploadIdMarker = new(e(u.Key)), &u.ID
		if prefix != "" {
			seen[prefix] = true
			out.CommonPrefixes = append(out.CommonPrefixes, api.CommonPrefix{Prefix: new(e(prefix))})
			out.NextKeyMarker, out.NextUploadIdMarker = new(e(prefix)), nil
			continue
		}
		out.Uploads = append(out.Uploads, api.MultipartUpload{
			UploadId: &u.ID, Key: new(e(u.Key)), Initiated: &u.Started, StorageClass: api.StorageClass(u.Headers.class()),
			Owner: ownerOf(b.Scope.Account), Initiator: u.initiator(),
			ChecksumAlgorithm: api.ChecksumAlgorithm(u.Checksum.Algorithm), ChecksumType: api.ChecksumType(u.Checksum.Type),
		})
	}
	out.NextKeyMarker, out.NextUploadIdMarker = nil, nil
	return out, nil
}
