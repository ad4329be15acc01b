package seal

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Keyring is the master keys of a state directory. It may be used by many at
// once in one process; processes must not rotate at the same time.
type Keyring struct {
	path string
	mu   sync.RWMutex
	keys []master // the newest last; never empty
}

// master is a master key. Its id is the beginning of its hash.
type master struct {
	id  [idSize]byte
	key [keySize]byte
}

// The key file is text: this line, and then a key a line in base64, the newest
// last.
const keyFileHead = "slipway master keys, version 1"

// OpenKeyring reads the master keys, and makes the first one where there is no
// file. The file has mode 0600; one that others may read is refused, since
// its keys may be known.
func OpenKeyring(path string) (*Keyring, error) {
	k := &Keyring{path: path}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, k.Rotate()
	}
	if err != nil {
		return nil, fmt.Errorf("master keys: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("master keys: %s has mode %04o, so others may have read it; make it yours alone with: chmod 600 %s", path, mode, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("master keys: %w", err)
	}
	if k.keys, err = parseKeys(text); err != nil {
		return nil, fmt.Errorf("master keys: %s: %w; restore the file, without its keys nothing that they sealed can be read", path, err)
	}
	return k, nil
}

// Rotate adds a master key, which everything is sealed under from now on. What
// older keys sealed still opens; Stale tells what to seal again.
func (k *Keyring) Rotate() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var key [keySize]byte
	_, _ = rand.Read(key[:])
	keys := append(k.keys[:len(k.keys):len(k.keys)], newMaster(key))
	if err := os.MkdirAll(filepath.Dir(k.path), 0o700); err != nil {
		return fmt.Errorf("master keys: %w", err)
	}
	if err := Replace(k.path, formatKeys(keys)); err != nil {
		return fmt.Errorf("master keys: %w", err)
	}
	k.keys = keys
	return nil
}

func newMaster(key [keySize]byte) master {
	sum := sha256.Sum256(key[:])
	return master{[idSize]byte(sum[:idSize]), key}
}

func (k *Keyring) newest() master {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.keys[len(k.keys)-1]
}

func (k *Keyring) byID(id [idSize]byte) (master, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, m := range k.keys {
		if m.id == id {
			return m, true
		}
	}
	return master{}, false
}

func formatKeys(keys []master) []byte {
	out := []byte(keyFileHead + "\n")
	for _, m := range keys {
		out = append(base64.StdEncoding.AppendEncode(out, m.key[:]), '\n')
	}
	return out
}

// parseKeys reads a key file, strictly: a line that is no key is an error, and
// so is no key at all, or a last line that was cut off.
func parseKeys(text []byte) ([]master, error) {
	if !bytes.HasSuffix(text, []byte("\n")) {
		return nil, errors.New("the last line is cut off")
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	if !lines.Scan() || lines.Text() != keyFileHead {
		return nil, fmt.Errorf("the first line is not %q", keyFileHead)
	}
	var keys []master
	for lines.Scan() {
		key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(lines.Text()))
		if err != nil || len(key) != keySize {
			return nil, fmt.Errorf("line %d is not a key of %d bytes in base64", len(keys)+2, keySize)
		}
		keys = append(keys, newMaster([keySize]byte(key)))
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key in it")
	}
	return keys, nil
}
