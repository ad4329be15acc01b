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

// step is one pass of the service loop over one service, in one transaction:
// it reads what is to be seen, lets control/rollout decide, and carries the
// plan out.
type step struct {
	*Service
	tx    *store.Tx
	row   ServiceRow
	now   time.Time
	tasks []Task // of the service, those that ended until they are counted and released
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

// decide reads the facts and makes the plan.
func (st *step) decide() {
	f := rollout.Facts{
		Holding: map[string]int{}, Alarms: firing(st.tx, st.row), Zones: rebalancedZones(st.tx, st.row), NewID: newDeploymentID(), Speed: st.speed,
	}
	for i := range st.tasks {
		t := &st.tasks[i]
		if !t.Released {
			f.Holding[t.Deployment]++
		}
		status, err := agent.Statuses.Get(st.tx, t.ARN)
		ended := err == nil && status.LastStatus == agent.Stopped
		switch {
		case ended && !t.Counted:
			t.Counted = true
			if !t.excused() {
				f.Ended = append(f.Ended, rollout.Ended{Deployment: t.Deployment, WasHealthy: t.WasHealthy, Why: failureOf(status)})
			}
			Tasks.Put(st.tx, *t)
		case !ended && t.DesiredStatus == "RUNNING":
			f.Tasks = append(f.Tasks, st.judge(t, status))
		}
	}
	svc := st.row.rollout(st.tx)
	st.plan = svc.Step(f, st.now)
	st.row.take(svc)
	st.wake(st.plan.Again)
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

// judge reads what the checks say of a live task.
func (st *step) judge(t *Task, status agent.Status) rollout.Task {
	out := rollout.Task{
		ID: t.ARN, Deployment: t.Deployment, Zone: t.Zone,
		Running: status.LastStatus == agent.Running, Since: status.StartedAt, WasHealthy: t.WasHealthy,
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
		// A group that no longer receives requests judges nobody: as when a rule is
		// pointed at another group before the service is.
		healthy = healthy && (target.State == elbv2.Healthy || target.State == elbv2.Unused && t.WasHealthy)
		failed = failed || target.State == elbv2.Unhealthy
	}
	out.Healthy = out.Checked && out.Running && healthy
	if !t.Interrupted.IsZero() {
		left := t.Interrupted.Add(st.scaled(spotServes)).Sub(st.now)
		out.Leaving, out.Up = true, left <= 0
		st.wake(left)
	}
	if failed && out.Running {
		grace := st.scaled(time.Duration(value(st.row.GracePeriod)) * time.Second)
		if left := grace - st.now.Sub(status.StartedAt); left > 0 {
			st.wake(left)
		} else {
			out.Unhealthy = true
		}
	}
	return out
}

// targetOf is the task as a target of one of its balancers.
func (t Task) targetOf(r store.Reader, lb ecsapi.LoadBalancer) (elbv2.Target, bool) {
	target, err := elbv2.Targets.Get(r, t.targetKey(lb))
	return target, err == nil
}

func (t Task) targetKey(lb ecsapi.LoadBalancer) string {
	return elbv2.Targets.Key(elbv2.Target{GroupARN: value(lb.TargetGroupArn), ID: t.IP, Port: int(value(lb.ContainerPort))})
}

// finish tells what the plan says of the service as a whole, and ends a
// service that drains.
func (st *step) finish() {
	if st.plan.Throttled {
		complain(st.tx, st.row, st.now, "is unable to consistently start tasks successfully.")
	}
	if st.plan.Blocked {
		complain(st.tx, st.row, st.now, "was unable to stop or start tasks during a deployment because of the service deployment configuration. "+
			"Update the minimumHealthyPercent or maximumPercent value and try again.")
	}
	if st.plan.Steady && !st.row.SteadyAnnounced {
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
