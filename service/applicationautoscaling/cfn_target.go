package applicationautoscaling

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// targetProps is AWS::ApplicationAutoScaling::ScalableTarget. Ref, and the
// attribute Id, are "resource id|scalable dimension|service namespace".
type targetProps struct {
	MaxCapacity       *int32                `cfn:"required"`
	MinCapacity       *int32                `cfn:"required"`
	ResourceId        string                `cfn:"required,createOnly"` //nolint:revive // AWS's name
	ScalableDimension api.ScalableDimension `cfn:"required,createOnly"`
	ServiceNamespace  api.ServiceNamespace  `cfn:"required,createOnly"`
	RoleARN           *string
	ScheduledActions  []actionProps
	SuspendedState    *api.SuspendedState
	Id                string `cfn:"id,readOnly"` //nolint:revive // AWS's name
}

type actionProps struct {
	ScheduledActionName  string `cfn:"required"`
	Schedule             string `cfn:"required"`
	Timezone             *string
	StartTime            *string
	EndTime              *string
	ScalableTargetAction *api.ScalableTargetAction
}

type targetResource struct{ s *Service }

var _ cfn.Updater[targetProps] = targetResource{}

// Create registers the target. One that is there and was not registered by
// this creation is somebody else's.
func (h targetResource) Create(ctx context.Context, p *targetProps) error {
	k, err := scaledOf(ctx, p.ServiceNamespace, &p.ResourceId, p.ScalableDimension)
	if err != nil {
		return err
	}
	req, _ := cfn.From(ctx)
	if t, err := Targets.Get(h.s.store.Snapshot(), k.key()); err == nil && (req.Token == "" || t.Token != req.Token) {
		return errValidation("%s already exists", p.id())
	}
	return h.put(ctx, p, nil)
}

func (p *targetProps) id() string {
	return p.ResourceId + "|" + string(p.ScalableDimension) + "|" + string(p.ServiceNamespace)
}

// put registers the target and its scheduled actions, and deletes those that
// were there before and are not any more.
func (h targetResource) put(ctx context.Context, p *targetProps, before []actionProps) error {
	out, err := h.s.RegisterScalableTarget(ctx, &api.RegisterScalableTargetInput{
		ServiceNamespace: p.ServiceNamespace, ResourceId: &p.ResourceId, ScalableDimension: p.ScalableDimension,
		MinCapacity: p.MinCapacity, MaxCapacity: p.MaxCapacity, RoleARN: p.RoleARN, SuspendedState: p.SuspendedState,
	})
	if err != nil {
		return err
	}
	p.Id = p.id()
	req, _ := cfn.From(ctx)
	if err := h.s.retag(ctx, *out.ScalableTargetARN, func(tags map[string]string) {
		clear(tags)
		maps.Copy(tags, req.AllTags(nil))
	}); err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, a := range p.ScheduledActions {
		wanted[a.ScheduledActionName] = true
		start, err := timeOf(a.StartTime)
		if err != nil {
			return err
		}
		end, err := timeOf(a.EndTime)
		if err != nil {
			return err
		}
		if _, err := h.s.PutScheduledAction(ctx, &api.PutScheduledActionInput{
			ServiceNamespace: p.ServiceNamespace, ResourceId: &p.ResourceId, ScalableDimension: p.ScalableDimension, ScheduledActionName: &a.ScheduledActionName,
			Schedule: &a.Schedule, Timezone: a.Timezone, StartTime: start, EndTime: end, ScalableTargetAction: a.ScalableTargetAction,
		}); err != nil {
			return err
		}
	}
	for _, a := range before {
		if wanted[a.ScheduledActionName] {
			continue
		}
		_, err := h.s.DeleteScheduledAction(ctx, &api.DeleteScheduledActionInput{
			ServiceNamespace: p.ServiceNamespace, ResourceId: &p.ResourceId, ScalableDimension: p.ScalableDimension, ScheduledActionName: &a.ScheduledActionName,
		})
		if err != nil && !missing(err) {
			return err
		}
	}
	return nil
}

func timeOf(s *string) (*time.Time, error) {
	if s == nil {
		return nil, nil
	}
	t, err := time.Parse(time.RFC3339, *s)
	if err != nil {
		return nil, errValidation("%s is not a time of the form yyyy-mm-ddThh:mm:ssZ", *s)
	}
	return &t, nil
}

// missing tells whether an operation found nothing to act on.
func missing(err error) bool { return errors.Is(err, errNotFoundCode) }

// Read knows the bounds.
func (h targetResource) Read(ctx context.Context, p *targetProps) error {
	parts := strings.Split(p.Id, "|")
	if len(parts) != 3 {
		return store.ErrNotFound
	}
	p.ResourceId, p.ScalableDimension, p.ServiceNamespace = parts[0], api.ScalableDimension(parts[1]), api.ServiceNamespace(parts[2])
	t, err := Targets.Get(h.s.store.Snapshot(), Scaled{scopeOf(ctx), p.ServiceNamespace, p.ResourceId, p.ScalableDimension}.key())
	if err != nil {
		return store.ErrNotFound
	}
	p.MinCapacity, p.MaxCapacity, p.RoleARN = new(int32(t.Min)), new(int32(t.Max)), &t.RoleARN
	return nil
}

func (h targetResource) Update(ctx context.Context, before, after *targetProps) error {
	if after.SuspendedState == nil && before.SuspendedState != nil {
		after.SuspendedState = &api.SuspendedState{DynamicScalingInSuspended: new(false), DynamicScalingOutSuspended: new(false), ScheduledScalingSuspended: new(false)}
	}
	return h.put(ctx, after, before.ScheduledActions)
}

func (h targetResource) Delete(ctx context.Context, p *targetProps) error {
	_, err := h.s.DeregisterScalableTarget(ctx, &api.DeregisterScalableTargetInput{
		ServiceNamespace: p.ServiceNamespace, ResourceId: &p.ResourceId, ScalableDimension: p.ScalableDimension,
	})
	if missing(err) {
		return nil
	}
	return err
}
