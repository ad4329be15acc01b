package applicationautoscaling

import (
	"context"
	"slices"
	"time"

	api "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/control/scaling"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/cloudwatch"
)

// maxPolicies is how many policies a target may have (Application Auto Scaling
// quotas).
const maxPolicies = 50

// PutScalingPolicy makes a policy or replaces its configuration, and makes a
// target tracking policy's alarms what they should be.
func (s *Service) PutScalingPolicy(ctx context.Context, in *api.PutScalingPolicyInput) (*api.PutScalingPolicyOutput, error) {
	k, err := scaledOf(ctx, in.ServiceNamespace, in.ResourceId, in.ScalableDimension)
	if err != nil {
		return nil, err
	}
	next := Policy{Scaled: k, Name: *in.PolicyName, ID: uuid(ctx), CreatedAt: s.Now().UTC(), Token: awsapi.Token(ctx), Pending: true}
	high, low := uuid(ctx), uuid(ctx)
	// What is left of a policy of that name goes first.
	if old, err := Policies.Get(s.store.Snapshot(), Policies.Key(next)); err == nil && old.Gone {
		if err := s.settle(ctx, Policies.Key(next)); err != nil {
			return nil, err
		}
	}
	var before *Policy
	err = s.store.Update(func(tx *store.Tx) error {
		if _, err := Targets.Get(tx, k.key()); err != nil {
			return errNoTarget(k)
		}
		p := next
		if old, err := Policies.Get(tx, Policies.Key(p)); err == nil && !old.Gone {
			p, before = old, &old
			p.Pending = true
		} else if len(slices.Collect(Policies.List(tx, k.key()+"/"))) >= maxPolicies {
			return errLimit("scaling policies", maxPolicies)
		}
		if err := p.configure(tx, in); err != nil {
			return err
		}
		p.nameAlarms(high, low)
		Policies.Put(tx, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.settle(ctx, Policies.Key(next)); err != nil {
		return nil, s.unmade(ctx, Policies.Key(next), before, err)
	}
	snap := s.store.Snapshot()
	p, err := Policies.Get(snap, Policies.Key(next))
	if err != nil {
		return nil, errNoPolicy(k, next.Name)
	}
	return &api.PutScalingPolicyOutput{PolicyARN: new(p.ARN()), Alarms: alarmsOf(snap, p)}, nil
}

// configure takes the configuration of a request.
func (p *Policy) configure(r store.Reader, in *api.PutScalingPolicyInput) error {
	kind := in.PolicyType
	switch {
	case kind == "" && p.Tracking != nil:
		kind = api.PolicyTypeTargetTrackingScaling
	case kind == "":
		kind = api.PolicyTypeStepScaling // the API's default
	}
	step, tracking := in.StepScalingPolicyConfiguration, in.TargetTrackingScalingPolicyConfiguration
	switch {
	case kind == api.PolicyTypePredictiveScaling:
		return errPredictive
	case (kind == api.PolicyTypeStepScaling) != (step != nil) || (kind == api.PolicyTypeTargetTrackingScaling) != (tracking != nil):
		return errValidation("A policy of type %s takes its configuration in %sPolicyConfiguration, and no other.", kind, kind)
	case step != nil:
		p.Step, p.Tracking = step, nil
		return checkStep(step)
	}
	p.Tracking, p.Step = tracking, nil
	if err := checkTracking(r, p.Scaled, tracking); err != nil {
		return err
	}
	for other := range Policies.List(r, p.key()+"/") {
		if other.Name != p.Name && !other.Gone && other.Tracking != nil && sameMetric(other.Tracking, tracking) {
			return errOneMetric
		}
	}
	return nil
}

// nameAlarms names the alarms that the policy should have and marks the others
// as stale. A policy that may not scale in has no low alarm.
func (p *Policy) nameAlarms(high, low string) {
	want := func(name *string, kind, id string, wanted bool) {
		switch {
		case wanted && *name == "":
			*name = "TargetTracking-" + p.ResourceID + "-" + kind + "-" + id
		case !wanted && *name != "":
			p.Stale, *name = append(slices.Clone(p.Stale), *name), ""
		}
	}
	want(&p.High, "AlarmHigh", high, p.Tracking != nil)
	want(&p.Low, "AlarmLow", low, p.Tracking != nil && !val(p.Tracking.DisableScaleIn))
}

// DeleteScalingPolicy deletes a policy and the alarms that it has made.
func (s *Service) DeleteScalingPolicy(ctx context.Context, in *api.DeleteScalingPolicyInput) (*api.DeleteScalingPolicyOutput, error) {
	k, err := scaledOf(ctx, in.ServiceNamespace, in.ResourceId, in.ScalableDimension)
	if err != nil {
		return nil, err
	}
	key := k.key() + "/" + *in.PolicyName
	err = s.store.Update(func(tx *store.Tx) error {
		p, err := Policies.Get(tx, key)
		if err != nil || p.Gone {
			return errNoPolicy(k, *in.PolicyName)
		}
		p.Pending, p.Gone = true, true
		Policies.Put(tx, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteScalingPolicyOutput{}, s.settle(ctx, key)
}

// DescribeScalingPolicies lists the policies of a namespace.
func (s *Service) DescribeScalingPolicies(ctx context.Context, in *api.DescribeScalingPoliciesInput) (*api.DescribeScalingPoliciesOutput, error) {
	if in.ScalableDimension != "" && in.ResourceId == nil {
		return nil, errNeedsID
	}
	snap := s.store.Snapshot()
	var found []Policy
	for p := range Policies.List(snap, scopeOf(ctx).Key(string(in.ServiceNamespace), "")) {
		if !p.Gone && asked(p.Scaled, in.ResourceId, in.ScalableDimension) && (len(in.PolicyNames) == 0 || slices.Contains(in.PolicyNames, p.Name)) {
			found = append(found, p)
		}
	}
	page, next, err := awsapi.Page(found, Policies.Key, in.NextToken, int(val(in.MaxResults)), pageSize)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeScalingPoliciesOutput{ScalingPolicies: []api.ScalingPolicy{}, NextToken: next}
	for _, p := range page {
		one := api.ScalingPolicy{
			PolicyARN: new(p.ARN()), PolicyName: new(p.Name), ServiceNamespace: p.Namespace, ResourceId: new(p.ResourceID), ScalableDimension: p.Dimension,
			PolicyType: api.PolicyTypeStepScaling, StepScalingPolicyConfiguration: p.Step, TargetTrackingScalingPolicyConfiguration: p.Tracking,
			Alarms: alarmsOf(snap, p), CreationTime: new(p.CreatedAt),
		}
		if p.Tracking != nil {
			one.PolicyType = api.PolicyTypeTargetTrackingScaling
		}
		out.ScalingPolicies = append(out.ScalingPolicies, one)
	}
	return out, nil
}

// alarmsOf are the alarms of a policy: those it has made, and of a step scaling
// policy those that name it.
func alarmsOf(r store.Reader, p Policy) []api.Alarm {
	out := []api.Alarm{}
	for a := range cloudwatch.Alarms.By(r, "action", p.Scope.Key(p.ARN())) {
		out = append(out, api.Alarm{AlarmName: new(a.Name), AlarmARN: new(a.ARN())})
	}
	return out
}

// GetPredictiveScalingForecast answers as AWS does for what is no predictive
// scaling policy: this engine has none.
func (s *Service) GetPredictiveScalingForecast(ctx context.Context, in *api.GetPredictiveScalingForecastInput) (*api.GetPredictiveScalingForecastOutput, error) {
	k, err := scaledOf(ctx, in.ServiceNamespace, in.ResourceId, in.ScalableDimension)
	if err != nil {
		return nil, err
	}
	if p, err := Policies.Get(s.store.Snapshot(), k.key()+"/"+*in.PolicyName); err != nil || p.Gone {
		return nil, errNoPolicy(k, *in.PolicyName)
	}
	return nil, errValidation("Policy %s is not a predictive scaling policy.", *in.PolicyName)
}

// rule is the policy as control/scaling knows it.
func (s *Service) rule(p Policy) scaling.Policy {
	out := scaling.Policy{Name: p.Name, Cooldown: p.Cooldown}
	cooldown := func(n *int32) time.Duration {
		if n == nil {
			n = new(int32(300)) // the default for ECS services
		}
		return s.scaled(time.Duration(*n) * time.Second)
	}
	if t := p.Tracking; t != nil {
		out.Tracking = &scaling.Tracking{
			Target: *t.TargetValue, OutCooldown: cooldown(t.ScaleOutCooldown), InCooldown: cooldown(t.ScaleInCooldown), DisableIn: val(t.DisableScaleIn),
		}
		return out
	}
	out.Step = &scaling.Step{Adjustment: scaling.Adjustment(p.Step.AdjustmentType), MinMagnitude: int(val(p.Step.MinAdjustmentMagnitude)), Cooldown: cooldown(p.Step.Cooldown)}
	for _, a := range p.Step.StepAdjustments {
		out.Step.Steps = append(out.Step.Steps, scaling.Interval{Lower: a.MetricIntervalLowerBound, Upper: a.MetricIntervalUpperBound, By: int(val(a.ScalingAdjustment))})
	}
	return out
}
