package ecs

import (
	"errors"
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
	d.Streak++
	wait := rollout.Throttle(d.Streak)
	d.NotBefore = st.now.Add(st.scaled(wait))
	if wait > 0 && !t.WasHealthy {
		complain(st.tx, st.row, st.now, "is unable to consistently start tasks successfully.")
	}
	if d.RolloutState == "IN_PROGRESS" && !t.WasHealthy {
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

// act carries out the plan.
func (st *step) act() error {
	d := st.primary()
	st.plan = rollout.Next(rollout.Service{
		Desired: st.row.DesiredCount, MinimumHealthyPercent: int(*st.row.Configuration.MinimumHealthyPercent),
		MaximumPercent: int(*st.row.Configuration.MaximumPercent), Primary: d.ID, Halted: d.RolloutState == "FAILED",
		NotBefore: d.NotBefore, Tasks: st.live, SettleTime: st.scaled(rollout.SettleTime),
	}, st.now)
	st.wake(st.plan.Again)
	st.stop()
	if err := st.start(); err != nil {
		return err
	}
	if st.plan.Blocked && !st.row.BlockedAnnounced {
		st.row.BlockedAnnounced = true
		complain(st.tx, st.row, st.now, "was unable to stop or start tasks during a deployment because of the service deployment configuration. "+
			"Update the minimumHealthyPercent or maximumPercent value and try again.")
	}
	return nil
}

func (st *step) stop() {
	var stopped []string
	for _, stop := range st.plan.Stop {
		i := slices.IndexFunc(st.tasks, func(t Task) bool { return t.ARN == stop.Task })
		t := &st.tasks[i]
		reason := "Scaling activity initiated by (deployment " + st.primary().ID + ")"
		if stop.Reason == rollout.Unhealthy {
			reason = st.unhealthyReason(*t)
			st.countFailure(*t, reason)
		}
		t.askToStop("ServiceSchedulerInitiated", reason, st.now)
		Tasks.Put(st.tx, *t)
		stopped = append(stopped, "(task "+t.ID+")")
	}
	if len(stopped) > 0 {
		st.changed()
		announce(st.tx, st.row, st.now, fmt.Sprintf("has stopped %d running tasks: %s.", len(stopped), strings.Join(stopped, " ")))
	}
}

// unhealthyReason announces which check a task failed, and words the reason
// of its stop.
func (st *step) unhealthyReason(t Task) string {
	for _, lb := range t.LoadBalancers {
		if target, ok := t.targetOf(st.tx, lb); ok && target.State == elbv2.Unhealthy {
			announce(st.tx, st.row, st.now, fmt.Sprintf("(task %s) (port %d) is unhealthy in (target-group %s) due to (reason %s)",
				t.ID, target.Port, target.GroupARN, target.Description))
			return "Task failed ELB health checks in (target-group " + target.GroupARN + ")"
		}
	}
	announce(st.tx, st.row, st.now, "(task "+t.ID+") failed container health checks.")
	return "Task failed container health checks"
}

func (st *step) start() error {
	if st.plan.Start == 0 {
		return nil
	}
	d := st.primary()
	definition, err := findDefinition(st.tx, st.row.Scope, d.TaskDefinition)
	if err != nil {
		return fmt.Errorf("start tasks of service %s: %w", st.row.Name, err)
	}
	c, err := Clusters.Get(st.tx, st.row.Key(st.row.Cluster))
	if err != nil {
		return fmt.Errorf("start tasks of service %s: cluster %s: %w", st.row.Name, st.row.Cluster, err)
	}
	peers := slices.DeleteFunc(slices.Clone(st.tasks), func(t Task) bool { return t.DesiredStatus != "RUNNING" || t.Deployment != d.ID })
	var started []string
	for range st.plan.Start {
		t, err := launch{
			cluster: c, definition: definition, launchType: d.LaunchType, strategy: d.Strategy, network: d.Network,
			tags: st.taskTags(definition), now: st.now, peers: peers,
			task: Task{
				ServiceKey: Services.Key(st.row), ServiceName: st.row.Name, Deployment: d.ID, Group: "service:" + st.row.Name,
				StartedBy: d.ID, ExecEnabled: st.row.ExecEnabled, LoadBalancers: d.LoadBalancers, Registries: d.Registries,
			},
		}.start(st.tx)
		if e, ok := errors.AsType[*errNoPlace](err); ok {
			complain(st.tx, st.row, st.now, "was unable to place a task. Reason: "+e.reason+".")
			st.wake(st.scaled(5 * time.Second))
			break
		}
		if err != nil {
			return err
		}
		peers = append(peers, t)
		started = append(started, "(task "+t.ID+")")
	}
	if len(started) > 0 {
		st.changed()
		text := fmt.Sprintf("has started %d tasks: %s.", len(started), strings.Join(started, " "))
		if n := min(st.plan.Replacing, len(started)); n > 0 {
			text += fmt.Sprintf(" Amazon ECS replaced %d tasks due to an unhealthy status.", n)
		}
		announce(st.tx, st.row, st.now, text)
	}
	return nil
}

func (st *step) taskTags(d TaskDefinition) map[string]string {
	var tags map[string]string
	switch st.row.PropagateTags {
	case "SERVICE":
		tags = propagated(st.row.Tags)
	case "TASK_DEFINITION":
		tags = propagated(d.Tags)
	default:
		tags = map[string]string{}
	}
	if st.row.ManagedTags {
		tags["aws:ecs:clusterName"], tags["aws:ecs:serviceName"] = st.row.Cluster, st.row.Name
	}
	return tags
}

func (st *step) changed() { st.row.SteadyAnnounced, st.row.BlockedAnnounced = false, false }

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
