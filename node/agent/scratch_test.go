package agent_test

import (
	"archive/tar"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/node/runtime/runtimetest"
)

// A sidecar's image may hold its program and nothing else: no shell, no
// accounts, no /tmp. Its health check is the program itself, as the sidecar's user.
func TestRealSidecarFromScratch(t *testing.T) {
	r := newReal(t)
	ref := strings.TrimSuffix(r.ref, "app:1") + "sidecar:1"
	runtimetest.Push(t, ref, runtimetest.Image(t, func(c *v1.Config) { c.Env = []string{"PATH=/bin"} },
		runtimetest.Layer(t, runtimetest.File{Header: tar.Header{Name: "bin/sidecar"}, Data: runtimetest.Program(t)})))

	sidecar := func(name string, check ...string) agent.Container {
		c := essential(name, runtime.SimStop+"=0s:0")
		c.EntryPoint, c.Command, c.User, c.ReadOnlyRoot = []string{"/bin/sidecar"}, []string{"run"}, "1337", true
		c.Health = &agent.HealthCheck{Command: check, Interval: 5 * time.Second}
		return c
	}
	app := after(after(essential("app", runtime.SimStop+"=0s:0"), "HEALTHY", "envoy"), "HEALTHY", "other")
	app.StopTimeout = 100 * time.Millisecond // it may not listen for signals yet when it is stopped
	task := r.task(0, app, sidecar("envoy", "CMD", "/bin/sidecar", "id"), sidecar("other", "CMD", "sidecar", "id"))
	task.Containers[1].Image, task.Containers[2].Image = ref, ref
	r.put(task)
	st := r.until(task.ARN, "running and healthy", func(s agent.Status) bool { return s.LastStatus == agent.Running && s.Health == agent.Healthy })
	for _, c := range st.Containers[1:] {
		if c.HealthOut != "1337 0 []\n" {
			t.Errorf("%s was checked as %q", c.Name, c.HealthOut)
		}
	}
	r.remove(task)

	// What cannot run says so, and is not taken for well.
	broken := r.task(1, essential("app"), sidecar("envoy", "CMD-SHELL", "curl -s http://localhost:9901/server_info"))
	broken.Containers[1].Image = ref
	broken.Containers[1].Health.Interval, broken.Containers[1].Health.Retries = 100*time.Millisecond, 2
	r.put(broken)
	st = r.until(broken.ARN, "unhealthy", func(s agent.Status) bool { return s.Health == agent.Unhealthy })
	if got := st.Containers[1].HealthOut; !strings.Contains(got, "/bin/sh") || !strings.Contains(got, "no such file or directory") {
		t.Errorf("a check by a shell that is not there says %q", got)
	}
	r.remove(broken)
}
