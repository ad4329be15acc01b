package rollout

import (
	"slices"
	"time"
)

// Step decides. It changes the service and returns what to do.
func (s *Service) Step(f Facts, now time.Time) Plan {
	d := &step{Service: s, Facts: f, now: now}
	d.drop()
	d.countEnded()
	d.noteHealthy()
	if !s.Ending {
		d.judge()
	}
	d.scale()
	d.complete()
	return d.plan
}

// step is the working state of one decision.
type step struct {
	*Service
	Facts
	now   time.Time
	plan  Plan
	moves Moves // of the primary deployment
}

func (d *step) say(text string) { d.plan.Events = append(d.plan.Events, text) }

func (d *step) again(after time.Duration) {
	if after > 0 && (d.plan.Again == 0 || after < d.plan.Again) {
		d.plan.Again = after
	}
}

// scaled is a prescribed waiting time at the clock's speed.
func (f Facts) scaled(t time.Duration) time.Duration {
	if f.Speed == 0 {
		return t
	}
	return time.Duration(float64(t) / f.Speed)
}

func (d *step) countEnded() {
	for _, e := range d.Ended {
		dep := d.find(e.Deployment)
		if dep == nil {
			continue
		}
		dep.LastFailure = e.Why
		if !e.WasHealthy { // else it could start: what ended it is no reason to wait with the next
			d.countFailure(dep)
			d.throttle(dep)
		}
	}
}

// countFailure counts a task that could not start, or was replaced for a
// failed check, against its deployment's circuit breaker.
func (d *step) countFailure(dep *Deployment) {
	if dep.RolloutState == InProgress {
		dep.FailedTasks++
		dep.UpdatedAt = d.now
	}
}

// throttle holds the next starts back when one task after the other fails
// before it was ever healthy.
func (d *step) throttle(dep *Deployment) {
	dep.Streak++
	wait := Throttle(dep.Streak)
	dep.NotBefore = d.now.Add(d.scaled(wait))
	d.plan.Throttled = d.plan.Throttled || wait > 0
}

// noteHealthy finds the tasks that are healthy for the first time (those that
// nothing checks: settled), which resets the counts of their deployment.
func (d *step) noteHealthy() {
	for i := range d.Tasks {
		t := &d.Tasks[i]
		settled := !t.Checked && t.Running && d.now.Sub(t.Since) >= d.scaled(SettleTime)
		dep := d.find(t.Deployment)
		if dep == nil || t.WasHealthy || !t.Healthy && !settled {
			continue
		}
		t.WasHealthy = true
		d.plan.Healthy = append(d.plan.Healthy, t.ID)
		dep.Streak, dep.NotBefore = 0, time.Time{}
		if !d.Config.Breaker.KeepsCount {
			dep.FailedTasks = 0
		}
	}
}

// scale plans starts and stops: in one rolling update of all deployments, or,
// while traffic shifts, for each of the two revisions by itself.
func (d *step) scale() {
	primary := d.primary()
	if !d.Config.Shifts() {
		d.moves = d.move(primary, d.Desired, d.Tasks)
	} else {
		d.shift()
		for i := range d.Deployments {
			dep := &d.Deployments[i]
			tasks := slices.DeleteFunc(slices.Clone(d.Tasks), func(t Task) bool { return t.Deployment != dep.ID })
			m := d.move(dep, d.wanted(dep), tasks)
			if dep == primary {
				d.moves = m
			}
		}
	}
	d.plan.Blocked = d.moves.Blocked
}

// move lets one update make its moves.
func (d *step) move(dep *Deployment, desired int, tasks []Task) Moves {
	u := Update{
		Desired: desired, MinimumHealthyPercent: d.Config.MinimumHealthyPercent, MaximumPercent: d.Config.MaximumPercent,
		Primary: dep.ID, Halted: dep.RolloutState == Failed, NotBefore: dep.NotBefore, Tasks: tasks, SettleTime: d.scaled(SettleTime),
	}
	if d.Config.Shifts() {
		u.MinimumHealthyPercent, u.MaximumPercent = 100, 200 // not used by these strategies; each revision keeps itself whole
	}
	if dep.RolloutState == Completed && dep == d.primary() {
		u.Zones = d.Zones
	}
	m := u.Next(d.now)
	d.plan.Rebalancing = d.plan.Rebalancing || m.Rebalancing
	d.again(m.Again)
	if m.Start > 0 {
		d.plan.Start = append(d.plan.Start, Start{dep.ID, m.Start, m.Replacing})
	}
	for _, stop := range m.Stop {
		if stop.Reason == Unhealthy {
			t := tasks[slices.IndexFunc(tasks, func(t Task) bool { return t.ID == stop.Task })]
			d.countFailure(dep)
			if !t.WasHealthy {
				d.throttle(dep)
			}
		}
	}
	for _, stop := range m.Stop {
		if dep != d.primary() && stop.Reason == Surplus && desired == 0 {
			stop.Reason = Superseded
		}
		d.plan.Stop = append(d.plan.Stop, stop)
	}
	return m
}

// complete ends the deployment that runs in full and has been watched for its
// bake time.
func (d *step) complete() {
	dep := d.primary()
	full := d.moves.Complete && d.moves.Start == 0
	over := full
	if d.Config.Shifts() {
		over = dep.Progress.Begun && dep.Progress.Stage == done
	}
	if over && dep.RolloutState == InProgress && !d.Ending {
		if !d.Config.Shifts() && d.baking(dep) {
			return
		}
		dep.RolloutState, dep.Reason, dep.UpdatedAt = Completed, "ECS deployment "+dep.ID+" completed.", d.now
		dep.Progress = Progress{}
		d.LastCompleted = dep.ID
		d.say("(deployment " + dep.ID + ") deployment completed.")
	}
	d.plan.Steady = full && dep.RolloutState == Completed
}

// baking says whether a rolling deployment is still watched.
func (d *step) baking(dep *Deployment) bool {
	if d.Config.Bake == 0 || dep.RollsBack != "" || d.LastCompleted == "" {
		return false // nothing to watch for, or nothing to return to
	}
	if dep.Progress.Stage != BakeTime {
		dep.Progress = Progress{Stage: BakeTime, Since: d.now}
	}
	left := dep.Progress.Since.Add(d.scaled(d.Config.Bake)).Sub(d.now)
	d.again(left)
	return left > 0
}

// drop forgets deployments whose last task is gone. It comes first, so that
// every state of a deployment is seen by the caller once.
func (d *step) drop() {
	primary := d.primary()
	d.Deployments = slices.DeleteFunc(d.Deployments, func(dep Deployment) bool {
		needed := d.Config.Shifts() && dep.ID == d.LastCompleted && primary.RolloutState != Completed
		return dep.ID != primary.ID && d.Holding[dep.ID] == 0 && !needed
	})
}
