package tests

import (
	"context"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/tests/rig"
)

// A task's process dies: another takes its place, and of the requests sent
// meanwhile only those in flight on the dead process fail: its sidecar, which lives
// on, says of all others that they reached nobody, and the load balancer sends
// them to another task.
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

	killed := time.Now()
	if err := syscall.Kill(victim.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.eventually(5*time.Second, "the process is gone", func() (bool, error) { return !victim.Alive(), nil })
	gone := time.Now()
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
		if f.At.After(gone) || f.At.Add(f.Took).Before(killed) {
			t.Errorf("a request that was not in flight on the dead process failed (killed %s, gone %s): %s", killed.Format("05.000"), gone.Format("05.000"), f)
		}
	}
	if len(failures) > conns {
		t.Errorf("%d requests failed, more than could be in flight", len(failures))
	}
	t.Logf("kill to replacement serving: %s; of %d requests at %d connections %d failed, the slowest took %s",
		replaced.Round(time.Millisecond), len(result), conns, len(failures), result.Slowest().Round(time.Millisecond))
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
