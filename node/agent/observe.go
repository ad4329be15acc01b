package agent

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/slipway-dev/slipway/node/runtime"
)

// observe lists the containers and wakes the tasks of those that changed. One
// at a time: an older list must not take the place of a newer one.
func (a *Agent) observe(ctx context.Context) error {
	a.observing.Lock()
	defer a.observing.Unlock()
	list, err := a.cfg.Driver.List(ctx)
	if err != nil {
		return err
	}
	next, changed := make(map[string]runtime.State, len(list)), []string{}
	a.mu.Lock()
	for _, s := range list {
		next[s.ID] = s
		if a.states[s.ID] != s {
			changed = append(changed, s.ID)
		}
	}
	for id := range a.states {
		if _, there := next[id]; !there {
			changed = append(changed, id)
		}
	}
	woken := map[string]bool{}
	for _, id := range changed {
		if arn, ok := a.owners[id]; ok {
			woken[arn] = true
		}
	}
	a.states, a.listed = next, true
	a.mu.Unlock()
	a.wake(slices.Collect(maps.Keys(woken))...)
	return nil
}

// look reads the state of one task's containers, of which some were started
// just now; the task is woken if one has ended already.
func (a *Agent) look(ctx context.Context, l *live) error {
	a.observing.Lock()
	defer a.observing.Unlock()
	for _, id := range l.ids {
		s, err := a.cfg.Driver.State(ctx, id)
		if errors.Is(err, runtime.ErrNotFound) {
			continue // the next list tells of those that have gone
		}
		if err != nil {
			return err
		}
		a.mu.Lock()
		before := a.states[id]
		a.states[id] = s
		a.mu.Unlock()
		if s.Exited() && before != s {
			defer a.wake(l.arn)
		}
	}
	return nil
}

// state is a container as it was last listed.
func (a *Agent) state(id string) (runtime.State, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.states[id]
	return s, ok
}

// removeOrphans removes the containers of which no row knows: their task was
// taken away while no engine ran.
func (a *Agent) removeOrphans(ctx context.Context) {
	if !a.hasStrangers() {
		return
	}
	snap := a.cfg.Store.Snapshot()
	known := map[string]bool{}
	for t := range Tasks.List(snap, "") {
		for i := range t.Containers {
			known[containerID(t, i)] = true
		}
	}
	for st := range Statuses.List(snap, "") {
		for _, c := range st.Containers {
			known[c.RuntimeID] = true
		}
	}
	a.mu.Lock()
	var orphans []string
	for id := range a.states {
		if !known[id] {
			orphans = append(orphans, id)
		}
	}
	a.mu.Unlock()
	for _, id := range orphans {
		a.cfg.Log.Info("orphan container removed", "container", id)
		if err := a.discard(ctx, id); err != nil {
			a.cfg.Log.Warn("orphan container could not be removed", "container", id, "err", err)
			continue
		}
		a.mu.Lock()
		delete(a.states, id)
		a.mu.Unlock()
	}
}

// hasStrangers says whether there are containers of tasks that the agent does
// not hold.
func (a *Agent) hasStrangers() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id := range a.states {
		if _, ok := a.owners[id]; !ok {
			return true
		}
	}
	return false
}

// discard removes a container and its log.
func (a *Agent) discard(ctx context.Context, id string) error {
	if err := a.cfg.Driver.Remove(ctx, id); err != nil {
		return err
	}
	a.tails.forget(id)
	return a.cfg.Driver.RemoveLog(ctx, id)
}
