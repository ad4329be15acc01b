package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const poll = 5 * time.Millisecond // of conditions the kernel does not announce

// acquire takes the lock of a state directory. While a sandbox whose parent has
// gone is still being taken down (its init holds the lock too), it waits for
// that; if the holder's parent lives, the error is ErrRunning.
func acquire(ctx context.Context, dir string, patience time.Duration) (*os.File, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		s, err := readStatus(dir)
		if err == nil && alive(s.Pid, s.Started) {
			f.Close()
			return nil, runningError(s, dir)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("%w: %s is still held by a sandbox whose parent (pid %d) has gone; end its init, pid %d", ErrRunning, path, s.Pid, s.InitPid)
		case <-time.After(poll):
		}
	}
}

// held reports whether some process holds the lock.
func held(dir string) bool {
	f, err := os.Open(filepath.Join(dir, lockFile))
	if err != nil {
		return false
	}
	defer f.Close()
	// A shared lock for a moment: acquire tries again.
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil
}
