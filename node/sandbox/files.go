package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// removeTree unmounts everything below dir and removes it. If a mount stays,
// nothing is removed: it may show files that are not ours.
func removeTree(dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := unmountBelow(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	return nil
}

// unmountBelow unmounts what is mounted on or below dir in this mount namespace.
func unmountBelow(dir string) error {
	for {
		info, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			return err
		}
		points := mountsBelow(string(info), dir)
		if len(points) == 0 {
			return nil
		}
		for i := len(points) - 1; i >= 0; i-- { // later ones may cover earlier ones
			// EINVAL: a mount above it went, and took it along.
			err := unix.Unmount(points[i], unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
			if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("unmount %s: %w", points[i], err)
			}
			if err != nil && i == len(points)-1 {
				return fmt.Errorf("unmount %s: %w", points[i], err) // no progress
			}
		}
	}
}

// mountsBelow lists the mount points on or below dir (proc_pid_mountinfo(5)).
func mountsBelow(info, dir string) (points []string) {
	for line := range strings.Lines(info) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		point := unescape(f[4])
		if rel, err := filepath.Rel(dir, point); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			points = append(points, point)
		}
	}
	return points
}

// unescape decodes the octal escapes of white space and backslashes.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// sweep removes a tree with files of subordinate ids: a helper in a user
// namespace is root to them.
func sweep(dir string) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	c, err := spawnStage(roleSweep, dir, null)
	if err != nil {
		return fmt.Errorf("remove %s: %w", dir, explain(err))
	}
	c.gate.Close()
	c.rpc.Close()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("remove %s as root of a user namespace: %w", dir, err)
	}
	return nil
}

func sweepMain() error {
	return removeTree(os.Args[1])
}

// Purge removes a state directory with everything in it, files of subordinate
// ids included. Errors: ErrRunning.
func Purge(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	if s, err := StatusOf(dir); err != nil || s.Running || held(dir) {
		return fmt.Errorf("sandbox: purge: %w", errors.Join(err, runningError(s, dir)))
	}
	if err := removeTree(dir); err != nil {
		if os.Geteuid() == 0 {
			return fmt.Errorf("sandbox: purge: %w", err)
		}
		if err := sweep(dir); err != nil {
			return fmt.Errorf("sandbox: purge: %w", err)
		}
	}
	return nil
}
