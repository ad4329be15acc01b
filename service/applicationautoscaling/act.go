package applicationautoscaling

import (
	"context"
	"fmt"
	"slices"
	"time"

	api "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/control/scaling"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/cloudwatch"
	"github.com/slipway-dev/slipway/service/ecs"
)

// Act is an alarm's call of a policy, as cloudwatch's Config.Action has it: at a
// transition, and every minute while the alarm's state lasts. The error is for
// the alarm's history: that there is no such policy. That nothing is to be done
// is none.
func (s *Service) Act(ctx context.Context, policyARN string, a cloudwatch.Alarm) error {
	snap := s.store.Snapshot()
	i, err := s.look(snap, policyARN, a)
	if err != nil {
		return err
	}
	id := uuid(ctx)
	return s.store.Update(func(tx *store.Tx) error { return s.answer(tx, i, id) })
}

// invocation is a call with what was seen when it came.
type invocation struct {
	Scaled
	policy   string // name
	alarm    cloudwatch.Alarm
	readings map[string]scaling.Reading // by policy name
	now      time.Time
}

// look reads the alarms and metrics of all policies of the called one's target.
func (s *Service) look(snap *store.Snapshot, policyARN string, a cloudwatch.Alarm) (invocation, error) {
	i := invocation{alarm: a, readings: map[string]scaling.Reading{}, now: s.Now().UTC()}
	for p := range Policies.By(snap, "arn", policyARN) {
		if p.Scope == a.Scope && !p.Gone {
			i.Scaled, i.policy = p.Scaled, p.Name
		}
	}
	if i.policy == "" {
		return i, fmt.Errorf("there is no scaling policy %s", policyARN)
	}
	for p := range Policies.List(snap, i.key()+"/") {
		if p.Gone {
			continue
		}
		r, err := s.read(snap, p, i)
		if err != nil {
			return i, err
		}
		i.readings[p.Name] = r
	}
	return i, nil
}

// read reads one policy's alarms, and its metric when one of them calls.
func (s *Service) read(snap *store.Snapshot, p Policy, i invocation) (r scaling.Reading, err error) {
	if p.Step != nil {
		a, ok := i.alarm, p.Name == i.policy
		for other := range cloudwatch.Alarms.By(snap, "action", p.Scope.Key(p.ARN())) {
			if !ok && other.Does(p.ARN()) {
				a, ok = other, true
			}
		}
		if !ok {
			return r, nil
		}
		r.High, r.Threshold = true, a.Threshold
		r.Value, r.Known, err = s.Alarms.Latest(a, string(p.Step.MetricAggregationType))
		return r, err
	}
	high, errHigh := cloudwatch.Alarms.Get(snap, p.Scope.Key(p.High))
	low, errLow := cloudwatch.Alarms.Get(snap, p.Scope.Key(p.Low))
	r.High, r.Low = errHigh == nil && high.Does(p.ARN()), errLow == nil && low.Does(p.ARN())
	if errHigh == nil && (r.High || r.Low) {
		r.Value, r.Known, err = s.Alarms.Latest(high, "")
	}
	return r, err
}

// answer decides, and writes all that comes of it.
func (s *Service) answer(tx *store.Tx, i invocation, id string) error {
	t, err := Targets.Get(tx, i.key())
	if err != nil {
		return nil // deregistered meanwhile
	}
	called, err := Policies.Get(tx, i.key()+"/"+i.policy)
	if err != nil || called.Gone || s.answered(called, i) {
		return nil
	}
	cluster, name := t.service()
	sv, err := ecs.ScalableOf(tx, t.Scope, cluster, name)
	if err != nil {
		return err
	}
	called.note(i)
	Policies.Put(tx, called)

	var rules []scaling.Policy
	for p := range Policies.List(tx, i.key()+"/") {
		if !p.Gone {
			rules = append(rules, s.rule(p))
		}
	}
	d := scaling.Decide(t.bounds(), rules, scaling.Facts{Current: sv.Desired, Deploying: sv.Deploying, Invoked: i.policy, Readings: i.readings}, i.now)
	for policy, c := range d.Cooldowns {
		if p, err := Policies.Get(tx, i.key()+"/"+policy); err == nil {
			p.Cooldown = c
			Policies.Put(tx, p)
		}
	}
	cause := i.cause(tx, d)
	if d.Reason == "" {
		s.Log.Info("scale", "resource", t.ResourceID, "from", sv.Desired, "to", d.Desired, "cause", cause)
		return t.set(tx, d.Desired, cause, i.now, id)
	}
	if d.Reason.Recorded() {
		t.refuse(tx, cause, t.reason(d.Reason, sv.Desired), i.now, id)
		Targets.Put(tx, t)
	}
	return nil
}

// answered tells whether this very call was answered before: an alarm calls
// again for the same transition only after a minute.
func (s *Service) answered(p Policy, i invocation) bool {
	last, ok := p.Answered[i.alarm.Name]
	return ok && last.Transition.Equal(i.alarm.TransitionedAt) && i.now.Sub(last.At) < s.scaled(54*time.Second) // timers are not exact
}

// note remembers the call; of alarms that have not called for long nothing is
// kept.
func (p *Policy) note(i invocation) {
	next := map[string]call{i.alarm.Name: {i.alarm.TransitionedAt, i.now}}
	for name, c := range p.Answered {
		if name != i.alarm.Name && i.now.Sub(c.At) < time.Hour {
			next[name] = c
		}
	}
	p.Answered = next
}

func (t Target) bounds() scaling.Bounds {
	return scaling.Bounds{
		Min: t.Min, Max: t.Max, InSuspended: val(t.Suspended.DynamicScalingInSuspended), OutSuspended: val(t.Suspended.DynamicScalingOutSuspended),
	}
}

// cause names the alarm and the policy that the decision came of: those that
// called, if they are among them.
func (i invocation) cause(r store.Reader, d scaling.Decision) string {
	policy, alarm := i.policy, i.alarm.Name
	if len(d.Policies) > 0 && !slices.Contains(d.Policies, policy) {
		policy = d.Policies[0]
		if p, err := Policies.Get(r, i.key()+"/"+policy); err == nil && p.Tracking != nil {
			if alarm = p.Low; i.readings[policy].High {
				alarm = p.High
			}
		}
	}
	return fmt.Sprintf("monitor alarm %s in state %s triggered policy %s", alarm, i.alarm.State, policy)
}

// reason is the reason with the bounds that it speaks of.
func (t Target) reason(why scaling.Reason, current int) api.NotScaledReason {
	out := api.NotScaledReason{Code: new(string(why))}
	switch why {
	case scaling.AtMax:
		out.MaxCapacity = new(int32(t.Max))
	case scaling.AtMin:
		out.MinCapacity = new(int32(t.Min))
	case scaling.AtDesired:
		out.CurrentCapacity = new(int32(current))
	}
	return out
}
