package applicationautoscaling

import (
	"context"
	"slices"

	api "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// pageSize is what the describing operations give at most.
const pageSize = 50

// DescribeScalableTargets lists the scalable targets of a namespace.
func (s *Service) DescribeScalableTargets(ctx context.Context, in *api.DescribeScalableTargetsInput) (*api.DescribeScalableTargetsOutput, error) {
	if in.ScalableDimension != "" && len(in.ResourceIds) == 0 {
		return nil, errNeedsID
	}
	var found []Target
	for t := range Targets.List(s.store.Snapshot(), scopeOf(ctx).Key(string(in.ServiceNamespace), "")) {
		if (in.ScalableDimension == "" || in.ScalableDimension == t.Dimension) && (len(in.ResourceIds) == 0 || slices.Contains(in.ResourceIds, t.ResourceID)) {
			found = append(found, t)
		}
	}
	page, next, err := awsapi.Page(found, Targets.Key, in.NextToken, int(val(in.MaxResults)), pageSize)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeScalableTargetsOutput{ScalableTargets: []api.ScalableTarget{}, NextToken: next}
	for _, t := range page {
		out.ScalableTargets = append(out.ScalableTargets, describeTarget(t))
	}
	return out, nil
}

func describeTarget(t Target) api.ScalableTarget {
	off := func(p *bool) *bool { return new(val(p)) }
	return api.ScalableTarget{
		ServiceNamespace: t.Namespace, ResourceId: new(t.ResourceID), ScalableDimension: t.Dimension,
		MinCapacity: new(int32(t.Min)), MaxCapacity: new(int32(t.Max)), RoleARN: new(t.RoleARN), CreationTime: new(t.CreatedAt),
		ScalableTargetARN: new(t.ARN()),
		SuspendedState: &api.SuspendedState{
			DynamicScalingInSuspended: off(t.Suspended.DynamicScalingInSuspended), DynamicScalingOutSuspended: off(t.Suspended.DynamicScalingOutSuspended),
			ScheduledScalingSuspended: off(t.Suspended.ScheduledScalingSuspended),
		},
	}
}

// asked tells whether a request asks for what is scaled here; nothing
// asked means all of the namespace.
func asked(k Scaled, id *string, d api.ScalableDimension) bool {
	return (id == nil || *id == k.ResourceID) && (d == "" || d == k.Dimension)
}
