package agent

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/runtime"
)

// Network puts tasks on their VPC. node/vpc is one.
type Network interface {
	// Attach makes the network namespace of a network interface and returns
	// its path. It is idempotent and waits until the VPC knows the interface.
	Attach(ctx context.Context, vpc, eni string) (netns string, err error)
	// Detach removes it; nil when it is gone already.
	Detach(ctx context.Context, vpc, eni string) error
	// Listen opens a socket inside the VPC.
	Listen(ctx context.Context, vpc, network, addr string) (net.Listener, error)
}

// Puller fetches images on behalf of a task: its subnet decides what can be
// reached, its execution role what may be read. The error's text follows
// "CannotPullContainerError: " in the stopped reason.
type Puller interface {
	Pull(ctx context.Context, task Task, ref string) (runtime.Image, error)
}

// LogWriter takes the lines of containers. Writing no event makes the stream,
// and fails when that cannot be.
type LogWriter interface {
	Write(ctx context.Context, stream LogStream, events []LogEvent) error
}

// LogStream is where lines go.
type LogStream struct {
	Scope       arn.Scope // Region is the log configuration's
	Group       string
	Stream      string
	CreateGroup bool
}

// LogEvent is one line, without its end, at most 256 KiB.
type LogEvent struct {
	Time    time.Time
	Message string
}

// Config is what New needs.
type Config struct {
	Store   *store.Store
	Log     *slog.Logger
	Driver  runtime.Driver
	Network Network
	Images  Puller
	Logs    LogWriter // nil: lines are kept for Tail only
	// Dir holds the volumes of tasks.
	Dir string
	// Workers is how many tasks are worked on at once; 0 = 8.
	Workers int
	// Speed divides the intervals of health checks (clock speed); 0 = 1.
	Speed float64
}

// Agent runs tasks.
type Agent struct {
	cfg Config
}

// New returns an agent; nothing runs before Run and the Loops do.
func New(cfg Config) *Agent {
	if cfg.Workers == 0 {
		cfg.Workers = 8
	}
	if cfg.Speed == 0 {
		cfg.Speed = 1
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Agent{cfg: cfg}
}
