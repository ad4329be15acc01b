package rollout

import (
	"slices"
	"time"
)

// Stage is a step in the life of a deployment that shifts traffic.
type Stage string

// Stages, in order (ECS API reference, ServiceDeployment.lifecycleStage).
const (
	ReconcileService           Stage = "RECONCILE_SERVICE"
	PreScaleUp                 Stage = "PRE_SCALE_UP"
	ScaleUp                    Stage = "SCALE_UP"
	PostScaleUp                Stage = "POST_SCALE_UP"
	TestTrafficShift           Stage = "TEST_TRAFFIC_SHIFT"
	PostTestTrafficShift       Stage = "POST_TEST_TRAFFIC_SHIFT"
	PreProductionTrafficShift  Stage = "PRE_PRODUCTION_TRAFFIC_SHIFT"
	ProductionTrafficShift     Stage = "PRODUCTION_TRAFFIC_SHIFT"
	PostProductionTrafficShift Stage = "POST_PRODUCTION_TRAFFIC_SHIFT"
	BakeTime                   Stage = "BAKE_TIME"
	CleanUp                    Stage = "CLEAN_UP"
	done                       Stage = ""
)

var stages = []Stage{
	ReconcileService, PreScaleUp, ScaleUp, PostScaleUp, TestTrafficShift, PostTestTrafficShift,
	PreProductionTrafficShift, ProductionTrafficShift, PostProductionTrafficShift, BakeTime, CleanUp, done,
}

// Progress is how far a deployment has come.
type Progress struct {
	Stage Stage
	Since time.Time // when the stage began
	// Production and Test are the percentages of the traffic that the primary
	// deployment gets.
	Production, Test float64
	// Begun is true once the first stage was entered.
	Begun bool
	// Held is the pause that the deployment stands at; Passed are the stages
	// whose pause is over.
	Held   *Hold
	Passed []Stage
}

// Traffic is where requests go: percentages of the primary deployment, the
// rest goes to the one that holds the production traffic.
type Traffic struct {
	Primary          string // deployment
	Production, Test float64
}

// Pause holds a deployment at the end of a stage until it is continued.
type Pause struct {
	Stage Stage
	// Timeout is how long it waits; then it goes on, or rolls back.
	Timeout  time.Duration
	RollBack bool
}

// Hold is a pause that a deployment stands at.
type Hold struct {
	ID       string
	Stage    Stage
	Until    time.Time
	RollBack bool // at the end of the wait
}

// shift takes the primary deployment through its stages, as far as it gets
// now, and says where the traffic goes.
func (d *step) shift() {
	dep := d.primary()
	if dep.RolloutState == InProgress && !d.Ending {
		if !dep.Progress.Begun {
			d.enter(dep, d.first(dep))
		}
		for d.over(dep) {
			d.enter(dep, d.next(dep))
		}
	}
	switch dep.RolloutState {
	case Completed:
		d.plan.Traffic = &Traffic{Primary: dep.ID, Production: 100, Test: 100}
	case InProgress, Failed: // a failed one that nothing rolls back keeps what it has
		d.plan.Traffic = &Traffic{Primary: dep.ID, Production: dep.Progress.Production, Test: dep.Progress.Test}
	}
}

// first is the stage a deployment begins with.
func (d *step) first(dep *Deployment) Stage {
	for id, n := range d.Holding {
		if n > 0 && id != dep.ID && id != d.LastCompleted {
			return ReconcileService // what a deployment before left behind
		}
	}
	return PreScaleUp
}

// alone is true when no other deployment holds the traffic: on the creation of
// a service, and when what is rolled back to is itself what served.
func (d *step) alone(dep *Deployment) bool {
	p := d.production()
	return p == nil || p.ID == dep.ID
}

func (d *step) enter(dep *Deployment, s Stage) {
	p := &dep.Progress
	p.Stage, p.Since, p.Begun, dep.UpdatedAt = s, d.now, true, d.now
	switch s {
	case ReconcileService, PreScaleUp:
		if d.alone(dep) {
			p.Production, p.Test = 100, 100
		}
	case TestTrafficShift:
		if d.Config.TestTraffic {
			p.Test = 100
		}
	case ProductionTrafficShift:
		p.Production = d.nextPercent(p.Production)
	case CleanUp:
		p.Production, p.Test = 100, 100
		d.LastCompleted = dep.ID // from here on there is no way back
	}
}

// nextPercent is the production traffic after one more step.
func (d *step) nextPercent(now float64) float64 {
	switch d.Config.Strategy {
	case Linear:
		if now+d.Config.StepPercent < 100 {
			return now + d.Config.StepPercent
		}
	case Canary:
		if now < d.Config.StepPercent {
			return d.Config.StepPercent
		}
	}
	return 100
}

// over says whether the present stage has ended.
func (d *step) over(dep *Deployment) bool {
	p := &dep.Progress
	switch p.Stage {
	case done:
		return false
	case ReconcileService:
		for id, n := range d.Holding {
			if n > 0 && id != dep.ID && id != d.LastCompleted {
				return false
			}
		}
	case ScaleUp, TestTrafficShift, PreProductionTrafficShift:
		if d.ready(dep) < d.Desired {
			return false // no traffic to what lost a task meanwhile
		}
	case ProductionTrafficShift:
		if p.Production < 100 && !d.waited(p, d.Config.StepBake) {
			return false
		}
	case BakeTime:
		if !d.waited(p, d.Config.Bake) {
			return false
		}
	case CleanUp:
		for id, n := range d.Holding {
			if n > 0 && id != dep.ID {
				return false
			}
		}
	}
	return !d.held(dep)
}

func (d *step) waited(p *Progress, t time.Duration) bool {
	left := p.Since.Add(d.scaled(t)).Sub(d.now)
	d.again(left)
	return left <= 0
}

// ready counts the tasks of a deployment that could serve.
func (d *step) ready(dep *Deployment) (n int) {
	for _, t := range d.Tasks {
		if t.Deployment == dep.ID && ready(t) {
			n++
		}
	}
	return n
}

// next is the stage after the present one. A deployment that has no other
// beside it has no traffic to shift and nothing to return to.
func (d *step) next(dep *Deployment) Stage {
	p := &dep.Progress
	switch {
	case p.Stage == PostScaleUp && (d.alone(dep) || dep.RollsBack != ""):
		return CleanUp
	case p.Stage == ProductionTrafficShift && p.Production < 100:
		p.Passed = slices.DeleteFunc(p.Passed, func(s Stage) bool { return s == PreProductionTrafficShift || s == ProductionTrafficShift })
		return PreProductionTrafficShift
	}
	return stages[slices.Index(stages, p.Stage)+1]
}

// held says whether a pause keeps the deployment at the end of its stage.
func (d *step) held(dep *Deployment) bool {
	p := &dep.Progress
	if p.Held == nil {
		at := slices.IndexFunc(d.Config.Pauses, func(x Pause) bool { return x.Stage == p.Stage })
		if at < 0 || dep.RollsBack != "" || slices.Contains(p.Passed, p.Stage) {
			return false
		}
		x := d.Config.Pauses[at]
		p.Held = &Hold{ID: dep.ID + "/" + string(p.Stage), Stage: p.Stage, Until: d.now.Add(d.scaled(x.Timeout)), RollBack: x.RollBack}
	}
	if left := p.Held.Until.Sub(d.now); left > 0 {
		d.again(left)
		return true
	}
	if p.Held.RollBack {
		return true // judge rolls it back
	}
	p.release()
	return false
}

// release ends the pause.
func (p *Progress) release() { p.Passed, p.Held = append(p.Passed, p.Held.Stage), nil }

// Continue ends the pause that the primary deployment stands at; false when it
// stands at none with this id.
func (s *Service) Continue(hold string) bool {
	p := &s.primary().Progress
	if p.Held == nil || p.Held.ID != hold {
		return false
	}
	p.release()
	return true
}

// wanted is how many tasks a deployment shall have while traffic shifts.
func (d *step) wanted(dep *Deployment) int {
	primary := d.primary()
	switch {
	case dep.ID == primary.ID && dep.RolloutState == InProgress && dep.RollsBack == "" && early(dep.Progress.Stage) && !d.Ending:
		return 0
	case dep.ID == primary.ID:
		return d.Desired
	case dep.ID == d.LastCompleted && primary.RolloutState != Completed && primary.Progress.Stage != CleanUp:
		return d.Desired
	}
	return 0
}

// early is true for the stages before a new revision has tasks.
func early(s Stage) bool { return slices.Index(stages, s) < slices.Index(stages, ScaleUp) }
