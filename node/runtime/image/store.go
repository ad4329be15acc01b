// Package image holds images: it pulls them from registries into containerd's
// content store, unpacks their layers with containerd's snapshotter and
// mounts root file systems for containers. There is no daemon: all of it are
// libraries in this process, under one directory.
//
// Invariants: nothing is used whose digest was not verified; a tag is
// resolved at every pull, as ECS does, but what is unpacked is never fetched
// again; an image is unpacked once, however many ask for it at the same time.
package image

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/core/snapshots/storage"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay"
	clog "github.com/containerd/log"
	"github.com/opencontainers/go-digest"
	"go.etcd.io/bbolt"
	"golang.org/x/sync/singleflight"
	"golang.org/x/sys/unix"
)

// Config of a Store.
type Config struct {
	// Dir holds everything; it must be on a file system that can be the
	// upper layer of an overlay.
	Dir string
	Log *slog.Logger
	// Keep is how long an image that no container uses stays; 0 = 24 h.
	Keep time.Duration
}

// Store is the images of one engine.
type Store struct {
	dir   string
	log   *slog.Logger
	keep  time.Duration
	blobs content.Store
	snaps snapshots.Snapshotter

	// use is held for reading while layers are fetched, unpacked or
	// mounted, and for writing while unused ones are deleted.
	use     sync.RWMutex
	flights singleflight.Group // of pulls, unpackings and blobs
	clients sync.Map           // http.RoundTripper -> *remote.Puller
	work    context.Context    // of what callers share; ends with Close
	stop    context.CancelFunc

	heldMu sync.Mutex
	held   map[digest.Digest]int // packed layers and how many pulls need them
}

// Open opens or makes the store in cfg.Dir.
//
// Neither layers nor the snapshotter's database are synced to the disk when
// written. A clean Close does that; after a crash of the machine the unpacked
// images are dropped and pulled again.
func Open(cfg Config) (*Store, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Keep == 0 {
		cfg.Keep = 24 * time.Hour
	}
	_ = clog.SetLevel("error") // it warns of every file system without fs-verity
	s := &Store{dir: cfg.Dir, log: cfg.Log, keep: cfg.Keep}
	s.work, s.stop = context.WithCancel(context.Background())
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open image store %s: %w", cfg.Dir, err)
	}
	return s, nil
}

func (s *Store) open() error {
	if err := s.dropUnsynced(); err != nil {
		return err
	}
	for _, d := range []string{"snapshots", "images"} {
		if err := os.MkdirAll(filepath.Join(s.dir, d), 0o711); err != nil {
			return err
		}
	}
	var err error
	if s.blobs, err = local.NewStore(filepath.Join(s.dir, "content")); err != nil {
		return err
	}
	snapDir := filepath.Join(s.dir, "snapshots")
	meta, err := storage.NewMetaStore(filepath.Join(snapDir, "metadata.db"), func(o *bbolt.Options) error {
		o.NoSync, o.NoFreelistSync = true, true
		o.Timeout = 5 * time.Second // another process has it
		return nil
	})
	if err != nil {
		return err
	}
	// In a user namespace it adds the mount option userxattr by itself.
	s.snaps, err = overlay.NewSnapshotter(snapDir, overlay.WithMetaStore(meta))
	return err
}

// Close ends the running pulls, syncs the store and closes it.
func (s *Store) Close() error {
	s.stop()
	s.use.Lock()
	defer s.use.Unlock()
	err := s.snaps.Close()
	d, openErr := os.Open(s.dir)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	defer d.Close()
	if syncErr := unix.Syncfs(int(d.Fd())); syncErr != nil {
		return errors.Join(err, syncErr)
	}
	return errors.Join(err, os.WriteFile(filepath.Join(s.dir, "synced"), nil, 0o600))
}

// dropUnsynced empties the store when the machine was started anew since it
// was written to, unless it was closed.
func (s *Store) dropUnsynced() error {
	now, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return err
	}
	boot, synced := filepath.Join(s.dir, "boot"), filepath.Join(s.dir, "synced")
	then, err := os.ReadFile(boot)
	if err == nil && strings.TrimSpace(string(then)) != strings.TrimSpace(string(now)) {
		if _, err := os.Stat(synced); err != nil {
			s.log.Info("the machine went down with images unsynced: they will be pulled again")
			if err := os.RemoveAll(s.dir); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(s.dir, 0o711); err != nil {
		return err
	}
	if err := os.Remove(synced); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.WriteFile(boot, now, 0o600)
}

// within adds the namespace that containerd's packages ask for.
func within(ctx context.Context) context.Context { return namespaces.WithNamespace(ctx, "slipway") }
