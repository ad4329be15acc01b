package blob

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrDamaged says that a blob is not what was written.
var ErrDamaged = errors.New("the stored bytes are damaged")

// Reader reads a range of a blob.
type Reader struct {
	file   *os.File
	aead   cipher.AEAD
	size   int64 // of the whole blob
	left   int64 // bytes to give out
	number int64 // of the next segment
	skip   int   // bytes of the next segment before the range
	plain  []byte
	in     []byte
	out    []byte
}

// Read opens length bytes of a blob of the given size, beginning at from. The
// caller holds the blob until the reader is closed.
func (s *Store) Read(id string, size, from, length int64) (*Reader, error) {
	f, err := os.Open(s.path(id))
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	r, err := s.reader(f, id, size, from, length)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("open blob %s: %w", id, err)
	}
	return r, nil
}

func (s *Store) reader(f *os.File, id string, size, from, length int64) (*Reader, error) {
	head := make([]byte, sealed)
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, ErrDamaged
	}
	key, err := s.keys.Open(bound(id), head)
	if err != nil {
		return nil, err
	}
	r := &Reader{
		file: f, aead: newCipher(key), size: size, left: length, number: from / segment, skip: int(from % segment),
		in: make([]byte, segment+tag), out: make([]byte, 0, segment),
	}
	_, err = f.Seek(sealed+r.number*(segment+tag), io.SeekStart)
	return r, err
}

// Read gives out decrypted bytes; ErrDamaged instead of any that were changed.
func (r *Reader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	if len(r.plain) == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.plain[:min(int64(len(r.plain)), r.left)])
	r.plain = r.plain[n:]
	r.left -= int64(n)
	return n, nil
}

func (r *Reader) next() error {
	rest := r.size - r.number*segment
	last := rest <= segment
	in := r.in[:min(rest, segment)+tag]
	if _, err := io.ReadFull(r.file, in); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return ErrDamaged
		}
		return fmt.Errorf("read blob: %w", err)
	}
	plain, err := r.aead.Open(r.out[:0], nonce(r.number, last), in, nil)
	if err != nil {
		return ErrDamaged
	}
	r.number++
	r.plain, r.skip = plain[r.skip:], 0
	return nil
}

// Close ends the reading.
func (r *Reader) Close() error { return r.file.Close() }
