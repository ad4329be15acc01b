package agent

import (
	"reflect"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/runtime"
)

// order is the life cycle; a status never goes back.
var order = []string{"", Provisioning, Pending, Activating, Running, Deactivating, Stopping, Deprovisioning, Stopped}

// write puts down what is known of the task, if it differs from the row.
func (a *Agent) write(l *live, now time.Time) error {
	st := a.statusOf(l, now)
	if reflect.DeepEqual(st, l.status) {
		return nil
	}
	err := a.cfg.Store.Update(func(tx *store.Tx) error {
		Statuses.Put(tx, st)
		return nil
	})
	if err != nil {
		return err
	}
	if st.LastStatus != l.status.LastStatus {
		a.cfg.Log.Info("task "+st.LastStatus, "task", l.arn, "reason", st.StoppedReason)
	}
	l.status = st
	return nil
}

// statusOf is the task's status now, made from the one before.
func (a *Agent) statusOf(l *live, now time.Time) Status {
	st := l.status
	st.ARN = l.arn
	st.Containers = slices.Clone(st.Containers)
	if len(st.Containers) == 0 {
		st.Containers = make([]ContainerStatus, len(l.row.Containers))
	}
	started, running := len(l.row.Containers) > 0, false
	for i := range l.row.Containers {
		f := a.fact(l, i)
		started = started && (f.started || f.over)
		running = running || f.running
		st.Containers[i] = a.containerStatus(l, i, f, st.Containers[i], now)
	}
	st.Health = taskHealth(l.row, st.Containers)
	a.pullTimes(l, &st, now)
	last := a.progress(l, started, running)
	if slices.Index(order, last) > slices.Index(order, st.LastStatus) {
		st.LastStatus = last
	}
	if st.LastStatus == Running && st.StartedAt.IsZero() {
		st.StartedAt = now
	}
	if l.end == nil {
		return st
	}
	st.StopCode, st.StoppedReason = l.end.code, l.end.reason
	if st.StoppingAt.IsZero() {
		st.StoppingAt = now
	}
	if !running && st.ExecutionStoppedAt.IsZero() {
		st.ExecutionStoppedAt = lastExit(st.Containers)
	}
	if st.LastStatus == Stopped && st.StoppedAt.IsZero() {
		st.StoppedAt = now
		for i := range st.Containers {
			st.Containers[i].LastStatus = Stopped
		}
	}
	return st
}

// progress is how far the task has come. Which state is which is told in "Task
// lifecycle" of the ECS developer guide; ACTIVATING is here the time in which
// containers are started.
func (a *Agent) progress(l *live, started, running bool) string {
	if l.end != nil {
		switch {
		case running:
			return Stopping
		case !l.detached:
			return Deprovisioning
		}
		return Stopped
	}
	if _, attached, _ := result(l, &l.attach); !attached {
		return Provisioning
	}
	switch {
	case started:
		return Running
	case l.imagesReady():
		return Activating
	}
	return Pending
}

func (l *live) imagesReady() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.pulls {
		if !p.done || p.err != nil {
			return false
		}
	}
	return true
}

// pullTimes notes when the first pull began and the last one ended.
func (a *Agent) pullTimes(l *live, st *Status, now time.Time) {
	l.mu.Lock()
	begun := len(l.pulls) > 0
	l.mu.Unlock()
	if begun && st.PullStartedAt.IsZero() {
		st.PullStartedAt = now
	}
	if begun && st.PullStoppedAt.IsZero() && l.imagesReady() {
		st.PullStoppedAt = now
	}
}

// containerStatus is one container's status now.
func (a *Agent) containerStatus(l *live, i int, f fact, st ContainerStatus, now time.Time) ContainerStatus {
	c := l.row.Containers[i]
	st.Name, st.RuntimeID = c.Name, l.ids[i]
	if st.LastStatus == "" {
		st.LastStatus = Pending
	}
	if img, done, err := result(l, l.pullJobIf(c.Image)); done && err == nil {
		st.ImageDigest = img.Digest
	}
	if f.state.Digest != "" {
		st.ImageDigest = f.state.Digest
	}
	if why, failed := l.failure(c.Name); failed {
		st.LastStatus, st.Reason = Stopped, why
		return st
	}
	if c.Health != nil {
		if p := l.probe(c.Name); p != nil {
			st.Health, st.HealthOut = p.reading()
		}
		if st.Health == "" {
			st.Health = HealthUnknown
		}
	}
	switch {
	case f.running:
		st.LastStatus, st.Pid, st.StartedAt = Running, f.state.Pid, f.state.StartedAt
	case f.state.Exited():
		st.LastStatus, st.Pid, st.StartedAt = Stopped, 0, f.state.StartedAt
		st.FinishedAt, st.ExitCode = f.state.ExitedAt, new(f.state.ExitCode)
		if f.state.OOMKilled {
			st.Reason = oomMessage
		}
	case f.over && st.LastStatus != Stopped: // it was there once
		st.LastStatus, st.Pid, st.FinishedAt, st.Reason = Stopped, 0, now, vanishedMessage
	}
	return st
}

// taskHealth is UNHEALTHY when an essential container is, HEALTHY when all
// essential ones with a check are, and else UNKNOWN.
func taskHealth(t Task, containers []ContainerStatus) string {
	health := HealthUnknown
	for i, c := range t.Containers {
		if !c.Essential || c.Health == nil || i >= len(containers) {
			continue
		}
		switch containers[i].Health {
		case Unhealthy:
			return Unhealthy
		case Healthy:
			if health == HealthUnknown {
				health = Healthy
			}
		default:
			health = ""
		}
	}
	if health == "" {
		return HealthUnknown
	}
	return health
}

func lastExit(containers []ContainerStatus) time.Time {
	var last time.Time
	for _, c := range containers {
		if c.FinishedAt.After(last) {
			last = c.FinishedAt
		}
	}
	return last
}

// known is what the row remembers of a container.
func (l *live) known(name string) (ContainerStatus, bool) {
	for _, c := range l.status.Containers {
		if c.Name == name {
			return c, true
		}
	}
	return ContainerStatus{}, false
}

// pullJobIf is the job of an image, or an empty one.
func (l *live) pullJobIf(ref string) *job[runtime.Image] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if j := l.pulls[ref]; j != nil {
		return j
	}
	return &job[runtime.Image]{}
}
