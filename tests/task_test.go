package tests

import (
	"context"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/tests/rig"
)

// A task's process dies: another takes its place, and of the requests sent
// meanwhile only those fail that were in flight on the dead process, or reached
// its sidecar, which lives on and says 503 as Envoy does, before the engine knew.
func TestTaskIsKilled(t *testing.T) {
	w := platform(t)
	const requests, conns = 10_000, 32
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	var answered atomic.Int64
	loaded := make(chan rig.Result, 1)
	go func() {
		loaded <- rig.Load{Addr: w.Balancer(), URL: w.url("payment"), Conns: conns, Count: requests, Answered: &answered}.Run(ctx)
	}()
	before := w.tasks("payment")
	if len(before) != 2 {
		t.Fatalf("%d tasks of payment run, want 2", len(before))
	}
	victim := before[0]
	w.eventually(10*time.Second, "load", func() (bool, error) { return answered.Load() > requests/10, nil })

	running := w.wanted("payment")
	killed := time.Now()
	if err := syscall.Kill(victim.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.eventually(5*time.Second, "the process is gone", func() (bool, error) { return !victim.Alive(), nil })
	w.eventually(5*time.Second, "the engine knows", func() (bool, error) { return !subset(running, w.wanted("payment")), nil })
	known := time.Now()
	w.eventually(20*time.Second, "a replacement serves", func() (bool, error) {
		now := w.pids("payment")
		return len(now) == 2 && !slices.Contains(now, victim.Pid) && w.healthy("payment") == 2, nil
	})
	replaced := time.Since(killed)
	result := <-loaded

	if len(result) != requests {
		t.Errorf("%d requests were sent, want %d", len(result), requests)
	}
	failures := result.Failures()
	for _, f := range failures {
		if f.At.After(known) || f.At.Add(f.Took).Before(killed) {
			t.Errorf("a request that did not meet the dead process failed (killed %s, known %s): %s", killed.Format("05.000"), known.Format("05.000"), f)
		}
	}
	if len(failures) > requests/50 {
		t.Errorf("%d requests failed, more than a moment has", len(failures))
	}
	t.Logf("kill to replacement serving: %s; of %d requests at %d connections %d failed, the slowest took %s",
		replaced.Round(time.Millisecond), len(result), conns, len(failures), result.Slowest().Round(time.Millisecond))
}

// wanted are the tasks of a service that are to run, as ECS has them.
func (w world) wanted(service string) []string {
	w.Helper()
	return call[ecsapi.ListTasksInput, ecsapi.ListTasksOutput](w, "ecs", "ListTasks",
		&ecsapi.ListTasksInput{Cluster: new("microservices-cluster-dev"), ServiceName: new(service + "-service-dev")}).TaskArns
}

func subset(of, all []string) bool {
	return !slices.ContainsFunc(of, func(one string) bool { return !slices.Contains(all, one) })
}

// healthy is how many targets of a service the load balancer takes for healthy.
func (w world) healthy(service string) (n int) {
	w.Helper()
	s := w.describe(service)
	out := call[elbv2api.DescribeTargetHealthInput, elbv2api.DescribeTargetHealthOutput](w, "elbv2", "DescribeTargetHealth",
		&elbv2api.DescribeTargetHealthInput{TargetGroupArn: s.LoadBalancers[0].TargetGroupArn})
	for _, d := range out.TargetHealthDescriptions {
		if d.TargetHealth.State == "healthy" {
			n++
		}
	}
	return n
}
