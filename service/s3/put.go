package s3

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// maxKey bounds an object's key in bytes.
const maxKey = 1024

func checkKey(key string) error {
	if len(key) > maxKey {
		return fault(400, "KeyTooLongError", "Your key is too long", "Size", decimal(int64(len(key))), "MaxSizeAllowed", decimal(maxKey))
	}
	if !utf8.ValidString(key) {
		return fault(400, "InvalidURI", "Couldn't parse the specified URI.")
	}
	return nil
}

// fallbackChecksum is what S3 computes when a request names no algorithm.
const fallbackChecksum = "CRC64NVME"

// PutObject stores an object: a new version where versioning is on, else in
// place of the one that is there.
func (s *Service) PutObject(ctx context.Context, in *api.PutObjectInput) (*api.PutObjectOutput, error) {
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	o, err := s.draft(ctx, b, *in.Key, in)
	if err != nil {
		return nil, err
	}
	c := condition{match: val(in.IfMatch), noneMatch: val(in.IfNoneMatch)}
	if err := c.holds(s.Store.Snapshot(), o); err != nil { // before the body is read
		return nil, err
	}
	want, err := expect(ctx, in, fallbackChecksum)
	if err != nil {
		return nil, err
	}
	body, err := s.receive(in.Body, in.ContentLength, want)
	if err != nil {
		return nil, err
	}
	o.Size, o.ETag, o.Pieces, o.Checksum = body.size, body.etag, body.pieces(), body.checksum
	if err := s.commit(&o, c, nil); err != nil {
		body.abort()
		return nil, err
	}
	body.release()
	out := &api.PutObjectOutput{ETag: quoted(o.ETag), VersionId: versionOf(o), Expiration: s.expiration(b, o)}
	setChecksum(out, o.Checksum)
	o.Encryption.answer(out)
	return out, nil
}

// draft is a new object of a request, without contents.
func (s *Service) draft(ctx context.Context, b Bucket, key string, in any) (o Object, err error) {
	if err := checkKey(key); err != nil {
		return o, err
	}
	o = Object{Scope: b.Scope, Bucket: b.Name, Key: key}
	if o.Headers, err = headersOf(in); err != nil {
		return o, err
	}
	if o.Encryption, err = s.encryption(ctx, b, in); err != nil {
		return o, err
	}
	if o.ACL, err = cannedACL(b, member(in, "ACL"), in); err != nil {
		return o, err
	}
	o.Tags, err = parseTagging(member(in, "Tagging"))
	return o, err
}

// condition is what a request demands of the object that it replaces.
type condition struct{ match, noneMatch string }

func (c condition) holds(r store.Reader, o Object) error {
	if c.match == "" && c.noneMatch == "" {
		return nil
	}
	there, ok := latest(r, o.Scope, o.Bucket, o.Key)
	ok = ok && !there.Marker
	if c.noneMatch != "" {
		if c.noneMatch != "*" {
			return errLater("If-None-Match with an ETag")
		}
		if ok {
			return errPrecondition("If-None-Match")
		}
	}
	if c.match != "" {
		if !ok {
			return errNoSuchKey(o.Key)
		}
		if !sameETag(c.match, there.ETag) {
			return errPrecondition("If-Match")
		}
	}
	return nil
}

// commit makes o the newest version of its key, and gives it its place, time
// and version id. extra is done in the same transaction.
func (s *Service) commit(o *Object, c condition, extra func(tx *store.Tx) ([]string, error)) error {
	var dropped []string
	tail := random(16)
	err := s.Store.Update(func(tx *store.Tx) error {
		dropped = nil
		b, err := find(tx, o.Bucket)
		if err != nil {
			return err
		}
		if err := c.holds(tx, *o); err != nil {
			return err
		}
		if extra != nil {
			if dropped, err = extra(tx); err != nil {
				return err
			}
		}
		dropped = append(dropped, place(tx, b, o, tail)...)
		return nil
	})
	if err != nil {
		return err
	}
	s.drop(dropped)
	return nil
}

// place writes o as the newest version and returns the blobs of the one that it
// replaces.
func place(tx *store.Tx, b Bucket, o *Object, tail string) (dropped []string) {
	o.Modified = now()
	newest, there := latest(tx, o.Scope, o.Bucket, o.Key)
	o.Seq = newest.Seq + 1
	if b.Versioning == "Enabled" {
		o.Version = versionID(o.Seq, tail)
		Objects.Put(tx, *o)
		return nil
	}
	o.Version = "null"
	if there {
		if old, ok := version(tx, o.Scope, o.Bucket, o.Key, "null"); ok {
			if old.Seq == newest.Seq {
				o.Seq = old.Seq
			}
			dropped = blobsOf(old.Pieces)
			Objects.Delete(tx, Objects.Key(old))
		}
	}
	Objects.Put(tx, *o)
	return dropped
}

// latest is the newest version of an object, which may be a marker.
func latest(r store.Reader, scope arn.Scope, bucket, key string) (Object, bool) {
	for o := range Objects.List(r, versionsKey(scope, bucket, key)) {
		return o, true
	}
	return Object{}, false
}

// version is the version of an object with an id.
func version(r store.Reader, scope arn.Scope, bucket, key, id string) (Object, bool) {
	if seq, ok := seqOf(id); ok {
		o, err := Objects.Get(r, versionKey(scope, bucket, key, seq))
		return o, err == nil && o.Version == id
	}
	for o := range Objects.List(r, versionsKey(scope, bucket, key)) {
		if o.Version == id {
			return o, true
		}
	}
	return Object{}, false
}

// versionID makes an id of 32 characters that says where in the order of
// versions it is, also when the version is gone: listings go on from there.
func versionID(seq uint64, tail string) string {
	raw := make([]byte, 24)
	copy(raw[8:], tail)
	binary.BigEndian.PutUint64(raw, seq^binary.BigEndian.Uint64(raw[8:]))
	return base64.URLEncoding.EncodeToString(raw)
}

// seqOf reads the place out of a version id; false for "null" and what is no id.
func seqOf(id string) (uint64, bool) {
	raw, err := base64.URLEncoding.DecodeString(id)
	if err != nil || len(raw) != 24 {
		return 0, false
	}
	return binary.BigEndian.Uint64(raw) ^ binary.BigEndian.Uint64(raw[8:]), true
}

// checkVersion refuses what cannot be a version id.
func checkVersion(id *string) error {
	if id == nil || *id == "null" {
		return nil
	}
	if _, ok := seqOf(*id); !ok {
		return errArgument("versionId", *id, "Invalid version id specified")
	}
	return nil
}

// versionOf is the version id as answers have it: none where there never was
// versioning.
func versionOf(o Object) *string {
	if o.Version == "null" {
		return nil
	}
	return &o.Version
}

func quoted(etag string) *string { return new(`"` + etag + `"`) }

// sameETag compares an ETag of a request, quoted or not.
func sameETag(given, etag string) bool {
	given = strings.TrimPrefix(strings.TrimSpace(given), "W/")
	return given == "*" || strings.Trim(given, `"`) == etag
}
