// Package blob keeps the bytes of objects on disk, encrypted, in files that are
// written once. It knows no buckets and keys; service/s3 keeps those as rows
// that name blobs by id.
//
// Invariants. A blob that Commit returned for is complete and durable. A blob
// whose row was never written is garbage, which the next Open's owner removes
// with Sweep. A blob that somebody holds is not removed before it is let go, so
// that a reader reads to its end. A blob does not open without the keyring, and
// not with a byte changed, moved or missing.
package blob

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/slipway-dev/slipway/kernel/seal"
)

// Store is a directory of blobs. It is safe for concurrent use.
type Store struct {
	dir  string
	keys *seal.Keyring

	mu     sync.Mutex
	held   map[string]int
	doomed map[string]bool // to be removed when nobody holds them
}

// Open opens the directory, and makes it the first time.
func Open(dir string, keys *seal.Keyring) (*Store, error) {
	for n := range 256 {
		if err := os.MkdirAll(filepath.Join(dir, fmt.Sprintf("%02x", n)), 0o700); err != nil {
			return nil, fmt.Errorf("open the store of objects: %w", err)
		}
	}
	if err := syncDir(dir); err != nil {
		return nil, fmt.Errorf("open the store of objects: %w", err)
	}
	return &Store{dir: dir, keys: keys, held: map[string]int{}, doomed: map[string]bool{}}, nil
}

// path is where a blob lies: <dir>/ab/ab34...
func (s *Store) path(id string) string { return filepath.Join(s.dir, id[:2], id) }

// newID draws a name for a blob: 32 hexadecimal digits.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Hold keeps blobs from being removed until release is called.
func (s *Store) Hold(ids ...string) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		s.held[id]++
	}
	return sync.OnceFunc(func() { s.release(ids) })
}

func (s *Store) release(ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if s.held[id]--; s.held[id] > 0 {
			continue
		}
		delete(s.held, id)
		if s.doomed[id] {
			delete(s.doomed, id)
			_ = s.remove(id) // else Sweep gets it
		}
	}
}

// Remove removes a blob that no row names any more: now, or when the last of
// its holders lets go.
func (s *Store) Remove(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[id] > 0 {
		s.doomed[id] = true
		return nil
	}
	return s.remove(id)
}

func (s *Store) remove(id string) error {
	if err := os.Remove(s.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove blob: %w", err)
	}
	return nil
}

// Sweep removes every blob that used denies and nobody holds, and says how many
// those were. used is asked while nobody can take a new hold.
func (s *Store) Sweep(used func(id string) bool) (removed int, err error) {
	err = filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if id := e.Name(); s.held[id] == 0 && !used(id) {
			removed++
			return s.remove(id)
		}
		return nil
	})
	return removed, err
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closed := d.Close(); err == nil {
		err = closed
	}
	return err
}
