package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// Files is a certificate with its key in two PEM files, as App Mesh's `file`
// certificates are. They are read again when they have changed. While a
// certificate and a key do not fit, as between the writing of the two, or one
// cannot be read, the pair before stays.
type Files struct {
	chain, key string
	watched    watched[*tls.Certificate]
}

// NewFiles names the two files; nothing is read yet.
func NewFiles(chain, key string) *Files { return &Files{chain: chain, key: key} }

// Certificate is the present pair.
func (f *Files) Certificate() (*tls.Certificate, error) {
	return f.watched.get(func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(f.chain, f.key)
		if err != nil {
			return nil, fmt.Errorf("read certificate %s with key %s: %w", f.chain, f.key, err)
		}
		return &pair, nil
	}, f.chain, f.key)
}

// TrustFile is authorities in a PEM file, read again when it has changed.
type TrustFile struct {
	path    string
	watched watched[*x509.CertPool]
}

// NewTrustFile names the file; nothing is read yet.
func NewTrustFile(path string) *TrustFile { return &TrustFile{path: path} }

// Roots are the present authorities.
func (f *TrustFile) Roots() (*x509.CertPool, error) {
	return f.watched.get(func() (*x509.CertPool, error) {
		text, err := os.ReadFile(f.path)
		if err != nil {
			return nil, fmt.Errorf("read the authorities to trust: %w", err)
		}
		trust, err := ParseTrust(text)
		if err != nil {
			return nil, fmt.Errorf("read the authorities to trust in %s: %w", f.path, err)
		}
		return trust.Roots()
	}, f.path)
}

var (
	_ Source = (*Files)(nil)
	_ Source = (*Slot)(nil)
	_ Trust  = (*TrustFile)(nil)
	_ Trust  = (*Authority)(nil)
)

// watched is what was read from files last. Looking costs a stat of each, so
// it is done whenever it is asked for.
type watched[T any] struct {
	mu    sync.Mutex
	have  bool
	value T
	seen  []stamp // of what was read
}

// stamp tells one state of a file from another.
type stamp struct {
	inode    uint64
	size     int64
	modified time.Time
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	s := stamp{size: info.Size(), modified: info.ModTime()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = sys.Ino
	}
	return s
}

// get reads the files if they have changed since they were last read whole.
// Stamps are taken before reading: a change in between is seen the next time.
func (w *watched[T]) get(read func() (T, error), paths ...string) (T, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	stamps := make([]stamp, len(paths))
	changed := len(w.seen) != len(paths)
	for i, p := range paths {
		stamps[i] = stampOf(p)
		changed = changed || w.seen[i] != stamps[i]
	}
	if !changed {
		return w.value, nil
	}
	value, err := read()
	if err != nil {
		if w.have {
			return w.value, nil
		}
		return value, err
	}
	w.have, w.value, w.seen = true, value, stamps
	return value, nil
}

// fixed is trust that came in a message, such as a secret of SDS.
type fixed struct{ pool *x509.CertPool }

func (f fixed) Roots() (*x509.CertPool, error) { return f.pool, nil }

// ParseTrust reads authorities to trust from PEM.
func ParseTrust(text []byte) (Trust, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("there is no certificate in PEM")
	}
	return fixed{pool}, nil
}
