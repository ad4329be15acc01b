package tests

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
)

// Spot tasks are interrupted, and a zone is lost, while requests come in: what
// is warned of costs no request, what dies without a word is replaced.
func TestChaos(t *testing.T) {
	w := newWorld(t)
	w.must(append(w.StartArgs(), "--speed", "10")...)
	w.must("up")
	w.scaleByHand()
	t.Run("spot", func(t *testing.T) {
		w := world{t, w.Engine}
		before := w.pids("")
		_, stop := w.load(11, 10*time.Millisecond, services...)
		for _, s := range services {
			says(t, w.must("chaos", "spot", s, "--all"), "warned")
		}
		w.eventually(time.Minute, "every task has been replaced", func() (bool, error) {
			now := w.pids("")
			return len(now) == 6 && !slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(before, pid) }), fmt.Errorf("%v, then %v", before, now)
		})
		w.lost(stop(), "six Spot tasks interrupted at once")
	})
	t.Run("task", func(t *testing.T) {
		w := world{t, w.Engine}
		before := w.pids("order")
		says(t, w.must("chaos", "task", "order"), "killed")
		w.eventually(20*time.Second, "it is replaced", func() (bool, error) {
			now := w.pids("order")
			return len(now) == 2 && !slices.Equal(now, before) && w.healthy("order") == 2, nil
		})
	})
	t.Run("zone", func(t *testing.T) {
		w := world{t, w.Engine}
		zone := slices.Sorted(maps.Keys(w.zones("")))[0]
		says(t, w.must("chaos", "zone", zone), zone+" is lost", "--restore")
		w.eventually(time.Minute, "what died is replaced elsewhere", func() (bool, error) {
			return len(w.pids("")) == 6 && w.zones("")[zone] == 0 && !slices.ContainsFunc(services, func(s string) bool { return w.healthy(s) != 2 }), nil
		})
		out := w.fails(1, "chaos", "zone", "us-east-1x")
		says(t, out, "there is no availability zone", "us-east-1a")
		says(t, w.must("chaos", "zone", zone, "--restore"), "is back")
		w.must("scale", "payment", "6")
		w.eventually(time.Minute, "the zone has its share", func() (bool, error) { return w.zones("payment")[zone] == 2, fmt.Errorf("%v", w.zones("payment")) })
	})
	t.Run("engine", func(t *testing.T) {
		w := world{t, w.Engine}
		before := w.pids("")
		says(t, w.must("chaos", "engine"), "killed", "answers after")
		if after := w.pids(""); !slices.Equal(before, after) {
			t.Errorf("tasks %v, then %v", before, after)
		}
	})
}

// zones counts running tasks by availability zone, of one service or all.
func (w world) zones(service string) map[string]int {
	w.Helper()
	in := &ecsapi.ListTasksInput{Cluster: new("microservices-cluster-dev")}
	if service != "" {
		in.ServiceName = new(service + "-service-dev")
	}
	arns := call[ecsapi.ListTasksInput, ecsapi.ListTasksOutput](w, "ecs", "ListTasks", in).TaskArns
	count := map[string]int{}
	if len(arns) == 0 {
		return count
	}
	for _, task := range call[ecsapi.DescribeTasksInput, ecsapi.DescribeTasksOutput](w, "ecs", "DescribeTasks", &ecsapi.DescribeTasksInput{Cluster: in.Cluster, Tasks: arns}).Tasks {
		if *task.LastStatus == "RUNNING" {
			count[*task.AvailabilityZone]++
		}
	}
	return count
}
