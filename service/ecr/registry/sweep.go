package registry

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"
)

// Swept says what a sweep removed.
type Swept struct {
	Blobs   int
	Bytes   int64
	Uploads int
}

// Sweep removes blobs that nobody uses and uploads idle for longer than idle.
//
// used answers from the rows as they are when it is called; it is asked while
// no new hold can be taken. A pusher holds a blob before it looks for it and
// until its row is written, so a blob is removed only if no row names it and
// no pusher relies on it.
func (b *Blobs) Sweep(idle time.Duration, used func(digest.Digest) bool) (Swept, error) {
	var out Swept
	b.mu.Lock()
	var stale []*Upload
	for _, u := range b.uploads {
		if b.now().Sub(u.used) > idle {
			stale = append(stale, u)
		}
	}
	b.mu.Unlock()
	for _, u := range stale {
		u.Cancel()
		out.Uploads++
	}
	err := filepath.WalkDir(b.blobDir(), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if d, err := ParseDigest("sha256:" + e.Name()); err == nil { // else not ours
			n, err := b.removeUnused(d, used)
			if n >= 0 && err == nil {
				out.Blobs++
				out.Bytes += n
			}
			return err
		}
		return nil
	})
	return out, err
}

// removeUnused returns the size of what it removed, or -1.
func (b *Blobs) removeUnused(d digest.Digest, used func(digest.Digest) bool) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held[d] > 0 || used(d) {
		return -1, nil
	}
	n, err := b.Size(d)
	if err != nil {
		return -1, nil
	}
	if err := b.step("remove blob"); err != nil {
		return -1, err
	}
	if err := os.Remove(b.path(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return -1, err
	}
	return n, nil
}
