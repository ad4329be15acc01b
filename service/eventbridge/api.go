package eventbridge

import (
	"context"

	api "github.com/slipway-dev/slipway/api/eventsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/service/iam"
)

// API is the service with the operations it implements. There is the default
// event bus alone; archives, connections and API destinations are left out.
func (s *Service) API() *awsapi.Service {
	a := awsapi.NewService("events")
	handle(s, a, "PutRule", s.PutRule, func(in *api.PutRuleInput) *string { return in.Name })
	handle(s, a, "DescribeRule", s.DescribeRule, func(in *api.DescribeRuleInput) *string { return in.Name })
	handle(s, a, "DeleteRule", s.DeleteRule, func(in *api.DeleteRuleInput) *string { return in.Name })
	handle(s, a, "EnableRule", s.EnableRule, func(in *api.EnableRuleInput) *string { return in.Name })
	handle(s, a, "DisableRule", s.DisableRule, func(in *api.DisableRuleInput) *string { return in.Name })
	handle(s, a, "ListRules", s.ListRules, nil)
	handle(s, a, "PutTargets", s.PutTargets, func(in *api.PutTargetsInput) *string { return in.Rule })
	handle(s, a, "ListTargetsByRule", s.ListTargetsByRule, func(in *api.ListTargetsByRuleInput) *string { return in.Rule })
	handle(s, a, "RemoveTargets", s.RemoveTargets, func(in *api.RemoveTargetsInput) *string { return in.Rule })
	handle(s, a, "ListRuleNamesByTarget", s.ListRuleNamesByTarget, nil)
	handle(s, a, "PutEvents", s.PutEvents, nil)
	handle(s, a, "TestEventPattern", s.TestEventPattern, nil)
	handle(s, a, "DescribeEventBus", s.DescribeEventBus, nil)
	handle(s, a, "ListEventBuses", s.ListEventBuses, nil)
	handle(s, a, "TagResource", s.TagResource, nil)
	handle(s, a, "UntagResource", s.UntagResource, nil)
	handle(s, a, "ListTagsForResource", s.ListTagsForResource, nil)
	return a
}

// handle registers an operation that runs when the caller may do it with the
// rule that it is about, or with the event bus when it is about none.
func handle[I, O any](s *Service, a *awsapi.Service, op string, fn func(context.Context, *I) (*O, error), rule func(*I) *string) {
	awsapi.Handle(a, op, func(ctx context.Context, in *I) (*O, error) {
		resource := scope(ctx).ARN("events", "event-bus/"+defaultBus)
		if rule != nil {
			resource = ruleARN(scope(ctx), val(rule(in)))
		}
		if !s.AnyAuth {
			if err := iam.Admit(ctx, s.Store.Snapshot(), "events:"+op, resource); err != nil {
				return nil, err
			}
		}
		return fn(ctx, in)
	})
}

// Loops tell what happens, keep schedules, and deliver.
func (s *Service) Loops() []loop.Loop { return []loop.Loop{s.sources(), s.schedules(), s.deliveries()} }
