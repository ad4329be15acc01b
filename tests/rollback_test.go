package tests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

// A deployment is cancelled while it runs, and a service returns to the
// revision before; nobody who sends requests notices.
func TestRollback(t *testing.T) {
	w := newWorld(t)
	w.must(append(w.StartArgs(), "--speed", "10")...)
	w.must("up")
	_, stop := w.load(8, 5*time.Millisecond, "payment", "order", "notification")

	// Blue/green, with a bake time in which there is time to regret it.
	file := w.variantManifest("    port: 8080 ", "    env: {RELEASE: blue}\n    rollout: {strategy: blue-green, bake: 30m}\n    port: 8080 ")
	deploying := w.begin("deploy", "--no-build", "--file", file)
	w.eventually(time.Minute, "the new revision has all requests", func() (bool, error) { return w.newestDeployment().Stage == "BAKE_TIME", nil })
	says(t, w.fails(1, "why", "payment"), "traffic", "bake time")
	says(t, w.must("rollback", "--file", file), "deployment cancelled: what ran before runs on")
	out, code := deploying()
	if code != 1 {
		t.Errorf("the cancelled deploy exited with %d", code)
	}
	says(t, out, "blue/green", "UPDATE_ROLLBACK_COMPLETE", "rolled back to revision payment-service-dev:")
	w.runs("")

	// Forward, and back by a revision.
	w.must("deploy", "--no-build", "--file", w.variantManifest("    port: 8080 ", "    env: {RELEASE: next}\n    port: 8080 "))
	w.runs("next")
	says(t, w.must("rollback", "payment"), "returned to revision payment-service-dev:", "registered again as", "drift")
	w.runs("")
	says(t, w.fails(2, "rollback"), "no deployment runs")
	if d := w.newestDeployment(); d.Status != "SUCCESSFUL" {
		t.Errorf("the return is %s", d.Status)
	}
	w.lost(stop(), "cancelled, forward, and back by a revision")
}

// A service shifts traffic for the first time, and is taken back when all of
// it has moved: what it returns to was deployed without a second target group.
func TestFirstShiftTakenBack(t *testing.T) {
	w := newWorld(t)
	w.must(append(w.StartArgs(), "--speed", "10")...)
	w.must("up")
	_, stop := w.load(8, 5*time.Millisecond, "payment")
	call[ecsapi.UpdateServiceInput, ecsapi.UpdateServiceOutput](w, "ecs", "UpdateService", &ecsapi.UpdateServiceInput{
		Cluster: new("microservices-cluster-dev"), Service: new("payment-service-dev"), ForceNewDeployment: new(true),
		DeploymentConfiguration: &ecsapi.DeploymentConfiguration{Strategy: "BLUE_GREEN", BakeTimeInMinutes: new(int32(30))}, LoadBalancers: w.shiftable("payment"),
	})
	w.eventually(time.Minute, "the new revision has all requests", func() (bool, error) { return w.newestDeployment().Stage == "BAKE_TIME", nil })
	says(t, w.must("rollback", "payment"), "payment rolled back to revision payment-service-dev:1")
	w.lost(stop(), "taken back")
}

// begin starts slipway in the background. What it returns waits for the end,
// and tells output and exit code.
func (w world) begin(args ...string) func() (string, int) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	w.Cleanup(cancel)
	cmd, err := w.Command(ctx, args...)
	if err != nil {
		w.Fatal(err)
	}
	type end struct {
		out  []byte
		code int
	}
	ends := make(chan end, 1)
	go func() {
		out, err := cmd.CombinedOutput()
		_, exited := errors.AsType[*exec.ExitError](err)
		if err != nil && !exited {
			out = append(out, err.Error()...)
		}
		ends <- end{out, cmd.ProcessState.ExitCode()}
	}()
	return func() (string, int) {
		e := <-ends
		return string(e.out), e.code
	}
}

// newestDeployment is payment's, as the command line tells it.
func (w world) newestDeployment() (d struct{ Status, Stage string }) {
	w.Helper()
	var list struct {
		Deployments []struct{ Status, Stage string }
	}
	if err := json.Unmarshal([]byte(w.must("deployments", "payment", "-n", "1", "--json")), &list); err != nil {
		w.Fatal(err)
	}
	if len(list.Deployments) == 0 {
		return d
	}
	return list.Deployments[0]
}

// runs waits until payment's tasks are of a release alone: others may still
// drain.
func (w world) runs(want string) {
	w.Helper()
	w.eventually(30*time.Second, fmt.Sprintf("payment runs release %q alone", want), func() (bool, error) {
		tasks := w.tasks("payment")
		for _, p := range tasks {
			if got := p.Env("RELEASE"); got != want {
				return false, fmt.Errorf("process %d is of release %q", p.Pid, got)
			}
		}
		return len(tasks) >= 2, fmt.Errorf("%d tasks of payment", len(tasks))
	})
}
