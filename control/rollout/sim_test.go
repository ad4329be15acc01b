package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/control/rollout"
)

// sim is a service whose plans are carried out on played tasks, second by
// second. What a task does is written in the kind of its revision:
//
//	good   runs after a second, healthy a second later
//	slow   runs after a second, healthy after a minute
//	crash  ends after a second
//	sick   runs, and fails its checks after five seconds
//	bare   runs, and nothing checks it
type sim struct {
	rollout.Service
	now      time.Time
	tasks    []*played
	next     int // task number
	deployed int // deployment number
	kinds    map[string]string
	ended    []rollout.Ended
	alarms   []string
	zones    []string // kept even, when there are any
	traffic  *rollout.Traffic
	log      strings.Builder
	last     string // state told last
	// faults are what the scheduler did that it must not.
	faults []string
}

// played is a task. It drains for three seconds before it ends.
type played struct {
	rollout.Task
	born     time.Time
	stopping time.Time
	warned   time.Time
}

const drainFor = 3 * time.Second

func newSim(c rollout.Config, desired int) *sim {
	return &sim{Service: rollout.Service{Config: c, Desired: desired}, now: start, kinds: map[string]string{}}
}

func (s *sim) deploy(kind string) {
	s.deployed++
	id := fmt.Sprintf("d%d", s.deployed)
	s.kinds[id] = kind
	s.Begin(id, s.alarms, s.now)
}

// tick is one second.
func (s *sim) tick() {
	s.now = s.now.Add(time.Second)
	s.play()
	for range 5 { // a step's writes bring the next one about
		if !s.step() {
			return
		}
	}
}

func (s *sim) play() {
	s.tasks = slices.DeleteFunc(s.tasks, func(t *played) bool {
		return !t.stopping.IsZero() && s.now.Sub(t.stopping) >= drainFor
	})
	for _, t := range slices.Clone(s.tasks) {
		kind, age := s.kinds[t.Deployment], s.now.Sub(t.born)
		switch {
		case !t.stopping.IsZero():
		case kind == "crash" && age >= time.Second:
			s.end(t, "exit code 1")
		case !t.Running && age >= time.Second:
			t.Running, t.Since = true, s.now
			t.Checked = kind != "bare"
		case kind == "sick" && age >= 5*time.Second:
			t.Unhealthy = true
		case !t.Unhealthy && (kind == "good" && age >= 2*time.Second || kind == "slow" && age >= time.Minute):
			t.Healthy = t.Checked
		}
	}
}

// end ends a task by itself.
func (s *sim) end(t *played, why string) {
	s.ended = append(s.ended, rollout.Ended{Deployment: t.Deployment, WasHealthy: t.WasHealthy, Why: why})
	s.tasks = slices.DeleteFunc(s.tasks, func(o *played) bool { return o == t })
}

func (s *sim) facts() rollout.Facts {
	f := rollout.Facts{Holding: map[string]int{}, Alarms: s.alarms, Zones: s.zones, NewID: fmt.Sprintf("d%d", s.deployed+1), Ended: s.ended}
	for _, t := range s.tasks {
		f.Holding[t.Deployment]++
		if t.stopping.IsZero() {
			t.Up = t.Leaving && s.now.Sub(t.warned) >= 90*time.Second
			f.Tasks = append(f.Tasks, t.Task)
		}
	}
	return f
}

// step carries out one plan, and says whether it did anything.
func (s *sim) step() bool {
	before := fmt.Sprint(s.Deployments, s.LastCompleted)
	f := s.facts()
	s.ended = nil
	p := s.Step(f, s.now)
	if s.Deployments[0].ID == f.NewID {
		s.deployed++
		s.kinds[f.NewID] = "good"
	}
	s.check(f, p)
	s.say(p)
	for _, t := range s.tasks {
		t.WasHealthy = t.WasHealthy || slices.Contains(p.Healthy, t.ID)
		if slices.ContainsFunc(p.Stop, func(x rollout.Stop) bool { return x.Task == t.ID }) {
			t.stopping = s.now
		}
	}
	for _, x := range p.Start {
		for range x.Count {
			s.next++
			s.tasks = append(s.tasks, &played{
				Task: rollout.Task{ID: fmt.Sprintf("t%d", s.next), Deployment: x.Deployment, Zone: s.zone(), Checked: s.kinds[x.Deployment] != "bare"},
				born: s.now,
			})
		}
	}
	if p.Traffic != nil {
		s.traffic = p.Traffic
	}
	return len(p.Start)+len(p.Stop)+len(p.Events) > 0 || before != fmt.Sprint(s.Deployments, s.LastCompleted)
}

// zone is where the next task goes: round about, or where the fewest are.
func (s *sim) zone() string {
	if len(s.zones) == 0 {
		return string(rune('a' + s.next%3))
	}
	count := map[string]int{}
	for _, t := range s.tasks {
		if t.stopping.IsZero() {
			count[t.Zone]++
		}
	}
	return slices.MinFunc(s.zones, func(a, b string) int { return count[a] - count[b] })
}

// share is the percentage of the production traffic that a deployment gets.
func (s *sim) share(id string) float64 {
	switch {
	case s.traffic == nil:
		return 0
	case id == s.traffic.Primary:
		return s.traffic.Production
	case id == s.LastCompleted:
		return 100 - s.traffic.Production
	}
	return 0
}

// check holds a plan against what the scheduler promises.
func (s *sim) check(f rollout.Facts, p rollout.Plan) {
	fault := func(format string, args ...any) {
		s.faults = append(s.faults, fmt.Sprintf("%s: ", s.now.Sub(start))+fmt.Sprintf(format, args...))
	}
	u := rollout.Update{Desired: s.Desired, MinimumHealthyPercent: s.Config.MinimumHealthyPercent, MaximumPercent: s.Config.MaximumPercent}
	lower, upper := u.Lower(), u.Upper()
	healthy, healthyStopped, started := 0, 0, 0
	for _, t := range f.Tasks {
		stopped := slices.ContainsFunc(p.Stop, func(x rollout.Stop) bool { return x.Task == t.ID })
		if t.Leaving {
			continue // it goes anyway
		}
		counts := t.Healthy || !t.Checked && t.Running && s.now.Sub(t.Since) >= rollout.SettleTime
		if counts {
			healthy++
		}
		if counts && stopped {
			healthyStopped++
		}
	}
	for _, x := range p.Start {
		started += x.Count
		if d := s.Deployments[0]; x.Deployment == d.ID && d.RolloutState == rollout.Failed {
			fault("a failed deployment starts %d tasks", x.Count)
		}
	}
	if s.Config.Shifts() {
		upper = 2 * s.Desired * 2 // two whole revisions, and replacements of each
	}
	for _, t := range f.Tasks {
		if t.Leaving {
			upper++ // it goes anyway
		}
	}
	if started > 0 && len(f.Tasks)+started > upper {
		fault("%d tasks, upper bound %d", len(f.Tasks)+started, upper)
	}
	if !s.Config.Shifts() && healthyStopped > 0 && healthy-healthyStopped < lower {
		fault("%d healthy tasks of %d stopped, lower bound %d", healthyStopped, healthy, lower)
	}
	for _, x := range p.Stop {
		t := f.Tasks[slices.IndexFunc(f.Tasks, func(t rollout.Task) bool { return t.ID == x.Task })]
		gone := !slices.ContainsFunc(f.Tasks, func(o rollout.Task) bool {
			return o.Deployment == t.Deployment && !slices.ContainsFunc(p.Stop, func(x rollout.Stop) bool { return x.Task == o.ID })
		})
		// Traffic that this very plan takes away is gone when the task ends:
		// it drains first.
		if s.Config.Shifts() && gone && s.Desired > 0 && p.Traffic != nil && p.Traffic.Primary == t.Deployment && p.Traffic.Production > 0 && t.Healthy {
			fault("the last healthy task of %s is stopped while it gets %g%% of the traffic", t.Deployment, p.Traffic.Production)
		}
	}
	if p.Traffic != nil {
		s.checkTraffic(f, p.Traffic, fault)
	}
}

// checkTraffic refuses traffic to a revision that was never ready.
func (s *sim) checkTraffic(f rollout.Facts, t *rollout.Traffic, fault func(string, ...any)) {
	if s.traffic == nil || s.Desired == 0 || s.LastCompleted == "" || t.Production <= s.traffic.Production && t.Primary == s.traffic.Primary {
		return
	}
	if t.Primary == s.LastCompleted || t.Production == 0 {
		return // back to what served
	}
	if !slices.ContainsFunc(f.Tasks, func(x rollout.Task) bool { return x.Deployment == t.Primary && x.Running && (!x.Checked || x.Healthy) }) {
		fault("%g%% of the traffic goes to %s, which has no healthy task", t.Production, t.Primary)
	}
}

// say writes what a plan does, and the state when it has changed.
func (s *sim) say(p rollout.Plan) {
	at := fmt.Sprintf("%7s  ", s.now.Sub(start))
	for _, x := range p.Start {
		replacing := ""
		if x.Replacing > 0 {
			replacing = fmt.Sprintf(", %d of them for unhealthy ones", x.Replacing)
		}
		fmt.Fprintf(&s.log, "%sstart %d of %s%s\n", at, x.Count, x.Deployment, replacing)
	}
	for _, x := range p.Stop {
		why := map[rollout.Reason]string{rollout.Surplus: "surplus", rollout.Superseded: "superseded", rollout.Unhealthy: "unhealthy", rollout.Interrupted: "interrupted", rollout.Rebalanced: "rebalanced"}[x.Reason]
		fmt.Fprintf(&s.log, "%sstop %s: %s\n", at, x.Task, why)
	}
	for _, e := range p.Events {
		fmt.Fprintf(&s.log, "%s%s\n", at, e)
	}
	d := s.Deployments[0]
	state := fmt.Sprintf("%s %s %s", d.ID, d.RolloutState, d.Progress.Stage)
	if d.Progress.Held != nil {
		state += " paused"
	}
	if p.Traffic != nil {
		state += fmt.Sprintf(" traffic %g%% test %g%%", p.Traffic.Production, p.Traffic.Test)
	}
	if p.Blocked {
		state += " blocked"
	}
	if p.Steady {
		state += " steady"
	}
	if state = strings.Join(strings.Fields(state), " "); state != s.last {
		fmt.Fprintf(&s.log, "%s%s\n", at, state)
		s.last = state
	}
}
