package agent

import (
	"bytes"
	"context"
	"fmt"
	goruntime "runtime"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/node/runtime"
)

// Defaults of a container health check (HealthCheck in the ECS API reference).
const (
	defaultInterval = 30 * time.Second
	defaultTimeout  = 5 * time.Second
	defaultRetries  = 3
)

// maxHealthOutput is how much of a check's output is kept.
const maxHealthOutput = 4 << 10

// firstLook is when a new container is checked for the first time. A check
// that succeeds before the first interval is over makes the container healthy
// early; one that fails there does not count.
const firstLook = 100 * time.Millisecond

// probe is the health of one container.
type probe struct {
	cancel context.CancelFunc

	mu     sync.Mutex
	health string
	output string
	fails  int
}

func (p *probe) reading() (health, output string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.health, p.output
}

func (l *live) probe(name string) *probe {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.probes[name]
}

// health is the last reading of a container's probe.
func (l *live) health(name string) string {
	if p := l.probe(name); p != nil {
		h, _ := p.reading()
		return h
	}
	return ""
}

// probeContainers has a probe on every running container with a check. A
// container found running after a restart begins with the health it had.
func (a *Agent) probeContainers(l *live) {
	for i, c := range l.row.Containers {
		f := a.fact(l, i)
		if c.Health == nil || len(c.Health.Command) == 0 || !f.running || l.probe(c.Name) != nil {
			continue
		}
		p := &probe{health: HealthUnknown}
		if old, ok := l.known(c.Name); ok && old.Health != "" && !old.StartedAt.IsZero() {
			p.health, p.output = old.Health, old.HealthOut
		}
		ctx, cancel := context.WithCancel(l.ctx)
		p.cancel = cancel
		l.mu.Lock()
		l.probes[c.Name] = p
		l.mu.Unlock()
		go a.watch(ctx, l, p, l.ids[i], *c.Health, f.startedAt)
	}
}

// watch checks a container until it ends, by Docker's rules: the first check
// that counts is one interval after the start; failures within the start
// period do not count until a check has succeeded; Retries failures in a row
// make it unhealthy, one success healthy.
func (a *Agent) watch(ctx context.Context, l *live, p *probe, id string, check HealthCheck, started time.Time) {
	check = check.withDefaults(a.cfg.Speed)
	graceEnd := started.Add(check.StartPeriod)
	next := started.Add(check.Interval)
	for next.Before(time.Now()) {
		next = next.Add(check.Interval)
	}
	early := firstLook
	for {
		health, _ := p.reading()
		at := next
		if health == HealthUnknown {
			at = earlier(next, time.Now().Add(early))
			early *= 2
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(at)):
		}
		counts := !at.Before(next)
		if counts {
			next = at.Add(check.Interval)
		}
		ok, output, err := a.check(ctx, id, check)
		if ctx.Err() != nil {
			return
		}
		if err != nil { // the container is gone
			if st, known := a.state(id); !known || !st.Running {
				return
			}
		}
		health, _ = p.reading()
		graced := health != Healthy && time.Now().Before(graceEnd)
		if p.note(ok, counts && !graced, output, check.Retries) {
			a.wake(l.arn)
		}
	}
}

// note takes a result in and reports whether the health has changed.
func (p *probe) note(ok, counts bool, output string, retries int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.health
	switch {
	case ok:
		p.fails, p.health = 0, Healthy
	case counts:
		if p.fails++; p.fails >= retries {
			p.health = Unhealthy
		}
	default:
		return false
	}
	p.output = output
	return p.health != before
}

// check runs the command once. A check that does not end in time has failed.
func (a *Agent) check(ctx context.Context, id string, check HealthCheck) (ok bool, output string, err error) {
	args := check.Command[1:]
	switch check.Command[0] {
	case "CMD":
	case "CMD-SHELL":
		args = []string{"/bin/sh", "-c", check.Command[1]}
	default:
		args = check.Command
	}
	done := a.checkSlot(ctx)
	defer done()
	timed, cancel := context.WithTimeout(ctx, check.Timeout)
	defer cancel()
	var out limited
	code, err := a.cfg.Driver.Exec(timed, id, runtime.Exec{Args: args, Stdout: &out, Stderr: &out})
	switch {
	case timed.Err() != nil && ctx.Err() == nil:
		return false, fmt.Sprintf("Health check exceeded timeout (%v)", check.Timeout), nil
	case err != nil:
		return false, err.Error(), err
	}
	return code == 0, out.String(), nil
}

// Where many containers are checked often, the checks of a moment would take
// the machine from one another until all have run out of time. So only some begin at
// once, and the others' time does not run while they wait. One that takes longer
// than slotTime, perhaps because it hangs, holds up nobody else.
const slotTime = 100 * time.Millisecond

var checkSlots = 2 * goruntime.NumCPU()

// checkSlot waits for its turn; done ends it.
func (a *Agent) checkSlot(ctx context.Context) (done func()) {
	select {
	case a.checking <- struct{}{}:
	case <-ctx.Done():
		return func() {}
	}
	leave := sync.OnceFunc(func() { <-a.checking })
	timer := time.AfterFunc(slotTime, leave)
	return func() { timer.Stop(); leave() }
}

// withDefaults fills in what is not given and applies the clock speed.
func (h HealthCheck) withDefaults(speed float64) HealthCheck {
	if h.Interval <= 0 {
		h.Interval = defaultInterval
	}
	if h.Timeout <= 0 {
		h.Timeout = defaultTimeout
	}
	if h.Retries <= 0 {
		h.Retries = defaultRetries
	}
	h.Interval = time.Duration(float64(h.Interval) / speed)
	h.StartPeriod = time.Duration(float64(h.StartPeriod) / speed)
	return h
}

// limited keeps the first part of what is written to it.
type limited struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *limited) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(b[:min(len(b), maxHealthOutput-w.buf.Len())])
	return len(b), nil
}

func (w *limited) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
