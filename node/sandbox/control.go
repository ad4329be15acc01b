package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Stop ends the sandbox of a state directory in order and returns when nothing
// of it is left; after timeout it is ended by force. Errors: ErrNotRunning.
func Stop(dir string, timeout time.Duration) error {
	s, err := readStatus(dir)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	running := alive(s.Pid, s.Started)
	if !running && !held(dir) {
		return fmt.Errorf("sandbox: %w: %s", ErrNotRunning, dir)
	}
	if running {
		if err := send(s.Pid, s.Started, unix.SIGTERM); err != nil {
			return fmt.Errorf("sandbox: stop pid %d: %w", s.Pid, err)
		}
	}
	gone := func() bool { return !alive(s.Pid, s.Started) && !held(dir) }
	if await(timeout, gone) {
		return nil
	}
	// By force: init first, since the parent then removes what it left.
	for _, p := range []struct {
		pid     int
		started uint64
	}{{s.InitPid, s.InitStarted}, {s.Pid, s.Started}} {
		if err := send(p.pid, p.started, unix.SIGKILL); err != nil {
			return fmt.Errorf("sandbox: kill pid %d: %w", p.pid, err)
		}
		if await(5*time.Second, gone) {
			return nil
		}
	}
	return fmt.Errorf("sandbox: pids %d and %d do not end", s.Pid, s.InitPid)
}

// Restart ends the engine (not the containers) and returns when a new one, of
// the program now at Config.Binary, is ready. Errors: ErrNotRunning.
func Restart(dir string, timeout time.Duration) error {
	s, err := StatusOf(dir)
	if err != nil {
		return err
	}
	if !s.Running {
		return fmt.Errorf("sandbox: %w: %s", ErrNotRunning, dir)
	}
	if err := send(s.Pid, s.Started, unix.SIGUSR2); err != nil {
		return fmt.Errorf("sandbox: restart: %w", err)
	}
	ready, now := false, Status{}
	await(timeout, func() bool {
		now, err = StatusOf(dir)
		ready = err == nil && now.Ready && now.Restarts > s.Restarts
		return ready || err != nil || !now.Running
	})
	if !ready {
		return fmt.Errorf("sandbox: the new engine is not ready (the last one: %s); %s", now.LastEnd, logHint(dir))
	}
	return nil
}

// send signals exactly the process that started then; one that has gone is
// no error.
func send(pid int, started uint64, sig unix.Signal) error {
	if pid <= 0 {
		return nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if !alive(pid, started) { // compared while fd holds the process
		return nil
	}
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}

// await asks until the answer is yes or the time is up.
func await(timeout time.Duration, done func() bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			return done()
		case <-time.After(poll):
		}
	}
	return true
}
