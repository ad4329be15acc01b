package image

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/slipway-dev/slipway/node/runtime"
)

// record is what the store knows of an unpacked image: a file in images/,
// named by the manifest's digest, whose time is that of the last pull.
type record struct {
	Image runtime.Image
	Blobs []digest.Digest // the manifest and the configuration
}

func (s *Store) recordPath(d digest.Digest) string {
	return filepath.Join(s.dir, "images", strings.ReplaceAll(d.String(), ":", "-")+".json")
}

// known returns an image that was unpacked before, and notes its use.
func (s *Store) known(ctx context.Context, d digest.Digest) (runtime.Image, bool) {
	path := s.recordPath(d)
	r, err := readRecord(path)
	if err != nil {
		return runtime.Image{}, false
	}
	if r.Image.Root != "" { // else it has no layer
		if _, err := s.snaps.Stat(within(ctx), r.Image.Root); err != nil {
			return runtime.Image{}, false
		}
	}
	now := time.Now()
	if err := os.Chtimes(path, now, now); err != nil {
		return runtime.Image{}, false
	}
	return r.Image, true
}

func (s *Store) remember(img runtime.Image, blobs []digest.Digest) error {
	b, err := json.Marshal(record{img, blobs})
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Join(s.dir, "images"), ".new-*")
	if err != nil {
		return fmt.Errorf("remember image: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), s.recordPath(digest.Digest(img.Digest)))
	}
	if err != nil {
		return fmt.Errorf("remember image: %w", err)
	}
	return nil
}

func readRecord(path string) (record, error) {
	var r record
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	return r, err
}
