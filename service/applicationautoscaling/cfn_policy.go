package applicationautoscaling

import (
	"context"
	"strings"

	api "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// policyProps is AWS::ApplicationAutoScaling::ScalingPolicy. Ref is the ARN.
type policyProps struct {
	PolicyName                               string                `cfn:"required,createOnly"`
	PolicyType                               api.PolicyType        `cfn:"required"`
	ScalingTargetId                          string                `cfn:"createOnly"` //nolint:revive // AWS's name
	ResourceId                               string                `cfn:"createOnly"` //nolint:revive // AWS's name
	ScalableDimension                        api.ScalableDimension `cfn:"createOnly"`
	ServiceNamespace                         api.ServiceNamespace  `cfn:"createOnly"`
	StepScalingPolicyConfiguration           *api.StepScalingPolicyConfiguration
	TargetTrackingScalingPolicyConfiguration *api.TargetTrackingScalingPolicyConfiguration
	PredictiveScalingPolicyConfiguration     *api.PredictiveScalingPolicyConfiguration
	Arn                                      string `cfn:"id,readOnly"`
}

type policyResource struct{ s *Service }

var _ cfn.Updater[policyProps] = policyResource{}

// target is what the policy scales, by either way of saying it.
func (p *policyProps) target() (ns api.ServiceNamespace, id string, d api.ScalableDimension, err error) {
	if parts := strings.Split(p.ScalingTargetId, "|"); len(parts) == 3 {
		return api.ServiceNamespace(parts[2]), parts[0], api.ScalableDimension(parts[1]), nil
	}
	if p.ScalingTargetId != "" || p.ResourceId == "" || p.ScalableDimension == "" || p.ServiceNamespace == "" {
		err = errValidation("Either ScalingTargetId or all three of [ResourceId, ScalableDimension, ServiceNamespace] must be specified")
	}
	return p.ServiceNamespace, p.ResourceId, p.ScalableDimension, err
}

// Create puts the policy. One that is there and was not put by this creation
// is somebody else's.
func (h policyResource) Create(ctx context.Context, p *policyProps) error {
	ns, id, d, err := p.target()
	if err != nil {
		return err
	}
	req, _ := cfn.From(ctx)
	key := Scaled{scopeOf(ctx), ns, id, d}.key() + "/" + p.PolicyName
	if old, err := Policies.Get(h.s.store.Snapshot(), key); err == nil && !old.Gone && (req.Token == "" || old.Token != req.Token) {
		return errValidation("%s already exists", p.PolicyName)
	}
	return h.put(ctx, p)
}

func (h policyResource) put(ctx context.Context, p *policyProps) error {
	ns, id, d, err := p.target()
	if err != nil {
		return err
	}
	out, err := h.s.PutScalingPolicy(ctx, &api.PutScalingPolicyInput{
		PolicyName: &p.PolicyName, ServiceNamespace: ns, ResourceId: &id, ScalableDimension: d, PolicyType: p.PolicyType,
		StepScalingPolicyConfiguration: p.StepScalingPolicyConfiguration, TargetTrackingScalingPolicyConfiguration: p.TargetTrackingScalingPolicyConfiguration,
		PredictiveScalingPolicyConfiguration: p.PredictiveScalingPolicyConfiguration,
	})
	if err == nil {
		p.Arn = *out.PolicyARN
	}
	return err
}

// Read knows the configuration.
func (h policyResource) Read(ctx context.Context, p *policyProps) error {
	for row := range Policies.By(h.s.store.Snapshot(), "arn", p.Arn) {
		if row.Scope == scopeOf(ctx) && !row.Gone {
			p.PolicyName, p.StepScalingPolicyConfiguration, p.TargetTrackingScalingPolicyConfiguration = row.Name, row.Step, row.Tracking
			return nil
		}
	}
	return store.ErrNotFound
}

func (h policyResource) Update(ctx context.Context, _, after *policyProps) error {
	return h.put(ctx, after)
}

func (h policyResource) Delete(ctx context.Context, p *policyProps) error {
	ns, id, d, err := p.target()
	if err != nil {
		return err
	}
	_, err = h.s.DeleteScalingPolicy(ctx, &api.DeleteScalingPolicyInput{PolicyName: &p.PolicyName, ServiceNamespace: ns, ResourceId: &id, ScalableDimension: d})
	if missing(err) {
		return nil
	}
	return err
}
