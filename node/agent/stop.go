package agent

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/node/runtime"
)

// defaultStopTimeout is ECS_CONTAINER_STOP_TIMEOUT's default.
const defaultStopTimeout = 30 * time.Second

// stopContainers takes the containers down in the reverse order of their
// dependencies: one is signaled when none that depends on it runs, and killed
// when its time is over. again says when the next one's is.
func (a *Agent) stopContainers(ctx context.Context, l *live) (running bool, again time.Duration, err error) {
	now := time.Now()
	facts := make([]fact, len(l.row.Containers))
	for i := range facts {
		facts[i] = a.fact(l, i)
		running = running || facts[i].running
	}
	for i, c := range l.row.Containers {
		if !facts[i].running || needed(l.row.Containers, facts, c.Name) {
			continue
		}
		left, err := a.stopOne(ctx, l, i, facts[i].state.StopSignal, now)
		if err != nil {
			return running, again, err
		}
		if left > 0 && (again == 0 || left < again) {
			again = left
		}
	}
	return running, again, nil
}

// needed reports whether a running container depends on the named one.
func needed(containers []Container, facts []fact, name string) bool {
	for i, c := range containers {
		for _, d := range c.DependsOn {
			if d.Container == name && facts[i].running {
				return true
			}
		}
	}
	return false
}

// stopOne signals a container, or kills it when it had its time. It returns
// how long it still has.
func (a *Agent) stopOne(ctx context.Context, l *live, i int, stopSignal string, now time.Time) (time.Duration, error) {
	c, id := l.row.Containers[i], l.ids[i]
	timeout := c.StopTimeout
	if timeout == 0 {
		timeout = defaultStopTimeout
	}
	sent, ok := l.signaled[c.Name]
	if l.row.Killed {
		ok, timeout = true, 0
	}
	if !ok {
		l.signaled[c.Name] = now
		return timeout, a.signal(ctx, id, parseSignal(stopSignal))
	}
	if left := sent.Add(timeout).Sub(now); left > 0 {
		return left, nil
	}
	if l.killed[c.Name] {
		return 0, nil // its exit wakes us
	}
	l.killed[c.Name] = true
	return 0, a.signal(ctx, id, syscall.SIGKILL)
}

func (a *Agent) signal(ctx context.Context, id string, sig syscall.Signal) error {
	err := a.cfg.Driver.Signal(ctx, id, sig)
	if err == nil || errors.Is(err, runtime.ErrNotRunning) || errors.Is(err, runtime.ErrNotFound) {
		return nil
	}
	return fmt.Errorf("stop %s: %w", id, err)
}

// parseSignal reads a STOPSIGNAL, by name or number; SIGTERM if there is none.
func parseSignal(s string) syscall.Signal {
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n < 65 {
		return syscall.Signal(n)
	}
	if sig := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(s), "SIG")); sig != 0 {
		return sig
	}
	return syscall.SIGTERM
}

// cleanPatience is how long the last lines of a stopped task may take to be
// written before they are given up.
const cleanPatience = time.Minute

// clean deletes what a stopped task has left: its containers when their
// output has been read to the end, and its volumes. What fails is tried again.
func (a *Agent) clean(l *live, row Task, ids []string) {
	ctx := a.ctx
	for delay := time.Second; ; delay = min(2*delay, time.Minute) {
		if err := a.cleanOnce(ctx, row, ids); err == nil {
			break
		} else {
			a.cfg.Log.Warn("stopped task could not be cleared away", "task", row.ARN, "err", err, "again", delay)
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
	}
	l.mu.Lock()
	l.cleaned = true
	l.mu.Unlock()
	a.meta.forget(row)
	a.services.release(l, row.VPC)
	a.wake(row.ARN)
}

func (a *Agent) cleanOnce(ctx context.Context, row Task, ids []string) error {
	for _, id := range ids {
		a.tails.drain(id, cleanPatience)
		if err := a.discard(ctx, id); err != nil {
			return err
		}
		a.mu.Lock()
		delete(a.states, id)
		a.mu.Unlock()
	}
	return a.removeVolumes(row)
}
