package agent_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/node/vpc"
)

// meshed is a task whose application waits for its sidecar to be healthy.
func meshed() agent.Task {
	app := after(essential("app", runtime.SimStop+"=2s:0"), "HEALTHY", "envoy")
	envoy := essential("envoy", runtime.SimExec+"=0s:1,3s:0", runtime.SimStop+"=1s:0")
	envoy.Health = &agent.HealthCheck{Command: []string{"CMD", "/bin/envoy", "health"}, Interval: 5 * time.Second}
	task := newTask(0, app, envoy)
	task.Proxy = &agent.Proxy{Container: "envoy", Interception: vpc.Interception{
		IngressPort: 15000, EgressPort: 15001, AppPorts: []uint16{8080}, IgnoredUID: new(uint32(1337)),
	}}
	return task
}

// The sidecar is there before the application and after it, and the traffic is
// the sidecar's before either.
func TestSidecar(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		task := meshed()
		w.images.delay = time.Second
		w.put(task)
		settle(500 * time.Millisecond)
		if got := w.network.intercepted[task.Interface]; got.EgressPort != 15001 || len(w.containers()) > 0 {
			t.Fatalf("while the image comes: %+v, %v", got, w.containers())
		}
		settle(time.Minute)
		app, envoy := w.container(task.ARN, "app"), w.container(task.ARN, "envoy")
		if st := w.status(task.ARN); st.LastStatus != agent.Running || app.StartedAt.Sub(envoy.StartedAt) < 3*time.Second {
			t.Fatalf("%+v", st)
		}

		w.stop()
		w.network.intercepted = map[string]vpc.Interception{}
		w.run()
		settle(time.Second)
		if got := w.network.intercepted[task.Interface]; got.EgressPort != 15001 {
			t.Errorf("after a restart: %+v", got)
		}

		w.change(task.ARN, func(t *agent.Task) { t.Stopped = true })
		settle(time.Minute)
		app, envoy = w.container(task.ARN, "app"), w.container(task.ARN, "envoy")
		begun := w.status(task.ARN).StoppingAt
		if app.FinishedAt.Sub(begun) != 2*time.Second || envoy.FinishedAt.Sub(begun) != 3*time.Second {
			t.Errorf("application stopped after %v, sidecar after %v", app.FinishedAt.Sub(begun), envoy.FinishedAt.Sub(begun))
		}
		if len(w.network.intercepted) > 0 {
			t.Errorf("left: %v", w.network.intercepted)
		}
	})
}

// The end of the sidecar is the end of the task; the application is told
// first even then.
func TestSidecarDies(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		task := meshed()
		task.Containers[1].Environment[runtime.SimExit] = "30s:1"
		w.put(task)
		settle(time.Minute)
		st := w.status(task.ARN)
		if st.LastStatus != agent.Stopped || st.StopCode != "EssentialContainerExited" || *st.Containers[0].ExitCode != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// Traffic that cannot be intercepted must not go past the mesh.
func TestNoInterceptionNoTask(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.network.noProxy = errors.New("no packet filter")
		task := meshed()
		w.put(task)
		settle(time.Second)
		st := w.status(task.ARN)
		if st.LastStatus != agent.Stopped || st.StopCode != "TaskFailedToStart" || len(w.containers()) > 0 || slices.ContainsFunc(st.Containers, func(c agent.ContainerStatus) bool { return !c.StartedAt.IsZero() }) {
			t.Errorf("%+v", st)
		}
	})
}
