package registry

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// Upload is content on its way to become a blob. One request at a time writes
// to it; another gets ErrBusy.
type Upload struct {
	ID    string
	Owner string // what Begin was given: the repository

	b    *Blobs
	mu   sync.Mutex
	file *os.File
	hash hash.Hash
	size int64
	err  error // a failed write: the upload cannot go on
	done bool
	used time.Time // guarded by b.mu
}

func bytesReader(p []byte) io.Reader { return bytes.NewReader(p) }

// Begin starts an upload on behalf of owner; only that owner finds it again.
func (b *Blobs) Begin(owner string) (*Upload, error) {
	raw := make([]byte, 16)
	rand.Read(raw)
	id := hex.EncodeToString(raw)
	id = id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
	if err := b.step("create upload"); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(b.uploadDir(), id), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("begin upload: %w", err)
	}
	u := &Upload{ID: id, Owner: owner, b: b, file: f, hash: sha256.New()}
	b.mu.Lock()
	defer b.mu.Unlock()
	u.used = b.now()
	b.uploads[id] = u
	return u, nil
}

// Upload finds an upload of the owner, or ErrUploadUnknown.
func (b *Blobs) Upload(owner, id string) (*Upload, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.uploads[id]
	if u == nil || u.Owner != owner {
		return nil, ErrUploadUnknown
	}
	u.used = b.now()
	return u, nil
}

// Size is the number of bytes received.
func (u *Upload) Size() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.size
}

// Append adds content. at is the offset it must start at; -1 means wherever
// the upload stands. When the content breaks off, what came is kept and the
// upload goes on from its new Size.
func (u *Upload) Append(at int64, r io.Reader) (int64, error) {
	if !u.mu.TryLock() {
		return 0, ErrBusy
	}
	defer u.mu.Unlock()
	switch {
	case u.done:
		return u.size, ErrUploadUnknown
	case u.err != nil:
		return u.size, u.err
	case at >= 0 && at != u.size:
		return u.size, ErrOffset
	}
	buf := make([]byte, 128<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if werr := u.write(buf[:n]); werr != nil {
				u.err = werr
				return u.size, werr
			}
		}
		if errors.Is(err, io.EOF) {
			return u.size, nil
		}
		if err != nil {
			return u.size, fmt.Errorf("receive upload: %w", err)
		}
	}
}

func (u *Upload) write(p []byte) error {
	if err := u.b.step("write upload"); err != nil {
		return err
	}
	n, err := u.file.Write(p)
	u.hash.Write(p[:n])
	u.size += int64(n)
	if err != nil {
		return fmt.Errorf("write upload: %w", err)
	}
	return nil
}

// Commit makes the upload the blob d and returns its size. It compares the
// digest, flushes, renames and flushes the directory; then the blob is there
// for good. On ErrDigest the upload is gone.
//
// The caller holds d (Blobs.Hold) from before Commit until its row is written.
func (u *Upload) Commit(d digest.Digest) (int64, error) {
	if !u.mu.TryLock() {
		return 0, ErrBusy
	}
	defer u.mu.Unlock()
	if u.done {
		return 0, ErrUploadUnknown
	}
	if u.err != nil {
		return 0, u.err
	}
	if digest.NewDigest(digest.SHA256, u.hash) != d {
		u.end()
		return 0, ErrDigest
	}
	if err := u.publish(d); err != nil {
		u.err = err
		return 0, fmt.Errorf("commit blob %s: %w", d, err)
	}
	u.end()
	return u.size, nil
}

func (u *Upload) publish(d digest.Digest) error {
	b := u.b
	if err := b.step("flush upload"); err != nil {
		return err
	}
	if err := u.file.Sync(); err != nil {
		return err
	}
	to := b.path(d)
	if err := b.step("make directory"); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Dir(to), 0o700); err == nil {
		if err := syncDir(b.blobDir()); err != nil {
			return err
		}
	} else if !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := b.step("rename"); err != nil {
		return err
	}
	// A blob that is there already is replaced by the same bytes, which also
	// makes its age that of the newest push.
	if err := os.Rename(u.file.Name(), to); err != nil {
		return err
	}
	if err := b.step("flush directory"); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// Cancel drops the upload. After Commit, or called twice, it does nothing.
func (u *Upload) Cancel() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.done {
		u.end()
	}
}

func (u *Upload) end() {
	u.done = true
	u.file.Close()
	os.Remove(u.file.Name()) // already renamed after a commit
	u.b.mu.Lock()
	delete(u.b.uploads, u.ID)
	u.b.mu.Unlock()
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
