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

// removeTree removes dir with everything in it. If anything is mounted there,
// nothing is removed: it may show files that are not ours.
func removeTree(dir string) error {
	real, err := filepath.EvalSymlinks(dir) // as mountinfo has it
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	if points := mountsBelow(string(info), real); len(points) > 0 {
		return fmt.Errorf("remove %s: something is mounted on %s", dir, points[0])
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	return nil
}

// unmountBelow unmounts what is mounted on or below dir in this mount namespace;
// init alone does that, in its own. dir has no symbolic links in it.
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
