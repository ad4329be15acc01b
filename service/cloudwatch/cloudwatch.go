// Package cloudwatch is Amazon CloudWatch: metrics, alarms and dashboards.
//
// Measurements lie in telemetry/metrics; alarms, their histories and
// dashboards are rows. A loop evaluates every alarm: the verdict is a pure
// function of the alarm, its datapoints and the time. A transition is written
// together with the actions that it owes, and those are delivered, at least
// once, before the alarm is looked at again.
//
// Clock speed divides the periods of alarms and the time between evaluations,
// never the rules: at speed 60 an alarm with a period of one minute looks at
// seconds. What clients ask for they get in their own periods.
//
// Anomaly detection, PromQL alarms, action suppressors and other accounts'
// metrics are refused.
package cloudwatch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/telemetry/metrics"

	"github.com/slipway-dev/slipway/kernel/store"
)

// Config of a Service.
type Config struct {
	Store   *store.Store
	Metrics *metrics.Store
	Log     *slog.Logger     // default: slog.Default()
	Speed   float64          // divides the periods of alarms; default 1
	Now     func() time.Time // default time.Now
	// Action carries out an action of an alarm, as the alarm's row stands
	// after the transition. It may be called more than once for the same
	// transition. Nil: every action fails, and the history says so.
	Action func(ctx context.Context, actionARN string, alarm Alarm) error
}

// Service implements the operations of CloudWatch.
type Service struct {
	Config
	store *store.Store

	mu       sync.Mutex
	repeated map[string]time.Time // by alarm key: when scaling actions last ran
}

// New makes the service.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Speed <= 0 {
		cfg.Speed = 1
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{Config: cfg, store: cfg.Store, repeated: map[string]time.Time{}}
}

// API lists the operations for the endpoint.
func (s *Service) API() *awsapi.Service {
	a := awsapi.NewService("cloudwatch")
	awsapi.Handle(a, "PutMetricData", s.PutMetricData)
	awsapi.Handle(a, "GetMetricData", s.GetMetricData)
	awsapi.Handle(a, "GetMetricStatistics", s.GetMetricStatistics)
	awsapi.Handle(a, "ListMetrics", s.ListMetrics)
	awsapi.Handle(a, "PutMetricAlarm", s.PutMetricAlarm)
	awsapi.Handle(a, "PutCompositeAlarm", s.PutCompositeAlarm)
	awsapi.Handle(a, "DescribeAlarms", s.DescribeAlarms)
	awsapi.Handle(a, "DescribeAlarmsForMetric", s.DescribeAlarmsForMetric)
	awsapi.Handle(a, "DescribeAlarmHistory", s.DescribeAlarmHistory)
	awsapi.Handle(a, "DeleteAlarms", s.DeleteAlarms)
	awsapi.Handle(a, "EnableAlarmActions", s.EnableAlarmActions)
	awsapi.Handle(a, "DisableAlarmActions", s.DisableAlarmActions)
	awsapi.Handle(a, "SetAlarmState", s.SetAlarmState)
	awsapi.Handle(a, "PutDashboard", s.PutDashboard)
	awsapi.Handle(a, "GetDashboard", s.GetDashboard)
	awsapi.Handle(a, "ListDashboards", s.ListDashboards)
	awsapi.Handle(a, "DeleteDashboards", s.DeleteDashboards)
	awsapi.Handle(a, "TagResource", s.TagResource)
	awsapi.Handle(a, "UntagResource", s.UntagResource)
	awsapi.Handle(a, "ListTagsForResource", s.ListTagsForResource)
	return a
}

// Resources lists the CloudFormation resource types.
func (s *Service) Resources() []cfn.Type {
	return []cfn.Type{
		cfn.Of("AWS::CloudWatch::Alarm", alarmResource{s}),
		cfn.Of("AWS::CloudWatch::CompositeAlarm", compositeResource{s}),
		cfn.Of("AWS::CloudWatch::Dashboard", dashboardResource{s}),
	}
}

// Loops evaluate alarms and roll measurements up.
func (s *Service) Loops() []loop.Loop { return []loop.Loop{s.alarmLoop(), s.rollLoop()} }

func scopeOf(ctx context.Context) arn.Scope { return awsapi.CallerOf(ctx).Scope }

// metricScope names a scope to telemetry/metrics.
func metricScope(s arn.Scope) string { return s.Account + "/" + s.Region }

func val[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// text is nil for an empty string.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
