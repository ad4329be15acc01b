package blob

import (
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
)

// Writer writes one blob. It holds the blob until Release.
type Writer struct {
	ID string

	store   *Store
	file    *os.File
	aead    cipher.AEAD
	plain   []byte // what has not filled a segment yet
	out     []byte
	number  int64
	size    int64
	release func()
}

// Create begins a blob.
func (s *Store) Create() (*Writer, error) {
	id := newID()
	f, err := os.OpenFile(s.path(id), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create blob: %w", err)
	}
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	w := &Writer{
		ID: id, store: s, file: f, aead: newCipher(key), release: s.Hold(id),
		plain: make([]byte, 0, segment), out: make([]byte, 0, segment+tag),
	}
	if _, err := f.Write(s.keys.Seal(bound(id), key)); err != nil {
		w.Abort()
		return nil, fmt.Errorf("write blob: %w", err)
	}
	return w, nil
}

// Size is how many bytes were written.
func (w *Writer) Size() int64 { return w.size }

// Write adds to the blob. A segment is written when it is known not to be the
// last one.
func (w *Writer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if len(w.plain) == segment {
			if err := w.flush(false); err != nil {
				return 0, err
			}
		}
		room := min(segment-len(w.plain), len(p))
		w.plain = append(w.plain, p[:room]...)
		p = p[room:]
	}
	w.size += int64(n)
	return n, nil
}

func (w *Writer) flush(last bool) error {
	w.out = w.aead.Seal(w.out[:0], nonce(w.number, last), w.plain, nil)
	w.number++
	w.plain = w.plain[:0]
	if _, err := w.file.Write(w.out); err != nil {
		return fmt.Errorf("write blob: %w", err)
	}
	return nil
}

// Commit makes the blob complete and durable. Nothing can be written after it.
func (w *Writer) Commit() error {
	err := w.flush(true)
	if err == nil {
		err = w.file.Sync()
	}
	if closed := w.file.Close(); err == nil {
		err = closed
	}
	w.file = nil
	if err == nil {
		err = syncDir(filepath.Dir(w.store.path(w.ID)))
	}
	if err != nil {
		w.Abort()
		return fmt.Errorf("write blob: %w", err)
	}
	return nil
}

// Release lets go of a blob whose row is written.
func (w *Writer) Release() { w.release() }

// Abort removes the blob. After Release it does nothing good: do not call it.
func (w *Writer) Abort() {
	if w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
	_ = w.store.Remove(w.ID)
	w.release()
}
