package runc

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/containerd/continuity/fs"

	"github.com/slipway-dev/slipway/node/runtime"
)

// record is what the driver keeps of a container, in slipway.json in its
// bundle. The file is written last: a bundle without it is half made.
type record struct {
	ID         string
	Group      string
	Cgroup     string // path below the hierarchies' mounts; "" = none
	Digest     string
	StopSignal string
	OwnHome    bool // HOME is the image's or the definition's, not the user's
}

const recordFile = "slipway.json"

func (d *Driver) bundle(id string) string { return filepath.Join(d.cfg.Dir, "bundles", id) }
func (d *Driver) rootfs(id string) string { return filepath.Join(d.bundle(id), "rootfs") }

func (d *Driver) record(id string) (record, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, ok := d.records[id]
	return r, ok
}

func (d *Driver) allRecords() []record {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]record, 0, len(d.records))
	for _, r := range d.records {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b record) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Create mounts the root file system and writes the bundle.
func (d *Driver) Create(ctx context.Context, spec runtime.Spec) error {
	if _, ok := d.record(spec.ID); ok {
		return nil
	}
	if err := d.create(ctx, spec); err != nil {
		// Nothing of it may stay, and nothing depends on its going.
		return errors.Join(fmt.Errorf("create %s: %w", spec.ID, err), d.Remove(context.WithoutCancel(ctx), spec.ID))
	}
	return nil
}

func (d *Driver) create(ctx context.Context, spec runtime.Spec) (err error) {
	if err := runtime.CheckID(spec.ID); err != nil {
		return err
	}
	process, err := spec.Resolve()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(d.rootfs(spec.ID), 0o711); err != nil {
		return err
	}
	if err := d.cfg.Images.Mount(ctx, spec.Image, spec.ID, d.rootfs(spec.ID)); err != nil {
		return err
	}
	for _, m := range spec.Mounts {
		if m.CopyUp {
			if err := copyUp(d.rootfs(spec.ID), m); err != nil {
				return fmt.Errorf("fill volume at %s: %w", m.Target, err)
			}
		}
	}
	r := record{ID: spec.ID, Group: spec.Group.ID, Digest: spec.Image.Digest, StopSignal: spec.Image.Config.StopSignal}
	if d.cgroups != nil {
		defer func() {
			if err != nil && r.Cgroup != "" {
				d.cgroups.remove(r.Cgroup)
			}
		}()
		if r.Cgroup, err = d.cgroups.make(spec); err != nil {
			return fmt.Errorf("make cgroup: %w", err)
		}
	}
	r.OwnHome = slices.ContainsFunc(process.Env, func(v string) bool { return strings.HasPrefix(v, "HOME=") })
	oci, err := d.ociSpec(spec, process, r)
	if err != nil {
		return err
	}
	if err = writeJSON(filepath.Join(d.bundle(spec.ID), "config.json"), oci); err != nil {
		return err
	}
	if err = writeJSON(filepath.Join(d.bundle(spec.ID), recordFile), r); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records[spec.ID] = r
	return nil
}

// writeJSON writes a file at once or not at all.
func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// copyUp fills an empty volume with what the image has in its place.
func copyUp(root string, m runtime.Mount) error {
	entries, err := os.ReadDir(m.Source)
	if err != nil || len(entries) > 0 {
		return err
	}
	from, err := fs.RootPath(root, m.Target)
	if err != nil {
		return err
	}
	if st, err := os.Stat(from); err != nil || !st.IsDir() {
		return nil //nolint:nilerr // the image has nothing there
	}
	return fs.CopyDir(m.Source, from)
}

// Remove ends the container and deletes its traces but the log.
func (d *Driver) Remove(ctx context.Context, id string) error {
	if err := runtime.CheckID(id); err != nil {
		return err
	}
	if err := d.remove(ctx, id); err != nil {
		return fmt.Errorf("remove %s: %w", id, err)
	}
	return nil
}

func (d *Driver) remove(ctx context.Context, id string) error {
	// A bundle without its record counts as half made from here on: when the
	// engine ends now, restore finishes this.
	err := os.Remove(filepath.Join(d.bundle(id), recordFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := d.kill(ctx, id); err != nil {
		return err
	}
	if err := d.cfg.Launcher.Forget(ctx, id); err != nil {
		return err
	}
	if err := d.cfg.Images.Unmount(ctx, id, d.rootfs(id)); err != nil {
		return err
	}
	if mounted, err := isMount(d.rootfs(id)); err != nil || mounted {
		return errors.Join(fmt.Errorf("%s is still mounted", d.rootfs(id)), err)
	}
	if err := os.RemoveAll(d.bundle(id)); err != nil {
		return err
	}
	d.mu.Lock()
	r, ok := d.records[id]
	delete(d.records, id)
	delete(d.hosts, id)
	d.mu.Unlock()
	if ok && r.Cgroup != "" && d.cgroups != nil {
		d.cgroups.remove(r.Cgroup)
	}
	return nil
}

// kill ends the container's processes and waits until they are gone.
func (d *Driver) kill(ctx context.Context, id string) error {
	for {
		fd, err := d.open(ctx, id)
		if errors.Is(err, runtime.ErrNotRunning) || errors.Is(err, runtime.ErrNotFound) {
			if c, known, listErr := d.container(ctx, id); listErr != nil || known && c.Running {
				if listErr == nil && ctx.Err() == nil {
					time.Sleep(time.Millisecond) // it has ended and is being reaped
					continue
				}
				return errors.Join(listErr, ctx.Err())
			}
			return nil
		}
		if err != nil {
			return err
		}
		err = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		if err == nil || errors.Is(err, unix.ESRCH) {
			err = awaitExit(ctx, fd)
		}
		unix.Close(fd)
		if err != nil {
			return err
		}
	}
}

// awaitExit waits until the process behind a pidfd has ended.
func awaitExit(ctx context.Context, fd int) error {
	for ctx.Err() == nil {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 100)
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
	return ctx.Err()
}

// isMount reports whether path is the root of a mount; what is not there is none.
func isMount(path string) (bool, error) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_TYPE, &st)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	return err == nil && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, err
}
