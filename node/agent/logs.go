package agent

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// makeLogStreams makes the log streams before any container starts, as the
// awslogs driver does: a log group that is not there fails the task.
func (a *Agent) makeLogStreams(l *live) (bool, error) {
	if a.cfg.Logs == nil {
		return true, nil
	}
	var streams []LogStream
	for i, c := range l.row.Containers {
		if c.Log != nil && c.Log.Group != "" && !a.fact(l, i).started {
			streams = append(streams, stream(l.row, c))
		}
	}
	begin(a, l, &l.logs, func(ctx context.Context) (struct{}, error) {
		for _, s := range streams {
			if err := a.cfg.Logs.Write(ctx, s, nil); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	_, done, err := result(l, &l.logs)
	if err != nil {
		return false, &startFailure{"ResourceInitializationError", "failed to validate logger args: create stream has been retried 1 times: " +
			"failed to create Cloudwatch log stream: " + strings.TrimSuffix(err.Error(), ".") + " : exit status 1"}
	}
	return done, nil
}

// stream is where a container's lines go.
func stream(t Task, c Container) LogStream {
	s := LogStream{Scope: t.Scope, Group: c.Log.Group, Stream: c.Log.Stream, CreateGroup: c.Log.CreateGroup}
	if c.Log.Region != "" {
		s.Scope.Region = c.Log.Region
	}
	if s.Stream == "" {
		s.Stream = fmt.Sprintf("%s/%s", c.Name, t.ID)
	}
	return s
}

// followLogs has the log of every container read that was started, also after
// a restart.
func (a *Agent) followLogs(l *live) {
	for i := range l.row.Containers {
		if st, ok := a.state(l.ids[i]); ok && st.Started {
			a.follow(l, i)
			if st.Exited() {
				a.tails.finish(st.ID)
			}
		}
	}
}

// follow has the container's log file read from where it was left.
func (a *Agent) follow(l *live, i int) {
	id := l.ids[i]
	path := a.cfg.Driver.Logs(id)
	if path == "" {
		return
	}
	c := l.row.Containers[i]
	t := tailConfig{id: id, path: path, offset: filepath.Join(a.cfg.Dir, "offsets", id)}
	if c.Log != nil && c.Log.Group != "" {
		t.stream, t.multiline = new(stream(l.row, c)), multilineStart(*c.Log)
	}
	a.tails.follow(a.ctx, t)
}
