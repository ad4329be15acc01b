package agent

import (
	"context"
	"fmt"
	"slices"

	"github.com/slipway-dev/slipway/node/runtime"
)

// container finds the runtime id of a task's container.
func (a *Agent) container(taskARN, name string) (string, error) {
	st, err := Statuses.Get(a.cfg.Store.Snapshot(), taskARN)
	if err != nil {
		return "", fmt.Errorf("task %s: %w", taskARN, err)
	}
	i := slices.IndexFunc(st.Containers, func(c ContainerStatus) bool { return c.Name == name })
	if i < 0 {
		return "", fmt.Errorf("task %s has no container %q: %w", taskARN, name, runtime.ErrNotFound)
	}
	return st.Containers[i].RuntimeID, nil
}

// Exec runs a process in a container of a task and returns its exit code.
// Errors: store.ErrNotFound, runtime.ErrNotFound, runtime.ErrNotRunning.
func (a *Agent) Exec(ctx context.Context, taskARN, container string, e runtime.Exec) (int, error) {
	id, err := a.container(taskARN, container)
	if err != nil {
		return 0, err
	}
	return a.cfg.Driver.Exec(ctx, id, e)
}

// Stats reads what a container of a task uses.
func (a *Agent) Stats(ctx context.Context, taskARN, container string) (runtime.Stats, error) {
	id, err := a.container(taskARN, container)
	if err != nil {
		return runtime.Stats{}, err
	}
	return a.cfg.Driver.Stats(ctx, id)
}

// Tail returns the last lines of a container, at most n and at most those of
// this engine's time, also after it has stopped, until its task is removed.
func (a *Agent) Tail(taskARN, container string, n int) []string {
	id, err := a.container(taskARN, container)
	if err != nil {
		return nil
	}
	return a.tails.last(id, n)
}
