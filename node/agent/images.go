package agent

import (
	"context"

	"github.com/slipway-dev/slipway/node/runtime"
)

// pullImages pulls every image of the task side by side; those of containers
// that exist are not needed any more.
func (a *Agent) pullImages(l *live) (bool, error) {
	all := true
	for i, c := range l.row.Containers {
		if f := a.fact(l, i); f.created || f.over {
			continue
		}
		j, row := l.pullJob(c.Image), l.row
		begin(a, l, j, func(ctx context.Context) (runtime.Image, error) {
			return a.cfg.Images.Pull(ctx, row, c.Image)
		})
		_, done, err := result(l, j)
		if err != nil {
			f := &startFailure{"CannotPullContainerError", err.Error()}
			l.fail(c.Name, f.Error())
			return false, f
		}
		all = all && done
	}
	return all, nil
}

func (l *live) pullJob(ref string) *job[runtime.Image] {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := l.pulls[ref]
	if j == nil {
		j = &job[runtime.Image]{}
		l.pulls[ref] = j
	}
	return j
}
