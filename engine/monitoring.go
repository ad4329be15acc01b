package engine

import (
	"context"
	"fmt"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/service/applicationautoscaling"
	"github.com/slipway-dev/slipway/service/cloudwatch"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// monitoring makes CloudWatch and what its alarms act on: scaling policies
// alone. What they do not act on stands in their history.
func (e *Engine) monitoring(readings *metrics.Store) []service {
	var scaling *applicationautoscaling.Service
	alarms := cloudwatch.New(cloudwatch.Config{
		Store: e.store, Metrics: readings, Log: e.log, Speed: e.set.Speed,
		Action: func(ctx context.Context, action string, a cloudwatch.Alarm) error {
			if to, err := arn.Parse(action); err != nil || to.Service != "autoscaling" {
				return fmt.Errorf("this engine does not carry out actions of %s yet, only those of scaling policies", to.Service)
			}
			return scaling.Act(ctx, action, a)
		},
	})
	scaling = applicationautoscaling.New(applicationautoscaling.Config{Store: e.store, Alarms: alarms, Log: e.log, Speed: e.set.Speed})
	return []service{alarms, scaling}
}
