package s3

import (
	"context"
	"io"
	"net/http"
	"time"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/s3/blob"
)

// GetObject gives an object, or a range or a part of it.
func (s *Service) GetObject(ctx context.Context, in *api.GetObjectInput) (*api.GetObjectOutput, error) {
	o, release, err := s.holdObject(ctx, in.Bucket, in.Key, in.VersionId)
	if err != nil {
		return nil, err
	}
	head, err := s.describe(ctx, o, in)
	if err != nil {
		release()
		return nil, err
	}
	out := &api.GetObjectOutput{}
	fill(out, head.out)
	override(out, in)
	out.Body = &contents{blobs: s.blobs, pieces: cut(o.Pieces, head.from, head.length), release: release}
	return out, nil
}

// HeadObject is GetObject without the contents.
func (s *Service) HeadObject(ctx context.Context, in *api.HeadObjectInput) (*api.HeadObjectOutput, error) {
	o, err := s.object(ctx, s.Store.Snapshot(), in.Bucket, in.Key, in.VersionId)
	if err != nil {
		return nil, err
	}
	get := &api.GetObjectInput{}
	fill(get, in)
	head, err := s.describe(ctx, o, get)
	if err != nil {
		return nil, err
	}
	for _, o := range []struct{ to, from *string }{
		{head.out.ContentType, in.ResponseContentType}, {head.out.ContentEncoding, in.ResponseContentEncoding},
	} {
		if o.to != nil && o.from != nil {
			*o.to = *o.from
		}
	}
	return head.out, nil
}

// override puts the headers that the request wants in place of the object's.
func override(out *api.GetObjectOutput, in *api.GetObjectInput) {
	for _, o := range []struct{ to, from **string }{
		{&out.CacheControl, &in.ResponseCacheControl},
		{&out.ContentDisposition, &in.ResponseContentDisposition},
		{&out.ContentEncoding, &in.ResponseContentEncoding},
		{&out.ContentLanguage, &in.ResponseContentLanguage},
		{&out.ContentType, &in.ResponseContentType},
	} {
		if *o.from != nil {
			*o.to = *o.from
		}
	}
	if in.ResponseExpires != nil {
		out.Expires = new(in.ResponseExpires.UTC().Format(http.TimeFormat))
	}
}

// object finds a version of an object, the newest when none is named.
func (s *Service) object(ctx context.Context, r store.Reader, bucket, key, id *string) (Object, error) {
	b, err := find(r, val(bucket))
	if err != nil {
		return Object{}, err
	}
	if err := checkVersion(id); err != nil {
		return Object{}, err
	}
	if id != nil {
		o, ok := version(r, b.Scope, b.Name, val(key), *id)
		if !ok {
			return o, errNoSuchVersion(val(key), *id)
		}
		if o.Marker {
			awsapi.SetHeader(ctx, "X-Amz-Delete-Marker", "true")
			awsapi.SetHeader(ctx, "X-Amz-Version-Id", o.Version)
			awsapi.SetHeader(ctx, "Allow", "DELETE")
			awsapi.SetHeader(ctx, "Last-Modified", o.Modified.Format(http.TimeFormat))
			return o, fault(405, "MethodNotAllowed", "The specified method is not allowed against this resource.", "Method", "GET", "ResourceType", "DeleteMarker")
		}
		return o, nil
	}
	o, ok := latest(r, b.Scope, b.Name, val(key))
	if ok && o.Marker {
		awsapi.SetHeader(ctx, "X-Amz-Delete-Marker", "true")
		awsapi.SetHeader(ctx, "X-Amz-Version-Id", o.Version)
	}
	if !ok || o.Marker {
		return o, errNoSuchKey(val(key))
	}
	return o, nil
}

// holdObject finds an object whose bytes stay until release.
func (s *Service) holdObject(ctx context.Context, bucket, key, id *string) (o Object, release func(), err error) {
	for {
		if o, err = s.object(ctx, s.Store.Snapshot(), bucket, key, id); err != nil {
			return o, nil, err
		}
		ids := blobsOf(o.Pieces)
		release = s.blobs.Hold(ids...)
		// Held after it was found: it may have been replaced in between.
		if len(ids) == 0 || named(s.Store.Snapshot(), ids[0]) {
			return o, release, nil
		}
		release()
	}
}

// description is an object, or a stretch of it, as an answer has it.
type description struct {
	out          *api.HeadObjectOutput
	from, length int64
}

// describe applies conditions, range and part number to an object.
func (s *Service) describe(ctx context.Context, o Object, in *api.GetObjectInput) (d description, err error) {
	if err := refuseUnserved(in); err != nil {
		return d, err
	}
	if err := conditions(ctx, o, in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince); err != nil {
		return d, err
	}
	d.out = &api.HeadObjectOutput{
		AcceptRanges: new("bytes"), LastModified: &o.Modified, ETag: quoted(o.ETag), VersionId: versionOf(o),
	}
	o.Headers.answer(d.out)
	o.Encryption.answer(d.out)
	if n := len(o.Tags); n > 0 {
		d.out.TagCount = new(int32(n))
	}
	if b, err := find(s.Store.Snapshot(), o.Bucket); err == nil {
		d.out.Expiration = s.expiration(b, o)
	}
	d.length = o.Size
	whole := true
	switch {
	case in.PartNumber != nil && in.Range != nil:
		return d, errRequest("Cannot specify both Range header and partNumber query parameter")
	case in.PartNumber != nil:
		whole, err = d.part(o, *in.PartNumber)
	case in.Range != nil:
		var ok bool
		if d.from, d.length, ok, err = parseRange(*in.Range, o.Size); ok {
			whole = false
			d.out.ContentRange = contentRange(d.from, d.length, o.Size)
		}
	}
	if in.ChecksumMode == api.ChecksumModeEnabled && whole {
		setChecksum(d.out, o.Checksum)
	}
	d.out.ContentLength = &d.length
	return d, err
}

// part narrows a description to one part; an object that was put at once has
// one.
func (d *description) part(o Object, number int32) (whole bool, err error) {
	if !o.Parted {
		if number != 1 {
			return false, errPart()
		}
		d.out.ContentRange = contentRange(0, o.Size, o.Size)
		return true, nil
	}
	d.out.PartsCount = new(int32(len(o.Pieces)))
	for _, p := range o.Pieces {
		if p.Number == number {
			d.length = p.Size
			d.out.ContentRange = contentRange(d.from, d.length, o.Size)
			return false, nil
		}
		d.from += p.Size
	}
	return false, errPart()
}

func errPart() error {
	return fault(416, "InvalidPartNumber", "The requested partnumber is not satisfiable")
}

func contentRange(from, length, size int64) *string {
	if size == 0 {
		return nil
	}
	return new("bytes " + decimal(from) + "-" + decimal(from+length-1) + "/" + decimal(size))
}

// conditions are those of HTTP, in its order of precedence (RFC 9110, 13.2.2):
// an ETag that matches outweighs a time.
func conditions(ctx context.Context, o Object, match, noneMatch *string, modified, unmodified *time.Time) error {
	since := o.Modified
	switch {
	case match != nil:
		if !anyETag(*match, o.ETag) {
			return errPrecondition("If-Match")
		}
	case unmodified != nil && since.After(unmodified.Truncate(time.Second)):
		return errPrecondition("If-Unmodified-Since")
	}
	unchanged := false
	if noneMatch != nil {
		unchanged = anyETag(*noneMatch, o.ETag)
	} else if modified != nil {
		unchanged = !since.After(modified.Truncate(time.Second))
	}
	if unchanged {
		awsapi.SetHeader(ctx, "Etag", *quoted(o.ETag))
		awsapi.SetHeader(ctx, "Last-Modified", o.Modified.Format(http.TimeFormat))
		return fault(http.StatusNotModified, "NotModified", "Not Modified")
	}
	return nil
}

// contents reads the pieces of an object one after the other.
type contents struct {
	blobs   *blob.Store
	pieces  []Piece
	current *blob.Reader
	release func()
}

func (c *contents) Read(p []byte) (int, error) {
	for {
		if c.current == nil {
			if len(c.pieces) == 0 {
				return 0, io.EOF
			}
			next := c.pieces[0]
			r, err := c.blobs.Read(next.Blob, next.BlobSize, next.From, next.Size)
			if err != nil {
				return 0, err
			}
			c.current, c.pieces = r, c.pieces[1:]
		}
		n, err := c.current.Read(p)
		if n > 0 || err != io.EOF { //nolint:errorlint // a reader's own end
			return n, err
		}
		_ = c.current.Close()
		c.current = nil
	}
}

func (c *contents) Close() error {
	if c.current != nil {
		_ = c.current.Close()
	}
	c.release()
	return nil
}

// cut is the stretch of length bytes of pieces that begins at from.
func cut(pieces []Piece, from, length int64) []Piece {
	var out []Piece
	for _, p := range pieces {
		if length == 0 {
			break
		}
		if from >= p.Size {
			from -= p.Size
			continue
		}
		p.From += from
		p.Size = min(p.Size-from, length)
		from, length = 0, length-p.Size
		out = append(out, p)
	}
	return out
}
