package rollout_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/control/rollout"
)

func drawConfig(t *rapid.T) rollout.Config {
	c := rollout.Config{
		Strategy:              rapid.SampledFrom([]rollout.Strategy{rollout.Rolling, rollout.Rolling, rollout.BlueGreen, rollout.Linear, rollout.Canary}).Draw(t, "strategy"),
		MinimumHealthyPercent: rapid.SampledFrom([]int{0, 50, 100}).Draw(t, "min"),
		MaximumPercent:        rapid.SampledFrom([]int{150, 200}).Draw(t, "max"),
		Breaker:               rollout.Breaker{Enable: true, Rollback: rapid.Bool().Draw(t, "rollback"), KeepsCount: rapid.Bool().Draw(t, "keeps")},
		Alarms:                true, AlarmRollback: rapid.Bool().Draw(t, "alarm rollback"),
		Bake: time.Duration(rapid.IntRange(0, 60).Draw(t, "bake")) * time.Second, TestTraffic: rapid.Bool().Draw(t, "test"),
		StepPercent: float64(rapid.SampledFrom([]int{5, 30, 50}).Draw(t, "step")), StepBake: time.Duration(rapid.IntRange(0, 20).Draw(t, "step bake")) * time.Second,
	}
	if rapid.Bool().Draw(t, "pauses") {
		c.Pauses = []rollout.Pause{{Stage: rollout.PostTestTrafficShift, Timeout: 20 * time.Second, RollBack: rapid.Bool().Draw(t, "pause rolls back")}}
	}
	return c
}

// Anything may happen to a service for a while: updates good and bad,
// scaling, tasks that die or turn sick, alarms, stops. The promises that
// sim.check holds every plan against are kept throughout, and once it is left
// alone with a good revision, its deployment ends and the service is steady.
func TestPromisesAreKeptAndDeploymentsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(drawConfig(t), rapid.IntRange(1, 5).Draw(t, "desired"))
		u := rollout.Update{Desired: s.Desired, MinimumHealthyPercent: s.Config.MinimumHealthyPercent, MaximumPercent: s.Config.MaximumPercent}
		if !s.Config.Shifts() && u.Upper() <= u.Lower() {
			s.Config.MaximumPercent = 200 // these percentages would block every deployment
		}
		s.deploy("good")
		for range rapid.IntRange(0, 120).Draw(t, "seconds") {
			happen(t, s)
			s.tick()
		}
		s.alarms = nil
		s.deploy("good")
		ours := s.Deployments[0].ID
		for range 600 {
			if s.tick(); s.settled() {
				break
			}
		}
		if len(s.faults) > 0 {
			t.Fatalf("%v\n%s", s.faults, s.log.String())
		}
		d := s.Deployments[0]
		if s.Config.Pauses != nil && s.Config.Pauses[0].RollBack && s.Config.Shifts() {
			if d.RolloutState == rollout.InProgress {
				t.Fatalf("deployment %s did not end\n%s", d.ID, s.log.String())
			}
			return
		}
		if d.ID != ours || d.RolloutState != rollout.Completed || len(s.Deployments) != 1 || s.LastCompleted != ours || len(s.tasks) != s.Desired {
			t.Fatalf("%s is %s, %d deployments, %d of %d tasks\n%s", d.ID, d.RolloutState, len(s.Deployments), len(s.tasks), s.Desired, s.log.String())
		}
	})
}

// settled is true when nothing is left to be done.
func (s *sim) settled() bool {
	return s.Deployments[0].RolloutState == rollout.Completed && len(s.Deployments) == 1 && len(s.tasks) == s.Desired
}

// happen lets one thing happen, mostly nothing.
func happen(t *rapid.T, s *sim) {
	switch rapid.IntRange(0, 30).Draw(t, "event") {
	case 0, 1:
		s.deploy(rapid.SampledFrom([]string{"good", "slow", "crash", "sick", "bare"}).Draw(t, "kind"))
	case 2:
		if len(s.tasks) > 0 {
			x := s.tasks[rapid.IntRange(0, len(s.tasks)-1).Draw(t, "victim")]
			if x.stopping.IsZero() {
				s.end(x, "killed")
			}
		}
	case 3:
		if len(s.tasks) > 0 {
			x := s.tasks[rapid.IntRange(0, len(s.tasks)-1).Draw(t, "patient")]
			x.Healthy, x.Unhealthy = false, x.Checked && x.Running
		}
	case 4:
		if s.alarms = nil; rapid.Bool().Draw(t, "alarm") {
			s.alarms = []string{"errors"}
		}
	case 5:
		if d := &s.Deployments[0]; d.RolloutState == rollout.InProgress && d.Progress.Stage != rollout.CleanUp {
			d.Request = rapid.SampledFrom([]rollout.Request{rollout.Abort, rollout.RollBack}).Draw(t, "request")
		}
	case 6:
		if len(s.tasks) > 0 {
			x := s.tasks[rapid.IntRange(0, len(s.tasks)-1).Draw(t, "interrupted")]
			if x.stopping.IsZero() && !x.Leaving {
				x.Leaving, x.warned = true, s.now
			}
		}
	case 7:
		if h := s.Deployments[0].Progress.Held; h != nil {
			s.Continue(h.ID)
		}
	}
}

// A revision that fails after one that completed is undone: the old tasks
// serve throughout, the failed revision gets no more traffic, and the last
// completed revision is the primary one again.
func TestARollbackRestoresTheOldRevision(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		c.Breaker.Rollback, c.Pauses, c.MinimumHealthyPercent, c.MaximumPercent = true, nil, 100, 200
		s := newSim(c, rapid.IntRange(1, 5).Draw(t, "desired"))
		s.deploy("good")
		for range 30 {
			s.tick()
		}
		old := s.LastCompleted
		var before []string
		for _, x := range s.tasks {
			before = append(before, x.ID)
		}
		s.deploy(rapid.SampledFrom([]string{"crash", "sick"}).Draw(t, "kind"))
		bad := s.Deployments[0].ID
		for range 60 { // the breaker trips within
			s.tick()
			if s.LastCompleted == bad {
				t.Fatalf("the bad revision completed\n%s", s.log.String())
			}
			if c.Shifts() && s.share(bad) > 0 {
				t.Fatalf("the bad revision got traffic\n%s", s.log.String())
			}
		}
		var after []string
		for _, x := range s.tasks {
			after = append(after, x.ID)
		}
		if d := s.Deployments[0]; d.ID != old || d.RollsBack != bad || d.RolloutState != rollout.Completed || !slices.Equal(before, after) || len(s.faults) > 0 {
			t.Fatalf("%+v, tasks %v then %v, faults %v\n%s", d, before, after, s.faults, s.log.String())
		}
	})
}
