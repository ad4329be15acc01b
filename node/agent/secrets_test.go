package agent_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/node/runtime"
)

// fakeSecrets are values by where they come from.
type fakeSecrets map[string]string

func (f fakeSecrets) Secrets(_ context.Context, task agent.Task, from []string) (map[string]string, error) {
	if task.ExecutionRole == "" {
		return nil, errors.New("AccessDeniedException")
	}
	out := map[string]string{}
	for _, name := range from {
		v, ok := f[name]
		if !ok {
			return nil, errors.New("invalid ssm parameters: " + name)
		}
		out[name] = v
	}
	return out, nil
}

func TestSecretsReachTheContainer(t *testing.T) {
	secretly := func(from string) agent.Container {
		c := essential("app", runtime.SimExit+"=1s:1")
		c.Secrets = map[string]string{runtime.SimExit: from}
		return c
	}
	story(t, func(t *testing.T, w *world) {
		w.secrets["/exit"] = "1s:7"
		task := newTask(0, secretly("/exit"))
		task.ExecutionRole = "role"
		w.put(task)
		settle(time.Minute)
		if got := w.container(task.ARN, "app").ExitCode; got == nil || *got != 7 {
			t.Errorf("exit code %v: the secret is not in its environment", got)
		}
	})
	for name, c := range map[string]struct{ from, role, want string }{
		"no parameter":  {"/none", "role", "invalid ssm parameters: /none"},
		"no permission": {"/exit", "", "AccessDeniedException"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.secrets["/exit"] = "1s:7"
				task := newTask(0, secretly(c.from))
				task.ExecutionRole = c.role
				w.put(task)
				settle(time.Minute)
				st := w.status(task.ARN)
				if st.LastStatus != agent.Stopped || st.StopCode != "TaskFailedToStart" || st.StoppedReason != "ResourceInitializationError: "+c.want {
					t.Errorf("%+v", st)
				}
				if len(w.containers()) > 0 || strings.Contains(st.StoppedReason, "1s:7") {
					t.Errorf("left: %v", w.containers())
				}
			})
		})
	}
}
