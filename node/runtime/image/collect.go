package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
)

// ErrBusy says that images are being pulled or mounted: collect later.
var ErrBusy = errors.New("the image store is in use")

// Collect deletes the images that no container uses and that were not pulled
// for cfg.Keep, and everything else that no image needs: half-fetched blobs
// and half-unpacked layers among it. It returns how many images went.
func (s *Store) Collect(ctx context.Context, now time.Time) (int, error) {
	if !s.use.TryLock() { // waiting here would make the mounts wait for the pulls
		return 0, ErrBusy
	}
	defer s.use.Unlock()
	ctx = within(ctx)
	tree, err := s.snapshotTree(ctx)
	if err != nil {
		return 0, fmt.Errorf("collect images: %w", err)
	}
	used := map[string]bool{} // chain ids
	for name, info := range tree {
		if info.Kind == snapshots.KindActive && !isUnpacking(name) {
			used[info.Parent] = true
		}
	}
	gone, blobs := 0, map[digest.Digest]bool{}
	paths, err := filepath.Glob(filepath.Join(s.dir, "images", "*.json"))
	if err != nil {
		return 0, err
	}
	for _, path := range paths {
		st, err := os.Stat(path)
		if err != nil {
			return gone, fmt.Errorf("collect images: %w", err)
		}
		r, err := readRecord(path)
		if err != nil || !used[r.Image.Root] && now.Sub(st.ModTime()) >= s.keep {
			if err := os.Remove(path); err != nil {
				return gone, fmt.Errorf("collect images: %w", err)
			}
			gone++
			continue
		}
		used[r.Image.Root] = true
		for _, b := range r.Blobs {
			blobs[b] = true
		}
	}
	if err := s.dropSnapshots(ctx, tree, used); err != nil {
		return gone, fmt.Errorf("collect images: %w", err)
	}
	if err := s.dropBlobs(ctx, blobs); err != nil {
		return gone, fmt.Errorf("collect images: %w", err)
	}
	return gone, nil
}

// Run collects every hour until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-timer.C:
			n, err := s.Collect(ctx, now)
			switch {
			case errors.Is(err, ErrBusy):
				timer.Reset(time.Minute)
				continue
			case err != nil:
				s.log.Warn("images could not be collected", "err", err)
			case n > 0:
				s.log.Info("unused images deleted", "images", n)
			}
			timer.Reset(time.Hour)
		}
	}
}

func (s *Store) snapshotTree(ctx context.Context) (map[string]snapshots.Info, error) {
	tree := map[string]snapshots.Info{}
	err := s.snaps.Walk(ctx, func(_ context.Context, info snapshots.Info) error {
		tree[info.Name] = info
		return nil
	})
	return tree, err
}

// isUnpacking tells a layer that is being unpacked from a container's own.
func isUnpacking(name string) bool { return strings.HasPrefix(name, snapshots.UnpackKeyPrefix) }

// dropSnapshots deletes all but the containers' own and the used chains.
func (s *Store) dropSnapshots(ctx context.Context, tree map[string]snapshots.Info, used map[string]bool) error {
	keep := map[string]bool{}
	for name, info := range tree {
		if info.Kind == snapshots.KindActive && !isUnpacking(name) {
			keep[name] = true
		}
	}
	for chain := range used {
		for name := chain; name != "" && !keep[name]; name = tree[name].Parent {
			keep[name] = true
		}
	}
	for dropped := true; dropped; { // leaves first: a parent cannot go
		dropped = false
		for name := range tree {
			if keep[name] {
				continue
			}
			err := s.snaps.Remove(ctx, name)
			switch {
			case err == nil || errdefs.IsNotFound(err):
				delete(tree, name)
				dropped = true
			case !errdefs.IsFailedPrecondition(err):
				return err
			}
		}
	}
	return nil
}

func (s *Store) dropBlobs(ctx context.Context, keep map[digest.Digest]bool) error {
	var drop []digest.Digest
	err := s.blobs.Walk(ctx, func(i content.Info) error {
		if !keep[i.Digest] {
			drop = append(drop, i.Digest)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, d := range drop {
		if err := s.blobs.Delete(ctx, d); err != nil && !errdefs.IsNotFound(err) {
			return err
		}
	}
	unfinished, err := s.blobs.ListStatuses(ctx)
	if err != nil {
		return err
	}
	for _, st := range unfinished {
		if err := s.blobs.Abort(ctx, st.Ref); err != nil && !errdefs.IsNotFound(err) {
			return err
		}
	}
	return nil
}
