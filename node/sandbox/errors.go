package sandbox

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/slipway-dev/slipway/node/container"
)

// Errors that callers tell apart with errors.Is. They survive the way between
// the processes, as do operating system errors (syscall.EADDRINUSE and so on).
var (
	// ErrRunning: another engine holds the state directory.
	ErrRunning = errors.New("an engine runs on this state directory")
	// ErrNotRunning: no engine holds the state directory.
	ErrNotRunning = errors.New("no engine runs on this state directory")
	// ErrExists: a container of this id is known to init.
	ErrExists = errors.New("container exists")
	// ErrBusy: the container has not ended, so it cannot be forgotten.
	ErrBusy = errors.New("container has not ended")
	// ErrStopping: the sandbox is being taken down.
	ErrStopping = errors.New("sandbox is stopping")
	// ErrRefused: the address is not one the sandbox may reach.
	ErrRefused = errors.New("egress refused")
	// ErrGone: the container does not run.
	ErrGone = errors.New("container is not running")
	// ErrOutside: Connect was called in a process that no init has started.
	ErrOutside = errors.New("not inside a sandbox")
)

var sentinels = []error{ErrRunning, ErrNotRunning, ErrExists, ErrBusy, ErrStopping, ErrRefused, ErrGone, container.ErrUnsupported}

// failure is an error on its way between two processes.
type failure struct {
	Msg   string
	Kind  int           `json:",omitempty"` // 1 + index in sentinels
	Errno syscall.Errno `json:",omitempty"`
}

func failureOf(err error) *failure {
	f := &failure{Msg: err.Error()}
	for i, s := range sentinels {
		if errors.Is(err, s) {
			f.Kind = i + 1
		}
	}
	f.Errno, _ = errors.AsType[syscall.Errno](err)
	if before, ok := errors.AsType[*failure](err); ok { // it has travelled already
		f.Errno = before.Errno
	}
	return f
}

func (f *failure) Error() string { return f.Msg }

// Is reports whether the error was target before it travelled.
func (f *failure) Is(target error) bool {
	if f.Kind > 0 && f.Kind <= len(sentinels) && sentinels[f.Kind-1] == target {
		return true
	}
	errno, ok := target.(syscall.Errno)
	return ok && f.Errno != 0 && f.Errno == errno
}

// runningError is ErrRunning with the one who runs.
func runningError(s Status, dir string) error {
	return fmt.Errorf("%w: pid %d (since %s) uses %s; stop it with `slipway engine stop`, or choose another directory with SLIPWAY_HOME",
		ErrRunning, s.Pid, s.Since.Format("2006-01-02 15:04:05"), dir)
}
