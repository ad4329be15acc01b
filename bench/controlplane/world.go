package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/node/vpc"
	"github.com/slipway-dev/slipway/service/ecs"
	"github.com/slipway-dev/slipway/service/elbv2"
)

// world plays what the control plane acts on: containers, images, networks,
// sockets and the targets that health checks ask.
type world struct {
	db      *store.Store
	driver  *survivors
	applied atomic.Int64 // VPC configurations
}

func newWorld(db *store.Store) *world { return &world{db: db, driver: survivorsOf(db)} }

// Pull has every image.
func (*world) Pull(context.Context, agent.Task, string) (runtime.Image, error) {
	return runtime.Image{Digest: "sha256:0000", Config: ocispec.ImageConfig{Cmd: []string{"/app"}}}, nil
}

// Attach, Detach, Apply and Remove say that it is done.
func (*world) Attach(context.Context, string, string) (string, error) { return "/played", nil }

// Intercept does nothing.
func (*world) Intercept(context.Context, string, string, vpc.Interception) error { return nil }

// Detach does nothing.
func (*world) Detach(context.Context, string, string) error { return nil }

// Apply counts.
func (w *world) Apply(context.Context, vpc.Config) error { w.applied.Add(1); return nil }

// Remove does nothing.
func (*world) Remove(context.Context, string) error { return nil }

// Listen opens a socket in a VPC that nobody connects to.
func (*world) Listen(context.Context, string, string, string) (net.Listener, error) {
	return &deaf{make(chan struct{})}, nil
}

// sockets are those of the host, as deaf.
type sockets struct{}

// Listen opens one.
func (sockets) Listen(context.Context, string) (net.Listener, error) {
	return &deaf{make(chan struct{})}, nil
}

// Unlisten does nothing.
func (sockets) Unlisten(context.Context, string) error { return nil }

type deaf struct{ closed chan struct{} }

func (d *deaf) Accept() (net.Conn, error) { <-d.closed; return nil, net.ErrClosed }
func (d *deaf) Addr() net.Addr            { return &net.TCPAddr{} }
func (d *deaf) Close() error {
	select {
	case <-d.closed:
	default:
		close(d.closed)
	}
	return nil
}

// Dialer connects to a target that answers every request with 200.
func (*world) Dialer(string, netip.Addr) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			buf := make([]byte, 1024)
			if _, err := far.Read(buf); err == nil {
				_, _ = io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			}
		}()
		return near, nil
	}
}

// Count is how things stand.
type Count struct {
	Running  int // tasks that run and shall
	Other    int // tasks on their way up or down
	Stopped  int
	Steady   int // services that have reached a steady state
	Services int
	Healthy  int // targets
	Applied  int64
}

func (w *world) count() (c Count) {
	snap := w.db.Snapshot()
	c.Applied = w.applied.Load()
	for s := range ecs.Services.List(snap, "") {
		c.Services++
		if s.SteadyAnnounced {
			c.Steady++
		}
	}
	for t := range ecs.Tasks.List(snap, "") {
		switch st, err := agent.Statuses.Get(snap, t.ARN); {
		case err == nil && st.LastStatus == agent.Running && t.DesiredStatus == "RUNNING":
			c.Running++
		case err == nil && st.LastStatus == agent.Stopped:
			c.Stopped++
		default:
			c.Other++
		}
	}
	for t := range elbv2.Targets.List(snap, "") {
		if t.State == elbv2.Healthy {
			c.Healthy++
		}
	}
	return c
}

// lose kills every container of a zone and returns how many.
func (w *world) lose(zone string) (n int) {
	snap := w.db.Snapshot()
	for t := range ecs.Tasks.List(snap, "") {
		if t.Zone != zone || t.DesiredStatus != "RUNNING" {
			continue
		}
		st, err := agent.Statuses.Get(snap, t.ARN)
		if err != nil {
			continue
		}
		for _, c := range st.Containers {
			if w.driver.Signal(context.Background(), c.RuntimeID, syscall.SIGKILL) == nil {
				n++
			}
		}
	}
	return n
}

// survivors is the simulated runtime whose containers outlive the engine, as
// real ones do: those that ran by the rows run from the start.
type survivors struct {
	*runtime.Simulated
	old map[string]runtime.State
}

func survivorsOf(db *store.Store) *survivors {
	s := &survivors{runtime.NewSimulated(), map[string]runtime.State{}}
	for st := range agent.Statuses.List(db.Snapshot(), "") {
		for _, c := range st.Containers {
			if c.LastStatus == agent.Running {
				s.old[c.RuntimeID] = runtime.State{ID: c.RuntimeID, Started: true, Running: true, StartedAt: c.StartedAt, Digest: c.ImageDigest}
			}
		}
	}
	return s
}

// List has no order among the survivors: the agent needs none.
func (s *survivors) List(ctx context.Context, ids ...string) ([]runtime.State, error) {
	all, err := s.Simulated.List(ctx, ids...)
	for _, st := range s.old {
		if len(ids) == 0 || slices.Contains(ids, st.ID) {
			all = append(all, st)
		}
	}
	return all, err
}

// Stats of a survivor are those of a container that does nothing.
func (s *survivors) Stats(ctx context.Context, id string) (runtime.Stats, error) {
	if _, ok := s.old[id]; ok {
		return runtime.Stats{Read: time.Now(), Memory: 1 << 20}, nil
	}
	return s.Simulated.Stats(ctx, id)
}

var errSurvivor = errors.New("a container of before the restart cannot be stopped in this bench")

// Signal refuses for survivors: the bench measures the restart last.
func (s *survivors) Signal(ctx context.Context, id string, sig syscall.Signal) error {
	if _, ok := s.old[id]; ok {
		return errSurvivor
	}
	return s.Simulated.Signal(ctx, id, sig)
}
