package s3

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"

	api "github.com/slipway-dev/slipway/api/s3api"
)

// ListObjectsV2 lists the objects of a bucket in the order of their keys.
func (s *Service) ListObjectsV2(_ context.Context, in *api.ListObjectsV2Input) (*api.ListObjectsV2Output, error) {
	snap := s.Store.Snapshot()
	b, err := find(snap, val(in.Bucket))
	if err != nil {
		return nil, err
	}
	q, err := newQuery(in.Prefix, in.Delimiter, in.MaxKeys, in.EncodingType)
	if err != nil {
		return nil, err
	}
	q.after = val(in.StartAfter)
	if in.ContinuationToken != nil {
		var ok bool
		if q.after, ok = openToken(*in.ContinuationToken); !ok {
			return nil, errArgument("continuation-token", *in.ContinuationToken, "The continuation token provided is incorrect")
		}
	}
	page, more := list(snap, b, q)
	e := encoder(in.EncodingType)
	out := &api.ListObjectsV2Output{
		Name: &b.Name, Prefix: new(e(q.prefix)), MaxKeys: new(int32(q.limit)), KeyCount: new(int32(len(page))), IsTruncated: &more,
		EncodingType: in.EncodingType, ContinuationToken: in.ContinuationToken,
	}
	out.Delimiter, out.StartAfter = in.Delimiter, in.StartAfter
	encode(e, &out.Delimiter, &out.StartAfter)
	out.Contents, out.CommonPrefixes = objectsOf(b, page, e, val(in.FetchOwner))
	if more {
		out.NextContinuationToken = new(sealToken(page[len(page)-1].name()))
	}
	return out, nil
}

// ListObjects is the first version of the listing.
func (s *Service) ListObjects(_ context.Context, in *api.ListObjectsInput) (*api.ListObjectsOutput, error) {
	snap := s.Store.Snapshot()
	b, err := find(snap, val(in.Bucket))
	if err != nil {
		return nil, err
	}
	q, err := newQuery(in.Prefix, in.Delimiter, in.MaxKeys, in.EncodingType)
	if err != nil {
		return nil, err
	}
	q.after = val(in.Marker)
	page, more := list(snap, b, q)
	e := encoder(in.EncodingType)
	out := &api.ListObjectsOutput{
		Name: &b.Name, Prefix: new(e(q.prefix)), Marker: new(e(q.after)), MaxKeys: new(int32(q.limit)), IsTruncated: &more, EncodingType: in.EncodingType,
	}
	out.Delimiter = in.Delimiter
	encode(e, &out.Delimiter)
	out.Contents, out.CommonPrefixes = objectsOf(b, page, e, true)
	if more && q.delimiter != "" { // else it is the last key
		out.NextMarker = new(e(page[len(page)-1].name()))
	}
	return out, nil
}

// ListObjectVersions lists all versions and markers, the newest of a key first.
func (s *Service) ListObjectVersions(_ context.Context, in *api.ListObjectVersionsInput) (*api.ListObjectVersionsOutput, error) {
	snap := s.Store.Snapshot()
	b, err := find(snap, val(in.Bucket))
	if err != nil {
		return nil, err
	}
	q, err := newQuery(in.Prefix, in.Delimiter, in.MaxKeys, in.EncodingType)
	if err != nil {
		return nil, err
	}
	q.versions, q.after = true, val(in.KeyMarker)
	if id := val(in.VersionIdMarker); id != "" {
		if q.after == "" {
			return nil, errArgument("version-id-marker", id, "A version-id marker cannot be specified without a key marker.")
		}
		if err := checkVersion(&id); err != nil {
			return nil, errArgument("version-id-marker", id, "Invalid version id specified")
		}
		q.version, _ = seqOf(id)
		if o, ok := version(snap, b.Scope, b.Name, q.after, id); ok {
			q.version = o.Seq
		} else if id == "null" { // gone: everything older than the newest is still to come
			newest, _ := latest(snap, b.Scope, b.Name, q.after)
			q.version = newest.Seq + 1
		}
	}
	page, more := list(snap, b, q)
	e := encoder(in.EncodingType)
	out := &api.ListObjectVersionsOutput{
		Name: &b.Name, Prefix: new(e(q.prefix)), KeyMarker: new(e(q.after)), VersionIdMarker: new(val(in.VersionIdMarker)),
		MaxKeys: new(int32(q.limit)), IsTruncated: &more, EncodingType: in.EncodingType,
	}
	out.Delimiter = in.Delimiter
	encode(e, &out.Delimiter)
	versionsOf(out, b, page, e)
	if more {
		last := page[len(page)-1]
		out.NextKeyMarker = new(e(last.name()))
		if last.prefix == "" {
			out.NextVersionIdMarker = &last.object.Version
		}
	}
	return out, nil
}

func newQuery(prefix, delimiter *string, limit *int32, encoding api.EncodingType) (query, error) {
	q := query{prefix: val(prefix), delimiter: val(delimiter), limit: maxList}
	if limit != nil {
		if *limit < 0 {
			return q, errArgument("max-keys", decimal(int64(*limit)), "Argument max-keys must be an integer between 0 and 2147483647")
		}
		q.limit = min(int(*limit), maxList)
	}
	if encoding != "" && encoding != "url" {
		return q, errArgument("encoding-type", string(encoding), "Invalid Encoding Method specified in Request")
	}
	return q, nil
}

// objectsOf are the entries of a page as the listings of objects have them.
func objectsOf(b Bucket, page []entry, e func(string) string, owner bool) (objects []api.Object, prefixes []api.CommonPrefix) {
	for _, it := range page {
		if it.prefix != "" {
			prefixes = append(prefixes, api.CommonPrefix{Prefix: new(e(it.prefix))})
			continue
		}
		o := api.Object{
			Key: new(e(it.object.Key)), LastModified: &it.object.Modified, ETag: quoted(it.object.ETag), Size: &it.object.Size,
			StorageClass: api.ObjectStorageClass(it.object.Headers.class()),
		}
		o.ChecksumAlgorithm, o.ChecksumType = checksumOf(it.object)
		if owner {
			o.Owner = ownerOf(b.Scope.Account)
		}
		objects = append(objects, o)
	}
	return objects, prefixes
}

func checksumOf(o Object) ([]api.ChecksumAlgorithm, api.ChecksumType) {
	if o.Checksum.Algorithm == "" {
		return nil, ""
	}
	return []api.ChecksumAlgorithm{api.ChecksumAlgorithm(o.Checksum.Algorithm)}, api.ChecksumType(o.Checksum.Type)
}

func versionsOf(out *api.ListObjectVersionsOutput, b Bucket, page []entry, e func(string) string) {
	owner := ownerOf(b.Scope.Account)
	for _, it := range page {
		o := it.object
		switch {
		case it.prefix != "":
			out.CommonPrefixes = append(out.CommonPrefixes, api.CommonPrefix{Prefix: new(e(it.prefix))})
		case o.Marker:
			out.DeleteMarkers = append(out.DeleteMarkers, api.DeleteMarkerEntry{
				Key: new(e(o.Key)), VersionId: &o.Version, IsLatest: &it.newest, LastModified: &o.Modified, Owner: owner,
			})
		default:
			v := api.ObjectVersion{
				Key: new(e(o.Key)), VersionId: &o.Version, IsLatest: &it.newest, LastModified: &o.Modified, Owner: owner,
				ETag: quoted(o.ETag), Size: &o.Size, StorageClass: api.ObjectVersionStorageClass(o.Headers.class()),
			}
			v.ChecksumAlgorithm, v.ChecksumType = checksumOf(o)
			out.Versions = append(out.Versions, v)
		}
	}
}

// encoder is how keys are written: in a URL's form when the client wants that,
// since XML cannot hold every character.
func encoder(t api.EncodingType) func(string) string {
	if t != "url" {
		return func(s string) string { return s }
	}
	return func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/") }
}

func encode(e func(string) string, texts ...**string) {
	for _, t := range texts {
		if *t != nil {
			*t = new(e(**t))
		}
	}
}

// sealToken makes a continuation token of the key or prefix that a page ended
// with.
func sealToken(name string) string { return base64.StdEncoding.EncodeToString([]byte("1" + name)) }

func openToken(token string) (string, bool) {
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(raw) == 0 || raw[0] != '1' {
		return "", false
	}
	return string(raw[1:]), true
}
