package image

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/node/runtime"
)

// Mount mounts a root file system at target for the container id: img below,
// a layer of the container's own above. It may be repeated.
func (s *Store) Mount(ctx context.Context, img runtime.Image, id, target string) error {
	s.use.RLock()
	defer s.use.RUnlock()
	ctx = within(ctx)
	mounts, err := s.snaps.Prepare(ctx, id, img.Root)
	if errdefs.IsAlreadyExists(err) {
		mounts, err = s.snaps.Mounts(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("prepare root of %s: %w", id, err)
	}
	if mounted, err := isMount(target); err != nil || mounted {
		return err
	}
	if err := mount.All(mounts, target); err != nil {
		return fmt.Errorf("mount root of %s: %w", id, err)
	}
	return nil
}

// Unmount takes the root file system away and deletes what the container
// wrote. It may be repeated.
func (s *Store) Unmount(ctx context.Context, id, target string) error {
	s.use.RLock()
	defer s.use.RUnlock()
	if err := mount.UnmountAll(target, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount root of %s: %w", id, err)
	}
	if err := s.snaps.Remove(within(ctx), id); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove root of %s: %w", id, err)
	}
	return nil
}

// Mounted lists the containers that have a root file system.
func (s *Store) Mounted(ctx context.Context) ([]string, error) {
	var ids []string
	err := s.snaps.Walk(within(ctx), func(_ context.Context, info snapshots.Info) error {
		if info.Kind == snapshots.KindActive && !isUnpacking(info.Name) {
			ids = append(ids, info.Name)
		}
		return nil
	})
	if errdefs.IsNotFound(err) {
		err = nil // a snapshotter that has never held anything has no namespace yet
	}
	return ids, err
}

// isMount reports whether path is the root of a mount.
func isMount(path string) (bool, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_TYPE, &st); err != nil {
		return false, fmt.Errorf("look at %s: %w", path, err)
	}
	return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
}
