package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/node/runtime"
)

// startContainers makes every container, and starts those whose dependencies
// allow it; what the others wait for wakes the task.
func (a *Agent) startContainers(ctx context.Context, l *live) error {
	for {
		ready, due, err := a.planStarts(l, time.Now())
		if err != nil {
			return err
		}
		if len(ready) == 0 {
			if !due.IsZero() {
				a.wakeAt(l, due)
			}
			return nil
		}
		err = a.startAll(ctx, l, ready)
		if _, listErr := a.observe(ctx, l.ids...); err == nil && listErr != nil {
			err = fmt.Errorf("list containers: %w", listErr)
		}
		if err != nil {
			return err
		}
		// A container that has ended already is a pass of its own, and may end
		// the task.
		if slices.ContainsFunc(l.ids, a.exited) {
			a.wake(l.arn)
		}
		if a.decide(l) != nil {
			return nil
		}
		a.probeContainers(l)
	}
}

// planned is a container to be made, and perhaps started.
type planned struct {
	index int
	start bool
}

// planStarts lists what can be done now. The containers that never can start
// are marked; an essential one fails the task.
func (a *Agent) planStarts(l *live, now time.Time) (ready []planned, due time.Time, err error) {
	facts, timeouts := map[string]fact{}, map[string]time.Duration{}
	for i, c := range l.row.Containers {
		facts[c.Name] = a.fact(l, i)
		timeouts[c.Name] = c.StartTimeout
	}
	for i, c := range l.row.Containers {
		f := facts[c.Name]
		if f.started || f.over {
			continue
		}
		v, limit, why := mayStart(c, facts, timeouts, now)
		switch v {
		case never:
			l.fail(c.Name, why)
			if c.Essential {
				return nil, due, &startFailure{"", why}
			}
			return a.planStarts(l, now) // its dependents will not start either
		case start:
			ready = append(ready, planned{i, true})
		case wait:
			if !f.created {
				ready = append(ready, planned{i, false})
			}
			if !limit.IsZero() && (due.IsZero() || limit.Before(due)) {
				due = limit
			}
		}
	}
	return ready, due, nil
}

// startAll works on containers side by side.
func (a *Agent) startAll(ctx context.Context, l *live, ready []planned) error {
	var wg sync.WaitGroup
	errs := make([]error, len(ready))
	for n, p := range ready {
		wg.Go(func() { errs[n] = a.startOne(ctx, l, p) })
	}
	wg.Wait()
	for n, p := range ready {
		f, failed := errors.AsType[*startFailure](errs[n])
		switch {
		case errs[n] == nil:
		case !failed || ctx.Err() != nil:
			return errs[n]
		default:
			c := l.row.Containers[p.index]
			l.fail(c.Name, f.Error())
			if c.Essential {
				return f
			}
		}
	}
	return nil
}

func (a *Agent) startOne(ctx context.Context, l *live, p planned) error {
	c, id := l.row.Containers[p.index], l.ids[p.index]
	if _, exists := a.state(id); !exists {
		netns, _, _ := result(l, &l.attach)
		img, _, _ := result(l, l.pullJob(c.Image))
		secrets, _, _ := result(l, &l.secrets)
		spec, err := a.spec(l.row, p.index, img, netns)
		spec.Env = runtime.MergeEnv(spec.Env, revealed(c, secrets))
		if err == nil {
			err = a.cfg.Driver.Create(ctx, spec)
		}
		if err != nil {
			return &startFailure{"CannotCreateContainerError", dockerWords(err)}
		}
	}
	if !p.start {
		return nil
	}
	a.follow(l, p.index)
	if err := a.cfg.Driver.Start(ctx, id); err != nil {
		return &startFailure{"CannotStartContainerError", dockerWords(err)}
	}
	return nil
}

// dockerWords words a driver's error as Fargate's containers do.
func dockerWords(err error) string {
	if errors.Is(err, runtime.ErrNoCommand) {
		return "Error response from daemon: No command specified"
	}
	return err.Error()
}

// wakeAt wakes a task later.
func (a *Agent) wakeAt(l *live, at time.Time) {
	timer := time.AfterFunc(time.Until(at), func() { a.wake(l.arn) })
	context.AfterFunc(l.ctx, func() { timer.Stop() })
}
