package cli

import (
	"context"

	scalingapi "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/manifest"
)

// autoScaling is the service's name on the wire.
const autoScaling = "application-autoscaling"

// scalableTarget is what auto scaling knows of a service's count; nil when
// that is not its business.
func (p *platform) scalableTarget(ctx context.Context, s manifest.Service) (*scalingapi.ScalableTarget, error) {
	out, err := call[scalingapi.DescribeScalableTargetsInput, scalingapi.DescribeScalableTargetsOutput](ctx, p.client, autoScaling, "DescribeScalableTargets",
		&scalingapi.DescribeScalableTargetsInput{
			ServiceNamespace: "ecs", ScalableDimension: "ecs:service:DesiredCount", ResourceIds: []string{p.scalableID(s)},
		})
	if isCode(err, "UnknownOperationException") {
		return nil, nil // an engine that does not have it scales nothing
	}
	if err != nil || len(out.ScalableTargets) == 0 {
		return nil, err
	}
	return &out.ScalableTargets[0], nil
}

// moveBounds registers the service with other bounds; what else auto scaling
// knows of it stays.
func (p *platform) moveBounds(ctx context.Context, s manifest.Service, least, most int32) error {
	_, err := call[scalingapi.RegisterScalableTargetInput, scalingapi.RegisterScalableTargetOutput](ctx, p.client, autoScaling, "RegisterScalableTarget",
		&scalingapi.RegisterScalableTargetInput{
			ServiceNamespace: "ecs", ScalableDimension: "ecs:service:DesiredCount", ResourceId: new(p.scalableID(s)), MinCapacity: &least, MaxCapacity: &most,
		})
	return err
}

// scalableID is how auto scaling names an ECS service.
func (p *platform) scalableID(s manifest.Service) string {
	return "service/" + p.names.Cluster() + "/" + p.names.Service(s.Name)
}
