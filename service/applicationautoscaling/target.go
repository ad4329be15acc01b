package applicationautoscaling

import (
	"context"
	"fmt"
	"regexp"
	"time"

	api "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ecs"
)

var serviceID = regexp.MustCompile(`^service/[A-Za-z0-9_-]{1,255}/[A-Za-z0-9_-]{1,255}$`)

// scaledOf reads what a request is about; only ECS services are known.
func scaledOf(ctx context.Context, ns api.ServiceNamespace, id *string, d api.ScalableDimension) (Scaled, error) {
	k := Scaled{scopeOf(ctx), ns, val(id), d}
	switch {
	case ns != api.ServiceNamespaceEcs:
		return k, errNamespace(ns)
	case d != api.ScalableDimensionEcsServiceDesiredCount || !serviceID.MatchString(k.ResourceID):
		return k, errUnknownKind
	}
	return k, nil
}

// RegisterScalableTarget makes an ECS service scalable or changes its bounds.
// A desired count outside of them is moved at once.
func (s *Service) RegisterScalableTarget(ctx context.Context, in *api.RegisterScalableTargetInput) (*api.RegisterScalableTargetOutput, error) {
	k, err := scaledOf(ctx, in.ServiceNamespace, in.ResourceId, in.ScalableDimension)
	if err != nil {
		return nil, err
	}
	if len(in.Tags) > maxTags {
		return nil, errTags
	}
	id, activityID, now := awsapi.NewID(ctx, "0ec5", 32), uuid(ctx), s.Now().UTC()
	var out Target
	err = s.store.Update(func(tx *store.Tx) error {
		cluster, name := k.service()
		if _, err := ecs.ScalableOf(tx, k.Scope, cluster, name); err != nil {
			return errValidation("ECS service doesn't exist: %s", k.ResourceID)
		}
		t, err := Targets.Get(tx, k.key())
		known := err == nil
		if !known {
			if in.MinCapacity == nil || in.MaxCapacity == nil {
				return errNoBounds
			}
			t = Target{
				Scaled: k, ID: id, CreatedAt: now, Tags: in.Tags, Token: awsapi.Token(ctx), Last: lastActivity(tx, k),
				RoleARN: k.GlobalARN("iam", "role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService"),
			}
		}
		if err := t.change(in); err != nil {
			return err
		}
		out = t
		return t.clamp(tx, now, activityID)
	})
	if err != nil {
		return nil, err
	}
	return &api.RegisterScalableTargetOutput{ScalableTargetARN: new(out.ARN())}, nil
}

// change overlays what the request names.
func (t *Target) change(in *api.RegisterScalableTargetInput) error {
	if in.MinCapacity != nil {
		t.Min = int(*in.MinCapacity)
	}
	if in.MaxCapacity != nil {
		t.Max = int(*in.MaxCapacity)
	}
	if in.RoleARN != nil {
		t.RoleARN = *in.RoleARN
	}
	if st := in.SuspendedState; st != nil {
		for _, f := range []struct{ to, from **bool }{
			{&t.Suspended.DynamicScalingInSuspended, &st.DynamicScalingInSuspended},
			{&t.Suspended.DynamicScalingOutSuspended, &st.DynamicScalingOutSuspended},
			{&t.Suspended.ScheduledScalingSuspended, &st.ScheduledScalingSuspended},
		} {
			if *f.from != nil {
				*f.to = *f.from
			}
		}
	}
	switch {
	case t.Min < 0:
		return errNegative
	case t.Max < t.Min:
		return errCrossed
	}
	return nil
}

// clamp writes the target, and moves the desired count into its bounds.
func (t Target) clamp(tx *store.Tx, now time.Time, activityID string) error {
	cluster, name := t.service()
	sv, err := ecs.ScalableOf(tx, t.Scope, cluster, name)
	if err != nil {
		return err
	}
	bound, limit := "minimum", t.Min
	if sv.Desired > t.Max {
		bound, limit = "maximum", t.Max
	}
	if sv.Desired >= t.Min && sv.Desired <= t.Max {
		Targets.Put(tx, t)
		return nil
	}
	return t.set(tx, limit, fmt.Sprintf("%s capacity was set to %d", bound, limit), now, activityID)
}

// DeregisterScalableTarget ends the scaling of a service: its policies, their
// alarms and its scheduled actions go too.
func (s *Service) DeregisterScalableTarget(ctx context.Context, in *api.DeregisterScalableTargetInput) (*api.DeregisterScalableTargetOutput, error) {
	k, err := scaledOf(ctx, in.ServiceNamespace, in.ResourceId, in.ScalableDimension)
	if err != nil {
		return nil, err
	}
	return &api.DeregisterScalableTargetOutput{}, s.deregister(ctx, k)
}

func (s *Service) deregister(ctx context.Context, k Scaled) error {
	now := s.Now()
	err := s.store.Update(func(tx *store.Tx) error {
		if !Targets.Delete(tx, k.key()) {
			return errNoTarget(k)
		}
		for a := range actions.List(tx, k.key()+"/") {
			actions.Delete(tx, actions.Key(a))
		}
		for p := range Policies.List(tx, k.key()+"/") {
			p.Pending, p.Gone = true, true
			Policies.Put(tx, p)
		}
		forgetOld(tx, k.Scope, now)
		return nil
	})
	if err != nil {
		return err
	}
	return s.settleAll(ctx, k)
}
