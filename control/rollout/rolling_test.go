package rollout_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/control/rollout"
	"pgregory.net/rapid"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// tasks makes tasks from a line such as "new:pending new:healthy old:healthy
// old:unhealthy old:running" (running: nothing checks it).
func tasks(words ...string) []rollout.Task {
	var out []rollout.Task
	for i, w := range words {
		var deployment, state string
		for j := range w {
			if w[j] == ':' {
				deployment, state = w[:j], w[j+1:]
			}
		}
		t := rollout.Task{ID: fmt.Sprintf("t%d", i), Deployment: deployment, Zone: string(rune('a' + i%3)), Checked: true}
		switch state {
		case "running":
			t.Running, t.Checked, t.Since = true, false, start.Add(-time.Hour)
		case "fresh":
			t.Running, t.Checked, t.Since = true, false, start
		case "healthy":
			t.Running, t.Healthy = true, true
		case "unhealthy":
			t.Running, t.Unhealthy = true, true
		case "starting":
			t.Running = true
		}
		out = append(out, t)
	}
	return out
}

func TestNext(t *testing.T) {
	for _, tc := range []struct {
		name     string
		service  rollout.Update
		start    int
		stop     []string
		complete bool
		blocked  bool
	}{
		{
			name:    "a new service starts all its tasks",
			service: rollout.Update{Desired: 2, MinimumHealthyPercent: 100, MaximumPercent: 200}, start: 2,
		},
		{
			name:    "new tasks come before old ones go",
			service: rollout.Update{Desired: 2, MinimumHealthyPercent: 100, MaximumPercent: 200, Tasks: tasks("old:healthy", "old:healthy")}, start: 2,
		},
		{
			name: "each healthy new task releases one old task",
			service: rollout.Update{
				Desired: 2, MinimumHealthyPercent: 100, MaximumPercent: 200,
				Tasks: tasks("old:healthy", "old:healthy", "new:healthy", "new:starting"),
			},
			stop: []string{"t0"},
		},
		{
			name: "without room, old tasks make room down to the lower bound",
			service: rollout.Update{
				Desired: 4, MinimumHealthyPercent: 50, MaximumPercent: 100,
				Tasks: tasks("old:healthy", "old:healthy", "old:healthy", "old:healthy"),
			},
			stop: []string{"t0", "t1"},
		},
		{
			name:    "an unhealthy task is replaced before it is stopped",
			service: rollout.Update{Desired: 2, MinimumHealthyPercent: 100, MaximumPercent: 200, Tasks: tasks("new:healthy", "new:unhealthy")}, start: 1,
		},
		{
			name:    "and stopped once its replacement is healthy",
			service: rollout.Update{Desired: 2, MinimumHealthyPercent: 100, MaximumPercent: 200, Tasks: tasks("new:healthy", "new:unhealthy", "new:healthy")},
			stop:    []string{"t1"},
		},
		{
			name:    "without room an unhealthy task is stopped first",
			service: rollout.Update{Desired: 2, MinimumHealthyPercent: 50, MaximumPercent: 100, Tasks: tasks("new:healthy", "new:unhealthy")},
			stop:    []string{"t1"},
		},
		{
			name:    "scaling in stops in the fullest zone",
			service: rollout.Update{Desired: 3, MinimumHealthyPercent: 100, MaximumPercent: 200, Tasks: tasks("new:healthy", "new:healthy", "new:healthy", "new:healthy")},
			stop:    []string{"t0"},
		},
		{
			name:    "a service that runs in full is complete",
			service: rollout.Update{Desired: 2, MinimumHealthyPercent: 100, MaximumPercent: 200, Tasks: tasks("new:healthy", "new:running")}, complete: true,
		},
		{
			name:    "an unchecked task that just runs does not replace an old one yet",
			service: rollout.Update{Desired: 1, MinimumHealthyPercent: 100, MaximumPercent: 200, Tasks: tasks("old:running", "new:fresh")},
		},
		{
			name:    "a tripped breaker starts nothing and leaves the old tasks alone",
			service: rollout.Update{Desired: 2, MinimumHealthyPercent: 50, MaximumPercent: 200, Halted: true, Tasks: tasks("old:healthy", "old:healthy")},
		},
		{
			name:    "bounds that forbid every step are told",
			service: rollout.Update{Desired: 1, MinimumHealthyPercent: 100, MaximumPercent: 150, Tasks: tasks("old:healthy")}, blocked: true,
		},
		{
			name:    "a service scaled to nothing stops everything",
			service: rollout.Update{Desired: 0, MinimumHealthyPercent: 100, MaximumPercent: 200, Tasks: tasks("new:healthy", "old:healthy")},
			stop:    []string{"t0", "t1"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.service.Primary = "new"
			p := tc.service.Next(start)
			var stop []string
			for _, s := range p.Stop {
				stop = append(stop, s.Task)
			}
			slices.Sort(stop)
			if p.Start != tc.start || !slices.Equal(stop, tc.stop) || p.Complete != tc.complete || p.Blocked != tc.blocked {
				t.Errorf("start %d stop %v complete %v blocked %v, want %d %v %v %v", p.Start, stop, p.Complete, p.Blocked, tc.start, tc.stop, tc.complete, tc.blocked)
			}
		})
	}
}

func TestBreakerThreshold(t *testing.T) {
	for _, tc := range []struct {
		b       rollout.Breaker
		desired int
		want    int
	}{
		{rollout.Breaker{}, 1, 3},
		{rollout.Breaker{}, 25, 13},
		{rollout.Breaker{}, 400, 200},
		{rollout.Breaker{}, 1000, 200},
		{rollout.Breaker{ThresholdType: "UNBOUNDED_PERCENT", Value: 50}, 1000, 500},
		{rollout.Breaker{ThresholdType: "UNBOUNDED_PERCENT", Value: 10}, 1, 1},
		{rollout.Breaker{ThresholdType: "COUNT", Value: 7}, 1, 7},
	} {
		if got := tc.b.Threshold(tc.desired); got != tc.want {
			t.Errorf("%+v for %d tasks: %d, want %d", tc.b, tc.desired, got, tc.want)
		}
	}
}

// A service is simulated: tasks start, turn healthy or fail at random, and the
// plan is carried out. The bounds hold by the scheduler's own doing at every
// step, and once tasks stop failing, the deployment completes.
func TestBoundsHoldAndDeploymentsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rollout.Update{
			Desired:               rapid.IntRange(0, 8).Draw(t, "desired"),
			MinimumHealthyPercent: rapid.SampledFrom([]int{0, 50, 66, 100}).Draw(t, "min"),
			MaximumPercent:        rapid.SampledFrom([]int{125, 150, 200}).Draw(t, "max"),
			Primary:               "new",
		}
		if s.Upper() <= s.Lower() && s.Desired > 0 {
			t.Skip("these percentages block every deployment")
		}
		now, next := start, 0
		for range rapid.IntRange(0, s.Desired).Draw(t, "old") {
			s.Tasks = append(s.Tasks, rollout.Task{ID: fmt.Sprint("o", len(s.Tasks)), Deployment: "old", Checked: true, Running: true, Healthy: true})
		}
		for step := range 200 {
			faults := step < 40
			p := s.Next(now)
			before := healthy(s.Tasks)
			for _, stop := range p.Stop {
				s.Tasks = slices.DeleteFunc(s.Tasks, func(t rollout.Task) bool { return t.ID == stop.Task })
			}
			if after := healthy(s.Tasks); after < before && after < s.Lower() {
				t.Fatalf("step %d: %d healthy, lower bound %d, plan %+v", step, after, s.Lower(), p)
			}
			for range p.Start {
				s.Tasks = append(s.Tasks, rollout.Task{ID: fmt.Sprint("n", next), Deployment: "new", Zone: fmt.Sprint(next % 3), Checked: true})
				next++
			}
			if p.Start > 0 && len(s.Tasks) > s.Upper() {
				t.Fatalf("step %d: %d tasks, upper bound %d", step, len(s.Tasks), s.Upper())
			}
			if p.Complete && !faults {
				return
			}
			now = now.Add(time.Second)
			for i := range s.Tasks {
				task := &s.Tasks[i]
				switch fate := rapid.IntRange(0, 9).Draw(t, "fate"); {
				case !task.Running:
					task.Running = true
				case faults && fate == 0:
					task.Healthy, task.Unhealthy = false, true
				case !task.Unhealthy:
					task.Healthy = true
				}
			}
			if faults && rapid.IntRange(0, 9).Draw(t, "crash") == 0 && len(s.Tasks) > 0 {
				s.Tasks = s.Tasks[1:]
			}
		}
		t.Fatalf("the deployment never completed: %+v", s)
	})
}

func healthy(ts []rollout.Task) int {
	n := 0
	for _, t := range ts {
		if t.Healthy {
			n++
		}
	}
	return n
}
