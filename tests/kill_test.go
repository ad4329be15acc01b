package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

// served is within what time the platform has to serve again after its engine
// was killed.
const served = 3 * time.Second

// kill -9 of the engine under load: the same processes, the same state, and
// served again before anybody looks.
func TestEngineIsKilled(t *testing.T) {
	w := platform(t)
	pids, state := w.pids(""), w.state()
	answered, stop := w.load(8, 2*time.Millisecond, "payment", "order", "notification")
	var worst time.Duration
	for range 3 {
		calm := answered.Load() + 1000
		w.eventually(30*time.Second, "load", func() (bool, error) { return answered.Load() > calm, nil })
		worst = max(worst, w.killEngine())
	}
	result := stop()
	if worst > served {
		t.Errorf("a request was answered only %s after the engine's end, want %s", worst, served)
	}
	if now := w.pids(""); !slices.Equal(pids, now) {
		t.Errorf("containers %v ran before, %v now", pids, now)
	}
	if now := w.state(); now != state {
		t.Errorf("the state was\n%s\nand is now\n%s", state, now)
	}
	// What failed was cut off with the old process's connections, or found it dead.
	failures := result.Failures()
	if most := 3 * 3 * 8; len(failures) > most {
		t.Errorf("%d of %d requests failed, more than the connections of three killed engines (%d); the last: %s", len(failures), len(result), most, failures[len(failures)-1])
	}
	t.Logf("kill -9 of the engine to an answer through the load balancer: at worst %s; of %d requests %d failed, the slowest took %s",
		worst.Round(time.Millisecond), len(result), len(failures), result.Slowest().Round(time.Millisecond))
}

// killEngine kills the engine process and returns the time until a new request
// through the load balancer is answered by the next one.
func (w world) killEngine() time.Duration {
	w.Helper()
	st := w.ready(0)
	began := time.Now()
	if err := syscall.Kill(st, syscall.SIGKILL); err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := rig.Until(ctx, 20*time.Second, "an answer through the load balancer", func() (bool, error) {
		r := rig.Load{Addr: w.Balancer(), URL: w.url("payment"), Conns: 1, Count: 1}.Run(ctx)
		if len(r) == 1 && r[0].Status == http.StatusOK {
			return true, nil
		}
		return false, fmt.Errorf("%v", r)
	})
	took := time.Since(began)
	if err != nil {
		w.Fatal(err)
	}
	w.ready(st)
	return took
}

// ready waits for an engine that answers and is not the old one, and returns
// its pid.
func (w world) ready(old int) (pid int) {
	w.Helper()
	w.eventually(20*time.Second, "the engine is ready", func() (bool, error) {
		st, err := w.Status()
		pid = st.EnginePid
		return err == nil && st.Ready && pid != 0 && pid != old, err
	})
	return pid
}

// state is everything about the platform that a restart must not change.
func (w world) state() string {
	w.Helper()
	type service struct {
		Name, Status, Definition string
		Desired, Running         int32
		Deployments              int
		Tasks                    []string
	}
	var all struct {
		Stack    cfnapi.StackStatus
		Services []service
	}
	stacks := call[cfnapi.DescribeStacksInput, cfnapi.DescribeStacksOutput](w, "cloudformation", "DescribeStacks", &cfnapi.DescribeStacksInput{StackName: new("TapStackdev")})
	all.Stack = stacks.Stacks[0].StackStatus
	for _, name := range services {
		s := w.describe(name)
		list := call[ecsapi.ListTasksInput, ecsapi.ListTasksOutput](w, "ecs", "ListTasks", &ecsapi.ListTasksInput{Cluster: new("microservices-cluster-dev"), ServiceName: s.ServiceName})
		slices.Sort(list.TaskArns)
		all.Services = append(all.Services, service{
			val(s.ServiceName), val(s.Status), val(s.TaskDefinition), val(s.DesiredCount), val(s.RunningCount), len(s.Deployments), list.TaskArns,
		})
	}
	b, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		w.Fatal(err)
	}
	return string(b)
}
