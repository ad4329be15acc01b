package agent

import (
	"context"
	"maps"
	"slices"

	"github.com/slipway-dev/slipway/node/runtime"
)

// observe lists the containers, or some of them, and returns the tasks of
// those that have changed. One at a time: an older list must not take the
// place of a newer one.
func (a *Agent) observe(ctx context.Context, ids ...string) (changed []string, err error) {
	a.observing.Lock()
	defer a.observing.Unlock()
	list, err := a.cfg.Driver.List(ctx, ids...)
	if err != nil {
		return nil, err
	}
	next := make(map[string]runtime.State, len(list))
	for _, s := range list {
		next[s.ID] = s
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(ids) == 0 {
		ids = slices.Concat(slices.Collect(maps.Keys(a.states)), slices.Collect(maps.Keys(next)))
		a.listed = true
	}
	tasks := map[string]bool{}
	for _, id := range ids {
		s, there := next[id]
		if a.states[id] == s {
			continue
		}
		if there {
			a.states[id] = s
		} else {
			delete(a.states, id)
		}
		if arn, ok := a.owners[id]; ok {
			tasks[arn] = true
		}
	}
	return slices.Collect(maps.Keys(tasks)), nil
}

// state is a container as it was last listed.
func (a *Agent) state(id string) (runtime.State, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.states[id]
	return s, ok
}

func (a *Agent) exited(id string) bool {
	s, _ := a.state(id)
	return s.Exited()
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
