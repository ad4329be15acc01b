package rollout

import (
	"slices"
	"time"
)

// Failure says what ended a deployment.
type Failure string

// What fails a deployment.
const (
	ByBreaker Failure = "breaker"
	ByAlarm   Failure = "alarm"
	ByUser    Failure = "user"
	ByPause   Failure = "pause" // that nobody continued in time
)

// Request is what a user asks of a running deployment.
type Request string

// Requests (StopServiceDeployment, stopType).
const (
	Abort    Request = "ABORT"
	RollBack Request = "ROLLBACK"
)

// judge fails the primary deployment when the circuit breaker's threshold is
// reached, an alarm goes off, or a user asks for it, and begins the one that
// rolls it back.
func (d *step) judge() {
	dep := d.primary()
	if dep.RolloutState != InProgress || d.Config.Shifts() && d.LastCompleted == dep.ID && dep.RollsBack == "" {
		return // from the clean-up on there is nothing to return to
	}
	b, hold := d.Config.Breaker, dep.Progress.Held
	switch threshold := b.Threshold(d.Desired); {
	case dep.Request != "":
		d.fail(dep, ByUser)
	case b.Enable && dep.FailedTasks >= threshold:
		dep.Threshold = threshold
		d.fail(dep, ByBreaker)
	case d.Config.Alarms && len(d.Alarms) > 0 && !dep.DeafToAlarms && dep.RollsBack == "":
		d.fail(dep, ByAlarm)
	case hold != nil && hold.RollBack && !d.now.Before(hold.Until):
		d.fail(dep, ByPause)
	}
}

// WantsRollback says whether a failure is to be rolled back, by the
// configuration and by what the user asked for.
func (f Failure) WantsRollback(c Config, asked Request) bool {
	switch f {
	case ByBreaker:
		return c.Breaker.Rollback
	case ByAlarm:
		return c.AlarmRollback
	case ByUser:
		return asked == RollBack
	}
	return f == ByPause
}

// words are the texts of a failure: in the deployment's reason and in the
// service's event.
func (f Failure) words() (reason, event, back string) {
	switch f {
	case ByBreaker: // also for failed health checks
		return "ECS deployment circuit breaker: task failed to start.", "tasks failed to start.", "ECS deployment circuit breaker"
	case ByAlarm:
		return "ECS deployment failed: alarm detected.", "alarm detected.", "ECS deployment alarm"
	case ByPause:
		return "ECS deployment failed: a lifecycle hook timed out.", "lifecycle hook timed out.", "ECS deployment lifecycle hook"
	}
	return "ECS deployment stopped by user.", "stopped by user.", "ECS deployment stopped by user"
}

func (d *step) fail(dep *Deployment, why Failure) {
	reason, event, back := why.words()
	dep.RolloutState, dep.Failure, dep.Reason, dep.UpdatedAt = Failed, why, reason, d.now
	dep.Progress.Held = nil
	d.say("(deployment " + dep.ID + ") deployment failed: " + event)
	if !why.WantsRollback(d.Config, dep.Request) || d.LastCompleted == "" || dep.RollsBack != "" {
		return // nothing to return to: it stalls
	}
	failed, to := dep.ID, d.LastCompleted
	d.say("rolling back to deployment " + to + ".")
	d.returnTo(to)
	p := d.primary()
	p.RollsBack, p.RolloutState, p.UpdatedAt, p.Progress = failed, InProgress, d.now, Progress{}
	p.Reason = back + ": rolling back to deploymentId " + to + "."
}

// returnTo makes the last completed deployment the primary one again, so that
// its tasks stay; when it is gone already, a new one of its revision.
func (d *step) returnTo(id string) {
	at := slices.IndexFunc(d.Deployments, func(dep Deployment) bool { return dep.ID == id })
	if at < 0 {
		d.Begin(d.NewID, nil, d.now)
		return
	}
	dep := d.Deployments[at]
	dep.FailedTasks, dep.Streak, dep.NotBefore, dep.Failure, dep.Request = 0, 0, time.Time{}, "", ""
	d.Deployments = slices.Insert(slices.Delete(d.Deployments, at, at+1), 0, dep)
}
