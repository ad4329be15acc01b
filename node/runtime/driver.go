// Package runtime runs containers. It says what a container is (Spec), what
// can be seen of it (State, Stats) and what a Driver has to do; Simulated is
// a driver without processes, package runc the real one, package image holds
// images and package runtimetest the conformance suite that both drivers pass.
//
// Invariants: a container is known by Spec.ID alone; every verb is idempotent
// or refuses; a container and its exit code stay until Remove; nothing here
// retries or decides: that is the agent's part.
package runtime

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"
)

// ErrNotFound says that the driver holds no such container.
var ErrNotFound = errors.New("no such container")

// ErrNotRunning says that the container has not started or has exited.
var ErrNotRunning = errors.New("container is not running")

// Driver runs containers. Implementations are safe for concurrent use; calls
// for one container must not overlap, but for Signal, Exec and Stats.
type Driver interface {
	// Name is what statuses show: "runc" or "simulated".
	Name() string
	// Create makes the root file system and everything else that Start
	// needs. A container that exists is left as it is.
	Create(ctx context.Context, spec Spec) error
	// Start runs a created container. Starting one that was started before
	// is no error, whether it still runs or not.
	Start(ctx context.Context, id string) error
	// Signal sends sig to the container's first process. ErrNotRunning when
	// it has none, ErrNotFound when there is no container.
	Signal(ctx context.Context, id string, sig syscall.Signal) error
	// Remove ends the container if need be and deletes all traces of it but
	// its log, which RemoveLog deletes. Removing what is not there is no error.
	Remove(ctx context.Context, id string) error
	// RemoveLog deletes the output that the container left.
	RemoveLog(ctx context.Context, id string) error
	// List tells the state of every container, or of those that are named as
	// far as there are any, in order of ID.
	List(ctx context.Context, ids ...string) ([]State, error)
	// Changed receives after some container has exited; many exits may make
	// one receive. It is one channel for the driver's life, for one reader.
	Changed() <-chan struct{}
	// Exited names the containers that have exited since it was asked last, so
	// that not all of them have to be listed.
	Exited() []string
	// Exec runs one more process in a running container and waits for it. It
	// returns the exit code, 128+n for signal n; an error means that the
	// process did not run or was abandoned because ctx ended.
	Exec(ctx context.Context, id string, exec Exec) (int, error)
	// Stats reads what the container uses now.
	Stats(ctx context.Context, id string) (Stats, error)
	// Logs is the path of the file that holds the container's output, both
	// streams in the order of writing; "" when the driver keeps none.
	Logs(id string) string
}

// State is what a driver knows of one container.
type State struct {
	ID         string
	Group      string // Spec.Group.ID
	Started    bool   // Start succeeded once
	Running    bool
	Pid        int // of the first process, as the engine sees it; 0 unless running
	ExitCode   int // valid when Started and not Running; 128+n for signal n
	OOMKilled  bool
	StartedAt  time.Time
	ExitedAt   time.Time
	Digest     string // of the image
	StopSignal string // of the image: "SIGQUIT", "3" or ""
}

// Exited reports whether the container ran and runs no more.
func (s State) Exited() bool { return s.Started && !s.Running }

// Exec is one more process in a container.
type Exec struct {
	Args   []string
	Env    []string // besides the container's own, NAME=value
	Dir    string   // "" = the container's
	User   string   // "" = the container's
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// TTY gives the process a terminal; its output goes to Stdout.
	TTY bool
	// Resize receives the terminal's sizes; it may be nil.
	Resize <-chan Size
}

// Size is a terminal's size in characters.
type Size struct{ Rows, Columns uint16 }

// Stats is what a container used until Read. Counters grow from the
// container's start.
type Stats struct {
	Read        time.Time
	CPU         time.Duration // processor time
	Throttled   time.Duration
	Memory      int64 // bytes in use, page cache included
	MemoryCache int64 // bytes of it that could be dropped at once (inactive file pages)
	MemoryPeak  int64
	MemoryLimit int64 // 0 = none
	Processes   int
	BlockRead   int64 // bytes
	BlockWrite  int64
	Networks    map[string]NetworkStats // by interface, without lo
}

// NetworkStats counts one interface's traffic.
type NetworkStats struct {
	RxBytes, RxPackets, RxErrors, RxDropped int64
	TxBytes, TxPackets, TxErrors, TxDropped int64
}
