package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/kernel/store"
)

// reconcile brings one task a step further: it looks at the rows and the
// containers, decides whether the task shall go on or end, writes down what
// it found before it acts on it, acts, and writes down what came of it.
func (a *Agent) reconcile(ctx context.Context, arn string) (time.Duration, error) {
	if err := a.ready(ctx); err != nil {
		return 0, err
	}
	l, remove := a.load(arn)
	if l == nil {
		return 0, nil
	}
	a.followLogs(l)
	if l.status.LastStatus == Stopped {
		return 0, a.bury(l, remove)
	}
	now := time.Now()
	if l.end == nil {
		l.end = a.decide(l)
	}
	if l.end != nil {
		l.cancel()
	}
	if err := a.write(l, now); err != nil {
		return 0, err
	}
	var again time.Duration
	var err error
	if l.end == nil {
		var failed *ending
		if failed, err = a.up(ctx, l); failed != nil {
			l.end = failed
			a.cfg.Log.Info("task fails", "task", arn, "code", failed.code, "reason", failed.reason)
			a.wake(arn)
		}
	} else {
		again, err = a.down(ctx, l)
	}
	if writeErr := a.write(l, time.Now()); err == nil {
		err = writeErr
	}
	if l.status.LastStatus == Stopped && err == nil {
		return 0, a.bury(l, remove)
	}
	return again, err
}

// errNotReady holds the loop back until the containers were listed once: a
// task must not be taken for a new one because nobody has looked yet.
var errNotReady = errors.New("containers not listed yet")

func (a *Agent) ready(ctx context.Context) error {
	if err := errors.Join(ctx.Err(), a.ctx.Err()); err != nil {
		return err
	}
	a.mu.Lock()
	listed := a.listed
	a.mu.Unlock()
	if listed {
		return nil
	}
	changed, err := a.observe(ctx)
	if err != nil {
		return errors.Join(errNotReady, err)
	}
	a.wake(changed...)
	return nil
}

// load finds what is known of a task; nil when there is nothing to be done.
// remove says that every trace of it is to go.
func (a *Agent) load(arn string) (l *live, remove bool) {
	snap := a.cfg.Store.Snapshot()
	row, rowErr := Tasks.Get(snap, arn)
	st, stErr := Statuses.Get(snap, arn)
	a.mu.Lock()
	defer a.mu.Unlock()
	l = a.tasks[arn]
	switch {
	case rowErr == nil && l != nil:
		l.row = row
	case rowErr == nil:
		if stErr != nil && row.Remove {
			return nil, true
		}
		l = newLive(a.ctx, row, st)
		a.tasks[arn] = l
		for _, id := range l.ids {
			a.owners[id] = arn
		}
	case l != nil: // the row is gone: end it
		l.row.Stopped, l.row.Remove = true, true
	case stErr == nil: // gone while no engine ran
		l = newLive(a.ctx, Task{ARN: arn, Stopped: true, Remove: true}, st)
		l.status.LastStatus = Stopped
		a.tasks[arn] = l
	default:
		return nil, true
	}
	return l, l.row.Remove
}

// up takes a task through its phases, each as far as it comes now. What has
// to be waited for wakes the task later. Network, log streams, secrets and images
// come side by side, then the volumes and the containers.
func (a *Agent) up(ctx context.Context, l *live) (*ending, error) {
	ready := true
	for _, resource := range []func(*live) (bool, error){a.attachNetwork, a.makeLogStreams, a.readSecrets, a.pullImages} {
		done, err := resource(l)
		if err != nil {
			return failed(err)
		}
		ready = ready && done
	}
	if !ready {
		return nil, nil
	}
	if err := a.makeVolumes(l); err != nil {
		return failed(err)
	}
	a.services.serve(l.row.VPC)
	a.probeContainers(l) // those of before a restart, on which others may wait
	if err := a.startContainers(ctx, l); err != nil {
		return failed(err)
	}
	return nil, nil
}

// failed tells what ends the task from what is to be tried again.
func failed(err error) (*ending, error) {
	if f, ok := errors.AsType[*startFailure](err); ok {
		return &ending{failedToStart, f.Error()}, nil
	}
	return nil, err
}

// startFailure ends a task that has not started; its text is the reason.
type startFailure struct{ kind, text string }

func (e *startFailure) Error() string {
	if e.kind == "" {
		return e.text
	}
	return e.kind + ": " + e.text
}

// down takes a task back: containers, then the network.
func (a *Agent) down(ctx context.Context, l *live) (time.Duration, error) {
	running, again, err := a.stopContainers(ctx, l)
	if err != nil || running {
		return again, err
	}
	if l.busy() {
		return 0, nil // a job wakes us
	}
	if !l.detached {
		if err := a.write(l, time.Now()); err != nil {
			return 0, err
		}
		if err := a.detachNetwork(ctx, l); err != nil {
			return 0, err
		}
		l.detached = true
	}
	return 0, nil
}

// bury clears away what a stopped task has left, and at last its row.
func (a *Agent) bury(l *live, remove bool) error {
	l.cancel()
	l.mu.Lock()
	cleaned := l.cleaned
	l.mu.Unlock()
	if !l.cleaning {
		l.cleaning = true
		ids := slices.Clone(l.ids)
		for _, c := range l.status.Containers { // the row may be gone
			if c.RuntimeID != "" && !slices.Contains(ids, c.RuntimeID) {
				ids = append(ids, c.RuntimeID)
			}
		}
		go a.clean(l, l.row, ids)
		return nil
	}
	if !cleaned || !remove {
		return nil
	}
	a.mu.Lock()
	delete(a.tasks, l.arn)
	for _, id := range l.ids {
		delete(a.owners, id)
	}
	a.mu.Unlock()
	for _, id := range l.ids {
		a.tails.drop(id)
	}
	return a.cfg.Store.Update(func(tx *store.Tx) error {
		Statuses.Delete(tx, l.arn)
		wakes.Delete(tx, l.arn)
		return nil
	})
}
