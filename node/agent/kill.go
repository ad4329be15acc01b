package agent

import (
	"context"
	"fmt"
	"syscall"
)

// Kill kills the essential containers of a running task with SIGKILL, as if
// they had crashed: nobody has asked for its end.
func (a *Agent) Kill(ctx context.Context, arn string) error {
	t, err := Tasks.Get(a.cfg.Store.Snapshot(), arn)
	if err != nil {
		return fmt.Errorf("no task %s", arn)
	}
	for i, c := range t.Containers {
		if !c.Essential {
			continue
		}
		if err := a.cfg.Driver.Signal(ctx, containerID(t, i), syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill container %s of task %s: %w", c.Name, t.ID, err)
		}
	}
	return nil
}
