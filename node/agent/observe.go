package agent

import (
	"context"
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
	next := make(map[string]runtime.State, len(list))
	for _, s := range list {
		next[s.ID] = s
	}
	var woken []string
	a.mu.Lock()
	for arn, l := range a.tasks {
		if slices.ContainsFunc(l.ids(), func(id string) bool { return a.states[id] != next[id] }) {
			woken = append(woken, arn)
		}
	}
	a.states, a.listed = next, true
	a.mu.Unlock()
	for _, arn := range woken {
		a.wake(arn)
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

// discard removes a container and its log.
func (a *Agent) discard(ctx context.Context, id string) error {
	if err := a.cfg.Driver.Remove(ctx, id); err != nil {
		return err
	}
	a.tails.forget(id)
	return a.cfg.Driver.RemoveLog(ctx, id)
}
