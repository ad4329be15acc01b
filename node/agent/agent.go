package agent

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/node/vpc"
)

// Network puts tasks on their VPC. node/vpc is one.
type Network interface {
	// Attach makes the network namespace of a network interface and returns
	// its path. It is idempotent and waits until the VPC knows the interface.
	Attach(ctx context.Context, vpc, eni string) (netns string, err error)
	// Intercept leads the traffic of an attached interface through the task's
	// proxy. It is idempotent, and ends with the interface.
	Intercept(ctx context.Context, vpc, eni string, i vpc.Interception) error
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
// and fails when that cannot be. A write is repeated until it succeeds.
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
	Logs    LogWriter    // nil: lines are kept for Tail only
	Secrets SecretReader // nil: tasks that have secrets do not start
	// Dir holds the volumes of tasks.
	Dir string
	// Workers is how many tasks are worked on at once; 0 = 8.
	Workers int
	// Speed divides the intervals and start periods of health checks (clock
	// speed), not their timeouts; 0 = 1.
	Speed float64
	// Services are served to tasks beside their metadata.
	Services []TaskService
	// Callbacks answers tasks below CallbackPath at MetadataAddress; it may be nil. CallbackBase is the same address as the host has it
	// ("http://localhost:4566"): in the variables of containers, addresses below CallbackPath there become those that tasks can reach.
	Callbacks    http.Handler
	CallbackBase string
	// Env adds variables to a container's, NAME=value; it may be nil.
	Env func(Task, Container) []string
}

// CallbackPath is the path below which tasks answer the engine: wait conditions, custom resources.
const CallbackPath = "/callback/"

// Agent runs tasks.
type Agent struct {
	cfg Config

	checking chan struct{} // a slot for each health check that begins

	observing sync.Mutex // held while containers are listed

	mu     sync.Mutex
	tasks  map[string]*live         // by ARN
	owners map[string]string        // container id -> ARN, of tasks
	states map[string]runtime.State // by container id, as last listed
	listed bool                     // states is true

	ctx    context.Context // of everything in the background; ends with Run
	cancel context.CancelFunc
	tails  *tails
	meta   *metadata

	services *services
}

// New returns an agent; nothing happens before Run and the Loops run.
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
	a := &Agent{cfg: cfg, checking: make(chan struct{}, checkSlots), tasks: map[string]*live{}, owners: map[string]string{}, states: map[string]runtime.State{}}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.tails = newTails(cfg.Logs, cfg.Log)
	a.meta = newMetadata(a)
	a.services = newServices(a, append([]TaskService{{MetadataAddress, a.meta.serve}}, cfg.Services...)...)
	return a
}

// Loops keep every task as its row says.
func (a *Agent) Loops() []loop.Loop {
	return []loop.Loop{{
		Name:      "agent/task",
		List:      taskKeys,
		Keys:      changedTask,
		Workers:   a.cfg.Workers,
		Reconcile: a.reconcile,
	}}
}

// taskKeys lists all tasks that are wanted or known.
func taskKeys(s *store.Snapshot) []string {
	var keys []string
	for t := range Tasks.List(s, "") {
		keys = append(keys, t.ARN)
	}
	for st := range Statuses.List(s, "") {
		keys = append(keys, st.ARN)
	}
	return keys
}

func changedTask(_ *store.Snapshot, c store.Change) []string {
	if c.Table == Tasks.Name() || c.Table == wakes.Name() {
		return []string{c.Key}
	}
	return nil
}

// Run does what is not bound to one task until ctx ends: it notices exits,
// follows log files and removes what belongs to no task. Containers stay when
// it ends; the agent is of no use afterwards.
func (a *Agent) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer a.tails.close()
	defer a.services.close()
	defer a.cancel()
	wg.Go(func() { a.tails.run(ctx) })
	for whole := true; ; { // at first, and after an error, all are looked at
		exited := a.cfg.Driver.Exited()
		if whole {
			exited = nil
		}
		if whole || len(exited) > 0 {
			changed, err := a.observe(ctx, exited...)
			if err != nil {
				a.cfg.Log.Warn("containers could not be listed", "err", err)
			} else if whole {
				a.removeOrphans(ctx)
			}
			a.wake(changed...)
			whole = err != nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-a.cfg.Driver.Changed():
		}
	}
}
