package eventbridge

import (
	"context"
	"strings"

	api "github.com/slipway-dev/slipway/api/eventsapi"
)

// DescribeEventBus tells the default event bus.
func (s *Service) DescribeEventBus(ctx context.Context, in *api.DescribeEventBusInput) (*api.DescribeEventBusOutput, error) {
	if err := checkBus(scope(ctx), in.Name); err != nil {
		return nil, err
	}
	return &api.DescribeEventBusOutput{Name: new(defaultBus), Arn: new(scope(ctx).ARN("events", "event-bus/"+defaultBus))}, nil
}

// ListEventBuses lists the default event bus.
func (s *Service) ListEventBuses(ctx context.Context, in *api.ListEventBusesInput) (*api.ListEventBusesOutput, error) {
	out := &api.ListEventBusesOutput{EventBuses: []api.EventBus{}}
	if strings.HasPrefix(defaultBus, val(in.NamePrefix)) {
		out.EventBuses = append(out.EventBuses, api.EventBus{Name: new(defaultBus), Arn: new(scope(ctx).ARN("events", "event-bus/"+defaultBus))})
	}
	return out, nil
}
