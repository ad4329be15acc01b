package ecs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/control/rollout"
	"github.com/slipway-dev/slipway/kernel/tagset"
	"github.com/slipway-dev/slipway/service/elbv2"
)

// act carries out the plan.
func (st *step) act() error {
	for _, text := range st.plan.Events {
		announce(st.tx, st.row, st.now, text)
	}
	for i := range st.tasks {
		if t := &st.tasks[i]; slices.Contains(st.plan.Healthy, t.ARN) {
			t.WasHealthy = true
			Tasks.Put(st.tx, *t)
		}
	}
	if err := st.row.route(st.tx, st.plan.Traffic); err != nil {
		complain(st.tx, st.row, st.now, "was unable to shift traffic: "+err.Error())
		st.wake(st.scaled(5 * time.Second))
	}
	st.stop()
	for _, s := range st.plan.Start {
		if err := st.start(s); err != nil {
			return err
		}
	}
	return nil
}

func (st *step) stop() {
	var stopped []string
	for _, stop := range st.plan.Stop {
		i := slices.IndexFunc(st.tasks, func(t Task) bool { return t.ARN == stop.Task })
		t := &st.tasks[i]
		code, reason := ecsapi.TaskStopCode("ServiceSchedulerInitiated"), "Scaling activity initiated by (deployment "+st.primary().ID+")"
		switch stop.Reason {
		case rollout.Interrupted:
			code, reason = stopInterrupted, interruptedText
		case rollout.Unhealthy:
			reason = st.unhealthyReason(*t)
			if d := st.deployment(t.Deployment); d != nil {
				d.LastFailure = reason
			}
		}
		t.askToStop(code, reason, st.now)
		Tasks.Put(st.tx, *t)
		if stop.Reason == rollout.Rebalanced {
			announce(st.tx, st.row, st.now, "has stopped 1 running tasks in "+t.Zone+" due to AZ rebalancing: (task "+t.ID+").")
			continue
		}
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

func (st *step) start(s rollout.Start) error {
	d := st.deployment(s.Deployment)
	definition, err := findDefinition(st.tx, st.row.Scope, d.TaskDefinition)
	if err != nil {
		return fmt.Errorf("start tasks of service %s: %w", st.row.Name, err)
	}
	c, err := Clusters.Get(st.tx, st.row.Key(st.row.Cluster))
	if err != nil {
		return fmt.Errorf("start tasks of service %s: cluster %s: %w", st.row.Name, st.row.Cluster, err)
	}
	peers := slices.DeleteFunc(slices.Clone(st.tasks), func(t Task) bool {
		return t.DesiredStatus != "RUNNING" || t.Counted || t.Deployment != d.ID // one that has ended leaves its zone free, noticed by the task loop or not
	})
	var started []string
	for range s.Count {
		t, err := launch{
			cluster: c, capacity: st.capacity, definition: definition, launchType: d.LaunchType, strategy: d.Strategy, network: d.Network,
			tags: st.taskTags(definition), now: st.now, peers: peers,
			task: Task{
				ServiceKey: Services.Key(st.row), ServiceName: st.row.Name, Deployment: d.ID, Group: "service:" + st.row.Name,
				StartedBy: d.ID, ExecEnabled: st.row.ExecEnabled, LoadBalancers: d.balancers(), Registries: d.Registries,
			},
		}.start(st.tx)
		if e, ok := errors.AsType[*errNoPlace](err); ok {
			complain(st.tx, st.row, st.now, strings.TrimSpace("was unable to place a task. Reason: "+e.reason+". "+e.detail))
			st.wake(st.scaled(5 * time.Second))
			break
		}
		if err != nil {
			return err
		}
		peers = append(peers, t)
		if st.plan.Rebalancing {
			announce(st.tx, st.row, st.now, "is not AZ balanced with "+balance(st.tasks, rebalancedZones(st.tx, st.row))+". AZ Rebalancing in progress.")
			announce(st.tx, st.row, st.now, "has started 1 tasks in "+t.Zone+" to AZ Rebalance: (task "+t.ID+").")
			return nil
		}
		started = append(started, "(task "+t.ID+")")
	}
	if len(started) > 0 {
		st.changed()
		text := fmt.Sprintf("has started %d tasks: %s.", len(started), strings.Join(started, " "))
		if n := min(s.Replacing, len(started)); n > 0 {
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
		tags = tagset.Own(st.row.Tags)
	case "TASK_DEFINITION":
		tags = tagset.Own(d.Tags)
	default:
		tags = map[string]string{}
	}
	if st.row.ManagedTags {
		tags["aws:ecs:clusterName"], tags["aws:ecs:serviceName"] = st.row.Cluster, st.row.Name
	}
	return tags
}

func (st *step) changed() { st.row.SteadyAnnounced = false }
