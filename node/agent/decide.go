package agent

import (
	"fmt"
	"time"

	"github.com/slipway-dev/slipway/node/runtime"
)

// Stop codes that the agent gives (StopTaskReason in the ECS API reference).
const (
	failedToStart    = "TaskFailedToStart"
	essentialExited  = "EssentialContainerExited"
	essentialMessage = "Essential container in task exited"
	oomMessage       = "OutOfMemoryError: Container killed due to memory usage"
	vanishedMessage  = "ContainerVanishedError: No container matching saved ID found"
)

// decide says whether a task has to end, and why.
func (a *Agent) decide(l *live) *ending {
	if l.row.Stopped {
		return &ending{l.row.StopCode, l.row.StoppedReason}
	}
	for i, c := range l.row.Containers {
		if c.Essential && a.fact(l, i).over {
			return &ending{essentialExited, essentialMessage}
		}
	}
	return nil
}

// fact is what a container's dependents and its task go by.
type fact struct {
	created   bool
	started   bool // runs or has run
	running   bool
	over      bool // will not run (again)
	succeeded bool // over with exit code 0
	health    string
	startedAt time.Time
	state     runtime.State
}

// fact puts together what the driver says, what the probe says and what the
// row remembers of container i.
func (a *Agent) fact(l *live, i int) fact {
	name := l.row.Containers[i].Name
	st, ok := a.state(l.ids[i])
	f := fact{created: ok, started: st.Started, running: st.Running, state: st, startedAt: st.StartedAt, health: l.health(name)}
	f.over = st.Exited()
	f.succeeded = f.over && st.ExitCode == 0
	if _, failed := l.failure(name); failed {
		f.over = true
	}
	if !ok { // it may have been there once
		if old, known := l.known(name); known && !old.StartedAt.IsZero() {
			f.started, f.over, f.startedAt = true, true, old.StartedAt
			f.succeeded = old.ExitCode != nil && *old.ExitCode == 0
		}
	}
	return f
}

// verdict is what dependencies say about starting a container.
type verdict int

const (
	wait verdict = iota
	start
	never
)

// mayStart decides by the dependencies of a container whether it can start.
// With wait and a time limit, due says when to look again.
func mayStart(c Container, facts map[string]fact, timeouts map[string]time.Duration, now time.Time) (v verdict, due time.Time, why string) {
	v = start
	for _, d := range c.DependsOn {
		f := facts[d.Container]
		ok := false
		switch d.Condition {
		case "START":
			ok = f.started
			if f.over && !f.started {
				return never, due, fmt.Sprintf("container ordering dependency %s for target %s did not start", d.Container, c.Name)
			}
		case "COMPLETE":
			ok = f.over
		case "SUCCESS":
			if ok = f.succeeded; f.over && !ok {
				return never, due, fmt.Sprintf("failed to resolve container ordering dependency %s for target %s as dependency did not exit successfully", d.Container, c.Name)
			}
		case "HEALTHY":
			if ok = f.health == Healthy; f.over && !ok {
				return never, due, fmt.Sprintf("failed to resolve container ordering dependency %s for target %s as dependency exited before it was healthy", d.Container, c.Name)
			}
		}
		if ok {
			continue
		}
		v = wait
		if limit := timeouts[d.Container]; limit > 0 && f.started {
			end := f.startedAt.Add(limit)
			if !now.Before(end) {
				return never, due, fmt.Sprintf("container ordering dependency %s for target %s has timed out", d.Container, c.Name)
			}
			if due.IsZero() || end.Before(due) {
				due = end
			}
		}
	}
	return v, due, ""
}
