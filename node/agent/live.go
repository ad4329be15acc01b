package agent

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/node/runtime"
)

// live is what the agent holds of a task in memory. All of it can be found
// again from the rows and the driver, so nothing is lost with the process.
// Fields are for the task's reconciliation alone, but for those under mu.
type live struct {
	arn    string
	row    Task
	ids    []string // of the containers, in order of definition
	status Status   // as last written

	ctx    context.Context // of jobs and probes; ends when the task is to stop
	cancel context.CancelFunc

	end      *ending
	detached bool
	cleaning bool
	signaled map[string]time.Time // container -> its stop signal
	killed   map[string]bool

	mu      sync.Mutex
	cleaned bool
	attach  job[string]
	pulls   map[string]*job[runtime.Image] // by image reference
	probes  map[string]*probe
	logs    job[struct{}]
	secrets job[map[string]string] // by where they are from
	failed  map[string]string      // container -> why it never ran
}

// ending says why a task ends.
type ending struct{ code, reason string }

// job is one piece of work in the background.
type job[T any] struct {
	begun, done bool
	value       T
	err         error
}

func newLive(ctx context.Context, row Task, st Status) *live {
	l := &live{
		arn: row.ARN, row: row, status: st,
		signaled: map[string]time.Time{}, killed: map[string]bool{},
		pulls: map[string]*job[runtime.Image]{}, probes: map[string]*probe{}, failed: map[string]string{},
	}
	for i := range row.Containers {
		l.ids = append(l.ids, containerID(row, i))
	}
	l.ctx, l.cancel = context.WithCancel(ctx)
	if !st.StoppingAt.IsZero() {
		l.end = &ending{st.StopCode, st.StoppedReason}
	}
	for _, c := range st.Containers {
		if c.LastStatus == Stopped && c.ExitCode == nil && c.StartedAt.IsZero() {
			l.failed[c.Name] = c.Reason
		}
	}
	return l
}

// containerID names container i of a task as Fargate does: the task's id and
// a number, here always the same one.
func containerID(t Task, i int) string {
	h := fnv.New32a()
	fmt.Fprintf(h, "%d/%s", i, t.Containers[i].Name)
	return fmt.Sprintf("%s-%010d", t.ID, h.Sum32())
}

// begin runs work in the background, once; the task is woken when it is done.
func begin[T any](a *Agent, l *live, j *job[T], work func(context.Context) (T, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if j.begun {
		return
	}
	j.begun = true
	go func() {
		v, err := work(l.ctx)
		if a.ctx.Err() != nil {
			return // the agent ends, and not the task
		}
		l.mu.Lock()
		j.value, j.err, j.done = v, err, true
		l.mu.Unlock()
		a.wake(l.arn)
	}()
}

// result is what a job has come to.
func result[T any](l *live, j *job[T]) (value T, done bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return j.value, j.done, j.err
}

// busy reports whether a job still runs.
func (l *live) busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.attach.begun && !l.attach.done || l.logs.begun && !l.logs.done || l.secrets.begun && !l.secrets.done {
		return true
	}
	for _, p := range l.pulls {
		if p.begun && !p.done {
			return true
		}
	}
	return false
}

func (l *live) failure(name string) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	why, ok := l.failed[name]
	return why, ok
}

func (l *live) fail(name, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed[name] = why
}
