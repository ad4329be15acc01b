package eventbridge

import (
	"context"

	api "github.com/slipway-dev/slipway/api/eventsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/service/iam"
)

// API is the service with the operations it implements. Archives,
// connections, partners and API destinations are left out.
func (s *Service) API() *awsapi.Service {
	a := awsapi.NewService("events")
	handle(s, a, "PutRule", s.PutRule, func(in *api.PutRuleInput) string { return rulePath(busName(in.EventBusName), val(in.Name)) })
	handle(s, a, "DescribeRule", s.DescribeRule, func(in *api.DescribeRuleInput) string { return rulePath(busName(in.EventBusName), val(in.Name)) })
	handle(s, a, "DeleteRule", s.DeleteRule, func(in *api.DeleteRuleInput) string { return rulePath(busName(in.EventBusName), val(in.Name)) })
	handle(s, a, "EnableRule", s.EnableRule, func(in *api.EnableRuleInput) string { return rulePath(busName(in.EventBusName), val(in.Name)) })
	handle(s, a, "DisableRule", s.DisableRule, func(in *api.DisableRuleInput) string { return rulePath(busName(in.EventBusName), val(in.Name)) })
	handle(s, a, "ListRules", s.ListRules, nil)
	handle(s, a, "PutTargets", s.PutTargets, func(in *api.PutTargetsInput) string { return rulePath(busName(in.EventBusName), val(in.Rule)) })
	handle(s, a, "ListTargetsByRule", s.ListTargetsByRule, func(in *api.ListTargetsByRuleInput) string { return rulePath(busName(in.EventBusName), val(in.Rule)) })
	handle(s, a, "RemoveTargets", s.RemoveTargets, func(in *api.RemoveTargetsInput) string { return rulePath(busName(in.EventBusName), val(in.Rule)) })
	handle(s, a, "ListRuleNamesByTarget", s.ListRuleNamesByTarget, nil)
	awsapi.Handle(a, "PutEvents", s.PutEvents) // asks for each entry's bus
	handle(s, a, "TestEventPattern", s.TestEventPattern, nil)
	handleBus(s, a, "CreateEventBus", s.CreateEventBus, func(in *api.CreateEventBusInput) *string { return in.Name })
	handleBus(s, a, "UpdateEventBus", s.UpdateEventBus, func(in *api.UpdateEventBusInput) *string { return in.Name })
	handleBus(s, a, "DeleteEventBus", s.DeleteEventBus, func(in *api.DeleteEventBusInput) *string { return in.Name })
	handleBus(s, a, "DescribeEventBus", s.DescribeEventBus, func(in *api.DescribeEventBusInput) *string { return in.Name })
	handleBus(s, a, "PutPermission", s.PutPermission, func(in *api.PutPermissionInput) *string { return in.EventBusName })
	handleBus(s, a, "RemovePermission", s.RemovePermission, func(in *api.RemovePermissionInput) *string { return in.EventBusName })
	handle(s, a, "ListEventBuses", s.ListEventBuses, nil)
	handle(s, a, "TagResource", s.TagResource, nil)
	handle(s, a, "UntagResource", s.UntagResource, nil)
	handle(s, a, "ListTagsForResource", s.ListTagsForResource, nil)
	return a
}

// handle registers an operation that runs when the caller may do it with the
// rule that it is about, or with the default event bus when it is about none.
func handle[I, O any](s *Service, a *awsapi.Service, op string, fn func(context.Context, *I) (*O, error), rule func(*I) string) {
	admitted(s, a, op, fn, func(in arn.Scope, i *I) string {
		if rule == nil {
			return busARN(in, defaultBus)
		}
		return ruleARN(in, rule(i))
	})
}

// handleBus registers an operation that is about an event bus.
func handleBus[I, O any](s *Service, a *awsapi.Service, op string, fn func(context.Context, *I) (*O, error), bus func(*I) *string) {
	admitted(s, a, op, fn, func(in arn.Scope, i *I) string { return busARN(in, busName(bus(i))) })
}

func admitted[I, O any](s *Service, a *awsapi.Service, op string, fn func(context.Context, *I) (*O, error), resource func(arn.Scope, *I) string) {
	awsapi.Handle(a, op, func(ctx context.Context, in *I) (*O, error) {
		if !s.AnyAuth {
			if err := iam.Admit(ctx, s.Store.Snapshot(), "events:"+op, resource(scope(ctx), in)); err != nil {
				return nil, err
			}
		}
		return fn(ctx, in)
	})
}

// Loops tell what happens, keep schedules, and deliver.
func (s *Service) Loops() []loop.Loop { return []loop.Loop{s.sources(), s.schedules(), s.deliveries()} }
