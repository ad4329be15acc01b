// Package applicationautoscaling is Application Auto Scaling for ECS services:
// scalable targets, target tracking and step scaling policies, scheduled
// actions, and the activities that tell what was done and why.
//
// An alarm that names a policy calls it through cloudwatch's Config.Action (Act),
// at each transition and every minute while its state lasts. control/scaling
// decides; the new desired count, the cooldowns and the activity are written in
// one transaction, together with the call that was answered. So an engine that
// is killed at any moment scales neither twice nor by half, and a call that is
// repeated after a restart is known.
//
// A target tracking policy's pair of alarms is made and deleted by cloudwatch's
// own operations. The policy's row says what its alarms are to be before they
// are touched, and the target loop finishes what an operation could not.
//
// Clock speed divides cooldowns and the waits for scheduled actions, and
// cloudwatch divides the alarms' periods; the rules stay.
//
// Other service namespaces than ecs, and predictive scaling, are refused.
package applicationautoscaling

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/cloudwatch"
)

// Config of a Service.
type Config struct {
	Store  *store.Store // with the tables of cloudwatch and ecs
	Alarms *cloudwatch.Service
	Log    *slog.Logger     // default: slog.Default()
	Speed  float64          // of the clock; default 1
	Now    func() time.Time // default time.Now
}

// Service implements the operations of Application Auto Scaling.
type Service struct {
	Config
	store    *store.Store
	settling [64]sync.Mutex // held while a policy's alarms are made, by hash of its key
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
	return &Service{Config: cfg, store: cfg.Store}
}

// API lists the operations for the endpoint.
func (s *Service) API() *awsapi.Service {
	a := awsapi.NewService("application-autoscaling")
	awsapi.Handle(a, "RegisterScalableTarget", s.RegisterScalableTarget)
	awsapi.Handle(a, "DeregisterScalableTarget", s.DeregisterScalableTarget)
	awsapi.Handle(a, "DescribeScalableTargets", s.DescribeScalableTargets)
	awsapi.Handle(a, "PutScalingPolicy", s.PutScalingPolicy)
	awsapi.Handle(a, "DeleteScalingPolicy", s.DeleteScalingPolicy)
	awsapi.Handle(a, "DescribeScalingPolicies", s.DescribeScalingPolicies)
	awsapi.Handle(a, "PutScheduledAction", s.PutScheduledAction)
	awsapi.Handle(a, "DeleteScheduledAction", s.DeleteScheduledAction)
	awsapi.Handle(a, "DescribeScheduledActions", s.DescribeScheduledActions)
	awsapi.Handle(a, "DescribeScalingActivities", s.DescribeScalingActivities)
	awsapi.Handle(a, "GetPredictiveScalingForecast", s.GetPredictiveScalingForecast)
	awsapi.Handle(a, "TagResource", s.TagResource)
	awsapi.Handle(a, "UntagResource", s.UntagResource)
	awsapi.Handle(a, "ListTagsForResource", s.ListTagsForResource)
	return a
}

// Resources lists the CloudFormation resource types.
func (s *Service) Resources() []cfn.Type {
	return []cfn.Type{
		cfn.Of("AWS::ApplicationAutoScaling::ScalableTarget", targetResource{s}),
		cfn.Of("AWS::ApplicationAutoScaling::ScalingPolicy", policyResource{s}),
	}
}

// Loops run scheduled actions and finish what operations began.
func (s *Service) Loops() []loop.Loop { return []loop.Loop{s.targetLoop()} }

// scaled is a prescribed time at the clock's speed.
func (s *Service) scaled(d time.Duration) time.Duration { return time.Duration(float64(d) / s.Speed) }

func scopeOf(ctx context.Context) arn.Scope { return awsapi.CallerOf(ctx).Scope }

func val[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// uuid draws an id of the form 8-4-4-4-12.
func uuid(ctx context.Context) string {
	h := awsapi.NewID(ctx, "", 32)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
