package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Simulated is a driver without processes: its containers only say that they
// run. It is for tests, and for users who want to see what the platform does
// with a thousand tasks; statuses name it. Containers behave as variables of
// their environment say, see script.go.
//
// Its containers live as long as it does: an engine that starts anew finds
// none.
type Simulated struct {
	changed chan struct{}

	mu         sync.Mutex
	containers map[string]*simulated
	exited     []string // since Exited
}

var _ Driver = (*Simulated)(nil)

type simulated struct {
	State
	script script
	timer  *time.Timer // of an exit to come
}

// NewSimulated returns a driver without containers.
func NewSimulated() *Simulated {
	return &Simulated{changed: make(chan struct{}, 1), containers: map[string]*simulated{}}
}

// Name is "simulated".
func (s *Simulated) Name() string { return "simulated" }

// Changed receives after exits.
func (s *Simulated) Changed() <-chan struct{} { return s.changed }

// Exited names those that have exited since it was asked last.
func (s *Simulated) Exited() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := s.exited
	s.exited = nil
	return ids
}

// Logs is empty: there is no output.
func (s *Simulated) Logs(string) string { return "" }

// RemoveLog has nothing to remove.
func (s *Simulated) RemoveLog(context.Context, string) error { return nil }

// Create checks the spec as a real driver would.
func (s *Simulated) Create(_ context.Context, spec Spec) error {
	if err := CheckID(spec.ID); err != nil {
		return err
	}
	p, err := spec.Resolve()
	if err != nil {
		return fmt.Errorf("create %s: %w", spec.ID, err)
	}
	sc, err := parseScript(p.Env)
	if err != nil {
		return fmt.Errorf("create %s: %w", spec.ID, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.containers[spec.ID] != nil {
		return nil
	}
	s.containers[spec.ID] = &simulated{script: sc, State: State{
		ID: spec.ID, Group: spec.Group.ID, Digest: spec.Image.Digest, StopSignal: spec.Image.Config.StopSignal,
	}}
	return nil
}

// Start begins the container's script.
func (s *Simulated) Start(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.containers[id]
	switch {
	case c == nil:
		return fmt.Errorf("start %s: %w", id, ErrNotFound)
	case c.Started:
		return nil
	case c.script.startError != "":
		return errors.New(c.script.startError)
	}
	c.Started, c.Running, c.StartedAt = true, true, time.Now()
	if c.script.exit != nil {
		s.exitLater(c, *c.script.exit, false)
	}
	if c.script.oom != nil {
		s.exitLater(c, step{*c.script.oom, 128 + int(syscall.SIGKILL)}, true)
	}
	return nil
}

// exitLater ends a container after a while; s.mu is held.
func (s *Simulated) exitLater(c *simulated, then step, oom bool) {
	if c.timer != nil {
		c.timer.Stop()
	}
	c.timer = time.AfterFunc(then.after, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.exit(c, then.code, oom)
	})
}

// exit ends a container now; s.mu is held.
func (s *Simulated) exit(c *simulated, code int, oom bool) {
	if !c.Running {
		return
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.Running, c.ExitCode, c.OOMKilled, c.ExitedAt = false, code, oom, time.Now()
	s.exited = append(s.exited, c.ID)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Signal ends the container, unless its script ignores the signal.
func (s *Simulated) Signal(_ context.Context, id string, sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.containers[id]
	switch {
	case c == nil:
		return fmt.Errorf("signal %s: %w", id, ErrNotFound)
	case !c.Running:
		return fmt.Errorf("signal %s: %w", id, ErrNotRunning)
	case sig == syscall.SIGKILL:
		s.exit(c, 128+int(sig), false)
	case sig == 0 || c.script.ignoreStop:
	case c.script.stop != nil:
		s.exitLater(c, *c.script.stop, false)
	default:
		s.exit(c, 128+int(sig), false)
	}
	return nil
}

// Remove forgets the container.
func (s *Simulated) Remove(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.containers[id]; c != nil {
		if c.timer != nil {
			c.timer.Stop()
		}
		delete(s.containers, id)
	}
	return nil
}

// List tells the state of every container, or of some.
func (s *Simulated) List(_ context.Context, ids ...string) ([]State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(ids) == 0 {
		ids = slices.Collect(maps.Keys(s.containers))
	}
	var out []State
	for _, id := range slices.Sorted(slices.Values(ids)) {
		if c := s.containers[id]; c != nil {
			out = append(out, c.State)
		}
	}
	return out, nil
}

// Exec answers with the exit code that the script has for this time.
func (s *Simulated) Exec(ctx context.Context, id string, e Exec) (int, error) {
	if len(e.Args) == 0 {
		return 0, fmt.Errorf("exec in %s: %w", id, ErrNoCommand)
	}
	s.mu.Lock()
	c := s.containers[id]
	if c == nil || !c.Running {
		s.mu.Unlock()
		return 0, fmt.Errorf("exec in %s: %w", id, ErrNotRunning)
	}
	code, hang := c.script.execCode(time.Since(c.StartedAt))
	s.mu.Unlock()
	if hang {
		<-ctx.Done()
		return 0, fmt.Errorf("exec in %s: %w", id, context.Cause(ctx))
	}
	if e.Stdout != nil {
		if _, err := io.WriteString(e.Stdout, "simulated\n"); err != nil {
			return 0, fmt.Errorf("exec in %s: %w", id, err)
		}
	}
	return code, nil
}

// Stats answers what the script says the container uses.
func (s *Simulated) Stats(_ context.Context, id string) (Stats, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.containers[id]
	switch {
	case c == nil:
		return Stats{}, fmt.Errorf("stats of %s: %w", id, ErrNotFound)
	case !c.Running:
		return Stats{}, fmt.Errorf("stats of %s: %w", id, ErrNotRunning)
	}
	used := time.Duration(c.script.cpu * float64(time.Since(c.StartedAt)))
	return Stats{Read: time.Now(), CPU: used, Memory: c.script.memory, MemoryPeak: c.script.memory, Processes: 1}, nil
}
