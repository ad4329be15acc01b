package ecr

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/service/ecr/registry"
)

// blob serves a layer or a configuration, with ranges.
func (c *call) blob() error {
	if c.r.Method == http.MethodDelete {
		return errV2{http.StatusMethodNotAllowed, "UNSUPPORTED", "the operation is unsupported"}
	}
	d, err := registry.ParseDigest(c.last)
	if err != nil {
		return errBadDigest(c.last)
	}
	repo, err := find(c.store.Snapshot(), c.scope, c.name)
	if err != nil {
		return err
	}
	if _, err := c.layer(repo, d); err != nil {
		return registry.ErrBlobUnknown
	}
	f, err := c.blobs.Open(d)
	if err != nil {
		return err
	}
	defer f.Close()
	h := c.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Docker-Content-Digest", string(d))
	h.Set("Etag", `"`+string(d)+`"`)
	http.ServeContent(c.w, c.r, "", time.Time{}, f)
	return nil
}

func (c *call) owner() string { return c.scope.Key(c.name) }

// upload serves the five verbs of an upload.
func (c *call) upload() error {
	if (c.r.Method == http.MethodPost) != (c.last == "") {
		return errV2{http.StatusMethodNotAllowed, "UNSUPPORTED", "the operation is unsupported"}
	}
	if c.r.Method == http.MethodPost {
		return c.beginUpload()
	}
	u, err := c.blobs.Upload(c.owner(), c.last)
	if err != nil {
		return err
	}
	switch c.r.Method {
	case http.MethodGet:
		c.progress(u.ID, u.Size())
		c.w.WriteHeader(http.StatusNoContent)
	case http.MethodDelete:
		u.Cancel()
		c.w.WriteHeader(http.StatusNoContent)
	case http.MethodPatch:
		size, err := c.receive(u)
		if err != nil {
			return err
		}
		c.progress(u.ID, size)
		c.w.WriteHeader(http.StatusAccepted)
	case http.MethodPut:
		if _, err := registry.ParseDigest(c.r.URL.Query().Get("digest")); err != nil {
			return errBadDigest(c.r.URL.Query().Get("digest"))
		}
		if _, err := c.receive(u); err != nil {
			return err
		}
		return c.finish(u)
	}
	return nil
}

// beginUpload mounts a layer, takes one whole, or begins an upload.
func (c *call) beginUpload() error {
	q := c.r.URL.Query()
	if from := q.Get("from"); q.Get("mount") != "" && from != "" {
		scope, name := c.repository(c.r.Host, from)
		if d, err := registry.ParseDigest(q.Get("mount")); err == nil && scope == c.scope {
			err := c.mount(scope, name, c.name, d)
			if err == nil {
				c.created("/blobs/", string(d))
				return nil
			}
			if !errors.Is(err, registry.ErrBlobUnknown) {
				return err
			}
		}
	}
	if d := q.Get("digest"); d != "" {
		if _, err := registry.ParseDigest(d); err != nil {
			return errBadDigest(d)
		}
	}
	u, err := c.blobs.Begin(c.owner())
	if err != nil {
		return err
	}
	if q.Get("digest") != "" {
		if _, err := c.receive(u); err != nil {
			u.Cancel()
			return err
		}
		return c.finish(u)
	}
	c.progress(u.ID, 0)
	c.w.Header().Set("Docker-Upload-Uuid", u.ID)
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}

// receive takes the request's body as the next chunk.
func (c *call) receive(u *registry.Upload) (int64, error) {
	at, err := chunkStart(c.r)
	if err != nil {
		return 0, err
	}
	size, err := u.Append(at, c.r.Body)
	if errors.Is(err, registry.ErrOffset) {
		c.progress(u.ID, size)
		return size, errV2{http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", "the chunk does not begin where the last one ended"}
	}
	if err == nil || errors.Is(err, registry.ErrUploadUnknown) || errors.Is(err, registry.ErrBusy) {
		return size, err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return size, errV2{http.StatusBadRequest, "SIZE_INVALID", "the body ended before its length"}
	}
	return size, err
}

// chunkStart reads Content-Range: "0-99", as the specification has it, or
// "bytes 0-99/*"; -1 when there is none.
func chunkStart(r *http.Request) (int64, error) {
	text := r.Header.Get("Content-Range")
	if text == "" {
		return -1, nil
	}
	bad := errV2{http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", "invalid Content-Range '" + text + "'"}
	span, _, _ := strings.Cut(strings.TrimPrefix(text, "bytes "), "/")
	a, b, ok := strings.Cut(span, "-")
	first, err := strconv.ParseInt(a, 10, 64)
	last, err2 := strconv.ParseInt(b, 10, 64)
	if !ok || err != nil || err2 != nil || first < 0 || last < first-1 {
		return 0, bad
	}
	if r.ContentLength >= 0 && last-first+1 != r.ContentLength {
		return 0, bad
	}
	return first, nil
}

func (c *call) finish(u *registry.Upload) error {
	d, err := registry.ParseDigest(c.r.URL.Query().Get("digest"))
	if err != nil {
		return errBadDigest(c.r.URL.Query().Get("digest"))
	}
	if err := c.link(c.scope, c.name, u, d); err != nil {
		return err
	}
	c.created("/blobs/", string(d))
	return nil
}

// progress tells where an upload stands.
func (c *call) progress(id string, size int64) {
	h := c.w.Header()
	h.Set("Location", c.path+"/blobs/uploads/"+id)
	h.Set("Range", fmt.Sprintf("0-%d", max(size-1, 0)))
}

func (c *call) created(kind, d string) {
	h := c.w.Header()
	h.Set("Location", c.path+kind+d)
	h.Set("Docker-Content-Digest", d)
	c.w.WriteHeader(http.StatusCreated)
}
