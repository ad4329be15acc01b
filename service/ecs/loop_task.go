package ecs

import (
	"context"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/ec2"
	"github.com/slipway-dev/slipway/service/elbv2"
)

// keptStopped is how long a stopped task stays visible (ECS: at least an
// hour), and a deleted service ("for a while").
const keptStopped = time.Hour

// taskLoop takes each task through its life: registered once it runs,
// deregistered and drained before it is stopped, released once it has ended.
func (s *Service) taskLoop() loop.Loop {
	return loop.Loop{
		Name: "ecs tasks", Workers: 16,
		List: Tasks.Keys,
		Keys: func(snap *store.Snapshot, c store.Change) []string {
			switch c.Table {
			case Tasks.Name(), agent.Statuses.Name():
				return []string{c.Key}
			case elbv2.Targets.Name():
				var keys []string
				for t := range Tasks.By(snap, "draining", c.Key) {
					keys = append(keys, t.ARN)
				}
				return keys
			}
			return nil
		},
		Reconcile: s.reconcileTask,
	}
}

func (s *Service) reconcileTask(_ context.Context, key string) (again time.Duration, err error) {
	// What is true already costs no write.
	snap, now := s.store.Snapshot(), time.Now()
	if t, err := Tasks.Get(snap, key); err != nil || !s.taskHasWork(snap, t, now) {
		if err == nil {
			again = s.lookAgain(snap, t, now)
		}
		return again, nil
	}
	err = s.store.Update(func(tx *store.Tx) error {
		t, err := Tasks.Get(tx, key)
		if err != nil {
			return nil // gone meanwhile
		}
		s.stepTask(tx, t, time.Now().UTC())
		return nil
	})
	return 0, err
}

// lookAgain says when there may be work that no change of a row tells of.
func (s *Service) lookAgain(r store.Reader, t Task, now time.Time) time.Duration {
	again := s.forgetIn(r, t)
	for _, left := range []time.Duration{s.unheard(t, now), s.noticeLeft(t, now)} {
		if left > 0 && (again == 0 || left < again) {
			again = left
		}
	}
	return again
}

// forgetIn is how long a stopped task is still shown.
func (s *Service) forgetIn(r store.Reader, t Task) time.Duration {
	st, err := agent.Statuses.Get(r, t.ARN)
	if err != nil || !t.Released {
		return 0
	}
	return max(time.Until(st.StoppedAt.Add(keptStopped)), time.Millisecond)
}

func (s *Service) taskHasWork(r store.Reader, t Task, now time.Time) bool {
	st, err := agent.Statuses.Get(r, t.ARN)
	stopped := err == nil && st.LastStatus == agent.Stopped
	if t.DesiredStatus == "RUNNING" {
		switch {
		case stopped:
			return true
		case t.Registered:
			return !st.StoppingAt.IsZero() || len(t.Registries) > 0 && t.Reported != t.health(r, st)
		}
		return st.LastStatus == agent.Running
	}
	switch {
	case t.Released:
		return err != nil || now.Sub(st.StoppedAt) >= keptStopped
	case t.Registered, stopped:
		return true
	case !s.mayHalt(r, t, now):
		return false
	}
	a, err := agent.Tasks.Get(r, t.ARN)
	return err == nil && !a.Stopped || t.Draining
}

// mayHalt says whether a task that is no longer registered may get its signal
// to stop: its balancers have drained it, and who finds it by Cloud Map has heard.
func (s *Service) mayHalt(r store.Reader, t Task, now time.Time) bool {
	if s.taken(r, t, now) {
		return true
	}
	return !(t.Draining && t.awaitsTargets(r)) && s.unheard(t, now) <= 0
}

// taken says whether a task that drains can wait no longer: the two minutes of
// a Spot task are over, or its zone is gone.
func (s *Service) taken(r store.Reader, t Task, now time.Time) bool {
	return !t.Interrupted.IsZero() && s.noticeLeft(t, now) <= 0 || ZoneLost(r, t.Zone)
}

// stepTask takes the task one step on.
func (s *Service) stepTask(tx *store.Tx, t Task, now time.Time) {
	st, statusErr := agent.Statuses.Get(tx, t.ARN)
	stopped := statusErr == nil && st.LastStatus == agent.Stopped
	switch {
	case t.DesiredStatus == "RUNNING" && stopped: // it ended by itself
		t.askToStop(ecsapi.TaskStopCode(st.StopCode), st.StoppedReason, now)
		fallthrough
	case t.Registered && (t.DesiredStatus == "STOPPED" || !st.StoppingAt.IsZero()): // its first containers have ended by themselves
		t.deregister(tx, now)
	case t.DesiredStatus == "RUNNING" && t.Registered:
		t.report(tx, t.health(tx, st))
	case t.DesiredStatus == "RUNNING" && st.LastStatus == agent.Running:
		t.register(tx, t.health(tx, st), now)
	}
	if t.DesiredStatus == "STOPPED" && !t.Registered && (stopped || s.mayHalt(tx, t, now)) {
		t.halt(tx)
	}
	if t.DesiredStatus == "STOPPED" && stopped && !t.Released {
		_ = ec2.DeleteInterface(tx, t.Scope, t.Interface) // gone is fine
		t.Released = true
	}
	if t.Released && (statusErr != nil || now.Sub(st.StoppedAt) >= keptStopped) {
		t.forget(tx, statusErr != nil)
		return
	}
	Tasks.Put(tx, t)
}

// forget removes the task: first what the agent keeps of it, then its rows.
func (t Task) forget(tx *store.Tx, agentDone bool) {
	if a, err := agent.Tasks.Get(tx, t.ARN); err == nil && !agentDone {
		a.Remove = true
		agent.Tasks.Put(tx, a)
		return
	}
	agent.Tasks.Delete(tx, t.ARN)
	Tasks.Delete(tx, t.ARN)
}

// register makes the running task reachable: targets and Cloud Map instances.
func (t *Task) register(tx *store.Tx, health string, now time.Time) {
	t.Registered = true
	for _, lb := range t.LoadBalancers {
		group := value(lb.TargetGroupArn)
		if err := elbv2.RegisterTarget(tx, group, t.IP, int(value(lb.ContainerPort)), t.Zone); err != nil {
			t.complain(tx, now, "was unable to register targets in (target-group "+group+"): "+err.Error())
			continue
		}
		t.announce(tx, now, "registered 1 targets in (target-group "+group+")")
	}
	t.enlist(tx, health, now)
}

// deregister takes the task out of every balancer and of Cloud Map, and lets
// it drain.
func (t *Task) deregister(tx *store.Tx, now time.Time) {
	if !t.Registered {
		return
	}
	t.Registered = false
	for _, lb := range t.LoadBalancers {
		group := value(lb.TargetGroupArn)
		if err := elbv2.DeregisterTarget(tx, group, t.IP, int(value(lb.ContainerPort))); err != nil {
			continue // the group is gone, and the target with it
		}
		t.announce(tx, now, "deregistered 1 targets in (target-group "+group+")")
	}
	t.delist(tx, now)
	if t.awaitsTargets(tx) {
		t.Draining = true
		t.announce(tx, now, "has begun draining connections on 1 tasks.")
	}
}

// awaitsTargets says whether a balancer may still send requests to the task.
func (t Task) awaitsTargets(r store.Reader) bool {
	return slices.ContainsFunc(t.LoadBalancers, func(lb ecsapi.LoadBalancer) bool {
		_, there := t.targetOf(r, lb)
		return there
	})
}

// announce adds an event to the task's service, if it has one.
func (t Task) announce(tx *store.Tx, now time.Time, text string) {
	if row, err := Services.Get(tx, t.ServiceKey); err == nil {
		announce(tx, row, now, text)
	}
}

// complain is announce for what may go on for long.
func (t Task) complain(tx *store.Tx, now time.Time, text string) {
	if row, err := Services.Get(tx, t.ServiceKey); err == nil {
		complain(tx, row, now, text)
	}
}
