package s3

import (
	"context"
	"errors"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// maxDelete is how many objects DeleteObjects takes.
const maxDelete = 1000

// DeleteObject removes a version for good, or, where none is named, hides the
// object behind a marker; without versioning it removes the object.
func (s *Service) DeleteObject(_ context.Context, in *api.DeleteObjectInput) (*api.DeleteObjectOutput, error) {
	if err := checkVersion(in.VersionId); err != nil {
		return nil, err
	}
	if in.IfMatchLastModifiedTime != nil || in.IfMatchSize != nil {
		return nil, errLater("conditions of directory buckets")
	}
	var d deleted
	tail := random(16)
	err := s.Store.Update(func(tx *store.Tx) error {
		b, err := find(tx, val(in.Bucket))
		if err != nil {
			return err
		}
		c := condition{match: val(in.IfMatch)}
		if err := c.holds(tx, Object{Scope: b.Scope, Bucket: b.Name, Key: val(in.Key)}); err != nil {
			return err
		}
		d = remove(tx, b, val(in.Key), in.VersionId, tail)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.drop(d.dropped)
	return &api.DeleteObjectOutput{DeleteMarker: optTrue(d.marker), VersionId: d.version}, nil
}

// deleted says what a deletion did.
type deleted struct {
	marker  bool    // a marker was made, or one was removed
	made    bool    // the former
	version *string // of what was removed, or of the new marker
	dropped []string
}

func remove(tx *store.Tx, b Bucket, key string, id *string, tail string) (d deleted) {
	if id != nil {
		d.version = id
		if o, ok := version(tx, b.Scope, b.Name, key, *id); ok {
			d.marker, d.dropped = o.Marker, blobsOf(o.Pieces)
			Objects.Delete(tx, Objects.Key(o))
		}
		return d
	}
	if b.Versioning == "" {
		if o, ok := latest(tx, b.Scope, b.Name, key); ok {
			d.dropped = blobsOf(o.Pieces)
			Objects.Delete(tx, Objects.Key(o))
		}
		return d
	}
	m := Object{Scope: b.Scope, Bucket: b.Name, Key: key, Marker: true}
	d.dropped = place(tx, b, &m, tail)
	d.marker, d.made, d.version = true, true, &m.Version
	return d
}

// DeleteObjects removes many objects, each as DeleteObject does. What fails is
// told in the answer.
func (s *Service) DeleteObjects(ctx context.Context, in *api.DeleteObjectsInput) (*api.DeleteObjectsOutput, error) {
	if in.Delete == nil || len(in.Delete.Objects) == 0 || len(in.Delete.Objects) > maxDelete {
		return nil, errXML()
	}
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	out := &api.DeleteObjectsOutput{}
	var todo []api.ObjectIdentifier
	for _, o := range in.Delete.Objects {
		err := s.mayDelete(ctx, b, o)
		if err == nil {
			err = checkVersion(o.VersionId)
		}
		if err == nil && (o.LastModifiedTime != nil || o.Size != nil) {
			err = errLater("conditions of directory buckets")
		}
		if err != nil {
			out.Errors = append(out.Errors, failedDelete(o, err))
			continue
		}
		todo = append(todo, o)
	}
	if err := s.deleteAll(b, todo, val(in.Delete.Quiet), out); err != nil {
		return nil, err
	}
	return out, nil
}

// deleteAll removes objects in one transaction.
func (s *Service) deleteAll(b Bucket, todo []api.ObjectIdentifier, quiet bool, out *api.DeleteObjectsOutput) error {
	if len(todo) == 0 {
		return nil
	}
	tail := random(16)
	var dropped []string
	var done []api.DeletedObject
	var failed []api.Error
	err := s.Store.Update(func(tx *store.Tx) error {
		dropped, done, failed = nil, nil, nil
		b, err := find(tx, b.Name)
		if err != nil {
			return err
		}
		for _, o := range todo {
			c := condition{match: val(o.ETag)}
			if err := c.holds(tx, Object{Scope: b.Scope, Bucket: b.Name, Key: val(o.Key)}); err != nil {
				failed = append(failed, failedDelete(o, err))
				continue
			}
			d := remove(tx, b, val(o.Key), o.VersionId, tail)
			dropped = append(dropped, d.dropped...)
			entry := api.DeletedObject{Key: o.Key, VersionId: o.VersionId, DeleteMarker: optTrue(d.marker)}
			if d.marker {
				entry.DeleteMarkerVersionId = d.version
			}
			done = append(done, entry)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.drop(dropped)
	out.Errors = append(out.Errors, failed...)
	if !quiet {
		out.Deleted = done
	}
	return nil
}

func failedDelete(o api.ObjectIdentifier, err error) api.Error {
	code, message := "InternalError", "We encountered an internal error. Please try again."
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		code, message = e.Code, e.Message
	}
	return api.Error{Key: o.Key, VersionId: o.VersionId, Code: &code, Message: &message}
}
