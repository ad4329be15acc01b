package ecs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/control/rollout"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/elbv2"
)

// step is one pass of the service loop over one service, in one transaction.
type step struct {
	*Service
	tx    *store.Tx
	row   ServiceRow
	now   time.Time
	tasks []Task // of the service, ended ones too
	live  []rollout.Task
	again time.Duration
	plan  rollout.Plan
}

func (st *step) load() {
	for t := range Tasks.By(st.tx, "service", Services.Key(st.row)) {
		st.tasks = append(st.tasks, t)
	}
}

func (st *step) primary() *Deployment { return &st.row.Deployments[0] }

func (st *step) deployment(id string) *Deployment {
	for i := range st.row.Deployments {
		if st.row.Deployments[i].ID == id {
			return &st.row.Deployments[i]
		}
	}
	return nil
}

func (st *step) wake(after time.Duration) {
	if after > 0 && (st.again == 0 || after < st.again) {
		st.again = after
	}
}

// countEnded counts tasks that ended without being asked to against their
// deployment, and reads the health of the others.
func (st *step) countEnded() {
	for i := range st.tasks {
		t := &st.tasks[i]
		status, err := agent.Statuses.Get(st.tx, t.ARN)
		ended := err == nil && status.LastStatus == agent.Stopped
		switch {
		case ended && !t.Counted:
			t.Counted = true
			if t.StopCode != "ServiceSchedulerInitiated" && t.StopCode != "UserInitiated" {
				st.countFailure(*t, failureOf(status))
			}
			Tasks.Put(st.tx, *t)
		case !ended && t.DesiredStatus == "RUNNING":
			st.live = append(st.live, st.judge(t, status))
		}
	}
}

// failureOf says why a task ended, with the container's own reason.
func failureOf(status agent.Status) string {
	reason := status.StoppedReason
	for _, c := range status.Containers {
		switch {
		case c.Reason != "" && !strings.Contains(reason, c.Reason):
			reason += ": container " + c.Name + ": " + c.Reason
		case c.ExitCode != nil && *c.ExitCode != 0:
			reason += fmt.Sprintf(": container %s exited with code %d", c.Name, *c.ExitCode)
		}
	}
	return reason
}

func (st *step) countFailure(t Task, why string) {
	d := st.deployment(t.Deployment)
	if d == nil {
		return
	}
	d.LastFailure = why
	if t.WasHealthy {
		return // it could start: what ended it is no reason to wait with the next
	}
	d.Streak++
	wait := rollout.Throttle(d.Streak)
	d.NotBefore = st.now.Add(st.scaled(wait))
	if wait > 0 {
		complain(st.tx, st.row, st.now, "is unable to consistently start tasks successfully.")
	}
	if d.RolloutState == "IN_PROGRESS" {
		d.FailedTasks++
		d.UpdatedAt = st.now
	}
}

// judge reads what the checks say of a live task.
func (st *step) judge(t *Task, status agent.Status) rollout.Task {
	out := rollout.Task{
		ID: t.ARN, Deployment: t.Deployment, Zone: t.Zone,
		Running: status.LastStatus == agent.Running, Since: status.StartedAt,
	}
	healthy, failed := true, false
	a, _ := agent.Tasks.Get(st.tx, t.ARN)
	if slices.ContainsFunc(a.Containers, func(c agent.Container) bool { return c.Health != nil && c.Essential }) {
		out.Checked = true
		healthy = healthy && status.Health == agent.Healthy
		failed = failed || status.Health == agent.Unhealthy
	}
	for _, lb := range t.LoadBalancers {
		out.Checked = true
		target, _ := t.targetOf(st.tx, lb)
		healthy = healthy && target.State == elbv2.Healthy
		failed = failed || target.State == elbv2.Unhealthy
	}
	out.Healthy = out.Checked && out.Running && healthy
	if failed && out.Running {
		grace := st.scaled(time.Duration(value(st.row.GracePeriod)) * time.Second)
		if left := grace - st.now.Sub(status.StartedAt); left > 0 {
			st.wake(left)
		} else {
			out.Unhealthy = true
		}
	}
	if out.Running {
		st.noteHealthy(t, out)
	}
	return out
}

// noteHealthy marks the first time a task is healthy (a task that nothing
// checks: settled), which resets the counts of its deployment.
func (st *step) noteHealthy(t *Task, r rollout.Task) {
	settled := !r.Checked && st.now.Sub(r.Since) >= st.scaled(rollout.SettleTime)
	d := st.deployment(t.Deployment)
	if d == nil {
		return
	}
	if (r.Healthy || settled) && !t.WasHealthy {
		t.WasHealthy = true
		Tasks.Put(st.tx, *t)
		d.Streak, d.FailedTasks, d.NotBefore = 0, 0, time.Time{}
	}
}

// targetOf is the task as a target of one of its balancers.
func (t Task) targetOf(r store.Reader, lb ecsapi.LoadBalancer) (elbv2.Target, bool) {
	key := elbv2.Targets.Key(elbv2.Target{GroupARN: value(lb.TargetGroupArn), ID: t.IP, Port: int(value(lb.ContainerPort))})
	target, err := elbv2.Targets.Get(r, key)
	return target, err == nil
}

// judgeBreaker fails the primary deployment at the circuit breaker's
// threshold, and begins the one that rolls it back.
func (st *step) judgeBreaker() {
	c := st.row.Configuration.DeploymentCircuitBreaker
	d := st.primary()
	if !value(c.Enable) || d.RolloutState != "IN_PROGRESS" {
		return
	}
	if d.FailedTasks < (rollout.Breaker{Enable: true}).Threshold(st.row.DesiredCount) {
		return
	}
	d.RolloutState, d.UpdatedAt = "FAILED", st.now
	d.Reason = "ECS deployment circuit breaker: task failed to start." // so too for failed checks
	announce(st.tx, st.row, st.now, "(deployment "+d.ID+") deployment failed: tasks failed to start.")
	last := st.row.LastCompleted
	if !value(c.Rollback) || last == nil || d.RollsBack != "" {
		return // nothing to return to: it stalls
	}
	failed := d.ID
	announce(st.tx, st.row, st.now, "rolling back to deployment "+st.row.LastCompletedID+".")
	back := st.deploymentToReturnTo()
	back.RollsBack, back.RolloutState, back.UpdatedAt = failed, "IN_PROGRESS", st.now
	back.Reason = "ECS deployment circuit breaker: rolling back to deploymentId " + st.row.LastCompletedID + "."
	st.row.begin(back)
}

// deploymentToReturnTo takes the last completed deployment out of the list,
// so that its tasks stay; when it is gone already, a new one of its revision.
func (st *step) deploymentToReturnTo() Deployment {
	for i, d := range st.row.Deployments {
		if d.ID == st.row.LastCompletedID {
			st.row.Deployments = slices.Delete(slices.Clone(st.row.Deployments), i, i+1)
			d.FailedTasks, d.Streak, d.NotBefore = 0, 0, time.Time{}
			return d
		}
	}
	return newDeployment(*st.row.LastCompleted, st.now)
}

// finish completes the deployment, drops those that are over, and ends a
// service that drains.
func (st *step) finish() {
	d := st.primary()
	if st.plan.Complete && st.plan.Start == 0 && d.RolloutState == "IN_PROGRESS" && st.row.Status == active {
		d.RolloutState, d.Reason, d.UpdatedAt = "COMPLETED", "ECS deployment "+d.ID+" completed.", st.now
		st.row.LastCompleted, st.row.LastCompletedID = new(d.Revision), d.ID
		announce(st.tx, st.row, st.now, "(deployment "+d.ID+") deployment completed.")
	}
	kept := st.row.Deployments[:1]
	for _, old := range st.row.Deployments[1:] {
		if slices.ContainsFunc(st.tasks, func(t Task) bool { return t.Deployment == old.ID && !t.Released }) {
			kept = append(kept, old)
		}
	}
	st.row.Deployments = kept
	if st.plan.Complete && d.RolloutState == "COMPLETED" && !st.row.SteadyAnnounced {
		st.row.SteadyAnnounced = true
		announce(st.tx, st.row, st.now, steadyText)
	}
	if st.row.Status == draining && !slices.ContainsFunc(st.tasks, func(t Task) bool { return !t.Released }) {
		st.row.Status, st.row.DeletedAt = inactive, st.now
		for i := range st.row.Deployments {
			st.row.Deployments[i].LoadBalancers = nil // free the target groups
		}
	}
}
