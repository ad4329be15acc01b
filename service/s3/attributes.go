package s3

import (
	"context"
	"slices"

	api "github.com/slipway-dev/slipway/api/s3api"
)

// GetObjectAttributes tells what is asked of an object.
func (s *Service) GetObjectAttributes(ctx context.Context, in *api.GetObjectAttributesInput) (*api.GetObjectAttributesOutput, error) {
	o, err := s.object(ctx, s.Store.Snapshot(), in.Bucket, in.Key, in.VersionId)
	if err != nil {
		return nil, err
	}
	if err := refuseUnserved(in); err != nil {
		return nil, err
	}
	out := &api.GetObjectAttributesOutput{LastModified: &o.Modified, VersionId: versionOf(o)}
	asked := func(a api.ObjectAttributes) bool { return slices.Contains(in.ObjectAttributes, a) }
	if asked("ETag") {
		out.ETag = &o.ETag
	}
	if asked("StorageClass") {
		out.StorageClass = api.StorageClass(o.Headers.class())
	}
	if asked("ObjectSize") {
		out.ObjectSize = &o.Size
	}
	if asked("Checksum") && o.Checksum.Value != "" {
		out.Checksum = &api.Checksum{}
		setChecksum(out.Checksum, o.Checksum)
	}
	if asked("ObjectParts") && o.Parted {
		out.ObjectParts = objectParts(o, in)
	}
	return out, nil
}

func objectParts(o Object, in *api.GetObjectAttributesInput) *api.GetObjectAttributesParts {
	limit := maxList
	if in.MaxParts != nil {
		limit = max(0, min(int(*in.MaxParts), maxList))
	}
	marker := val(in.PartNumberMarker)
	out := &api.GetObjectAttributesParts{
		TotalPartsCount: new(int32(len(o.Pieces))), PartNumberMarker: &marker, MaxParts: new(int32(limit)), IsTruncated: new(false),
	}
	for _, p := range o.Pieces {
		if p.Number <= marker {
			continue
		}
		if len(out.Parts) == limit {
			out.IsTruncated = new(true)
			break
		}
		part := api.ObjectPart{PartNumber: &p.Number, Size: &p.Size}
		if o.Checksum.Type == "COMPOSITE" {
			setChecksum(&part, p.Checksum)
		}
		out.Parts = append(out.Parts, part)
		out.NextPartNumberMarker = &p.Number
	}
	return out
}
