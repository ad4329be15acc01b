// Package registry keeps the bytes of an image registry on disk: blobs by the
// digest of their content, and uploads that become blobs. It knows no
// repositories, tags or accounts; service/ecr keeps those as rows.
//
// Invariants. A file below blobs/ is complete, durable and hashes to its
// name: it gets there only by a rename, after its bytes were flushed and its
// digest compared. Uploads do not outlive the process. A blob that somebody
// holds (Hold) is never swept away, so a caller that holds, looks, and then
// writes its row cannot lose the blob in between.
package registry

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// What the store of blobs answers.
var (
	ErrBlobUnknown   = errors.New("blob unknown")
	ErrUploadUnknown = errors.New("upload unknown")
	ErrDigest        = errors.New("content does not match the digest")
	ErrOffset        = errors.New("chunk does not follow the last one")
	ErrBusy          = errors.New("another request writes to this upload")
)

// Config of a Blobs.
type Config struct {
	Dir string       // state directory; made when missing
	Log *slog.Logger // default: slog.Default()
	// Now is the clock for the age of uploads; default time.Now.
	Now func() time.Time
}

// Blobs is a directory of content-addressed files and the uploads under way.
type Blobs struct {
	dir string
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	held    map[digest.Digest]int
	uploads map[string]*Upload

	// step is called before every change on disk; tests stop there.
	step func(string) error
}

// Open opens or creates the directory and removes what uploads left behind
// when the process ended in their middle.
func Open(cfg Config) (*Blobs, error) {
	b := &Blobs{
		dir: cfg.Dir, log: cfg.Log, now: cfg.Now,
		held: map[digest.Digest]int{}, uploads: map[string]*Upload{},
		step: func(string) error { return nil },
	}
	if b.log == nil {
		b.log = slog.Default()
	}
	if b.now == nil {
		b.now = time.Now
	}
	if err := os.RemoveAll(b.uploadDir()); err != nil {
		return nil, fmt.Errorf("remove interrupted uploads: %w", err)
	}
	for _, d := range []string{b.uploadDir(), b.blobDir()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("open registry storage: %w", err)
		}
	}
	if err := syncDir(b.dir); err != nil {
		return nil, fmt.Errorf("open registry storage: %w", err)
	}
	return b, nil
}

func (b *Blobs) uploadDir() string { return filepath.Join(b.dir, "uploads") }
func (b *Blobs) blobDir() string   { return filepath.Join(b.dir, "blobs", "sha256") }

// path is where a blob lives: blobs/sha256/ab/abcdef...
func (b *Blobs) path(d digest.Digest) string {
	hex := d.Encoded()
	return filepath.Join(b.blobDir(), hex[:2], hex)
}

// ParseDigest reads a digest that this store can keep: sha256 and lower-case hex.
func ParseDigest(s string) (digest.Digest, error) {
	d, err := digest.Parse(s)
	if err != nil || d.Algorithm() != digest.SHA256 {
		return "", fmt.Errorf("%q is not a sha256 digest", s)
	}
	return d, nil
}

// Size is the length of a blob in bytes, or ErrBlobUnknown.
func (b *Blobs) Size(d digest.Digest) (int64, error) {
	st, err := os.Stat(b.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, ErrBlobUnknown
	}
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// Open opens a blob for reading; the caller closes it. A blob removed
// meanwhile stays readable through the open file.
func (b *Blobs) Open(d digest.Digest) (*os.File, error) {
	f, err := os.Open(b.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrBlobUnknown
	}
	return f, err
}

// Read returns a small blob whole, at most limit bytes.
func (b *Blobs) Read(d digest.Digest, limit int64) ([]byte, error) {
	f, err := b.Open(d)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("blob %s is larger than %d bytes", d, limit)
	}
	return data, err
}

// Hold keeps a blob, present or to come, from being swept until release is called.
func (b *Blobs) Hold(d digest.Digest) (release func()) {
	b.mu.Lock()
	b.held[d]++
	b.mu.Unlock()
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.held[d]--; b.held[d] == 0 {
			delete(b.held, d)
		}
	})
}

// Put stores a small blob, such as a manifest. The caller holds it until its
// row is written.
func (b *Blobs) Put(d digest.Digest, data []byte) error {
	if digest.FromBytes(data) != d {
		return ErrDigest
	}
	if _, err := b.Size(d); err == nil {
		return nil
	}
	u, err := b.Begin("")
	if err != nil {
		return err
	}
	defer u.Cancel()
	if _, err := u.Append(-1, bytesReader(data)); err != nil {
		return err
	}
	_, err = u.Commit(d)
	return err
}
