package agent

import (
	"context"
	"errors"
)

// SecretReader reads the secrets of a task's containers with its execution
// role, from where its subnet can reach. It answers the values by what the
// container definition names them by. The error's text follows
// "ResourceInitializationError: " in the stopped reason.
type SecretReader interface {
	Secrets(ctx context.Context, task Task, from []string) (map[string]string, error)
}

// readSecrets reads the secrets of the containers that are not made yet. They
// are kept in memory alone.
func (a *Agent) readSecrets(l *live) (bool, error) {
	var from []string
	seen := map[string]bool{}
	for i, c := range l.row.Containers {
		if a.fact(l, i).created {
			continue
		}
		for _, f := range sorted(c.Secrets) {
			if !seen[f] {
				seen[f] = true
				from = append(from, f)
			}
		}
	}
	if len(from) == 0 {
		return true, nil
	}
	row := l.row
	begin(a, l, &l.secrets, func(ctx context.Context) (map[string]string, error) {
		if a.cfg.Secrets == nil {
			return nil, errors.New("unable to retrieve secrets: there is no service that has any")
		}
		return a.cfg.Secrets.Secrets(ctx, row, from)
	})
	_, done, err := result(l, &l.secrets)
	if err != nil {
		return false, &startFailure{"ResourceInitializationError", err.Error()}
	}
	return done, nil
}

// revealed are the secrets of a container as environment variables.
func revealed(c Container, values map[string]string) []string {
	var env []string
	for name, from := range sorted(c.Secrets) {
		env = append(env, name+"="+values[from])
	}
	return env
}
