package applicationautoscaling_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	api "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/applicationautoscaling"
	"github.com/slipway-dev/slipway/service/cloudwatch"
	"github.com/slipway-dev/slipway/service/ec2"
	"github.com/slipway-dev/slipway/service/ecs"
	"github.com/slipway-dev/slipway/service/elbv2"
	"github.com/slipway-dev/slipway/service/servicediscovery"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

var here = arn.Scope{Account: "123456789012", Region: "us-east-1"}

const resource = "service/c/web"

// world is auto scaling with the real store, CloudWatch and its loops. The
// scheduler of ECS is played: a service has its tasks five seconds after its
// count has changed.
type world struct {
	testing.TB
	db  *store.Store
	m   *metrics.Store
	cw  *cloudwatch.Service
	s   *applicationautoscaling.Service
	ctx context.Context

	cancel context.CancelFunc
	wg     sync.WaitGroup
	// load is the CPU that all tasks use together, in percent of one task; -1
	// measures nothing.
	load atomic.Int64
}

// inWorld tells a story at a clock speed, in a synctest bubble.
func inWorld(t *testing.T, speed float64, story func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, speed)
		story(w)
		w.stop()
	})
}

func newWorld(t *testing.T, speed float64) *world {
	w := &world{TB: t}
	w.load.Store(-1)
	var tables []store.Schema
	for _, ts := range [][]store.Schema{
		agent.Tables(), ec2.Tables(), elbv2.Tables(), servicediscovery.Tables(), cloudwatch.Tables(), ecs.Tables(), applicationautoscaling.Tables(),
	} {
		tables = append(tables, ts...)
	}
	w.db = must(store.Open(store.Config{}, tables...))
	w.m = must(metrics.Open(metrics.Config{Path: filepath.Join(t.TempDir(), "metrics")}))
	t.Cleanup(func() { w.m.Close() })
	log := slog.New(slog.DiscardHandler)
	w.cw = cloudwatch.New(cloudwatch.Config{Store: w.db, Metrics: w.m, Log: log, Speed: speed, Action: w.act})
	w.s = applicationautoscaling.New(applicationautoscaling.Config{Store: w.db, Alarms: w.cw, Log: log, Speed: speed})
	w.ctx = awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: here, ARN: "arn:aws:iam::123456789012:root"})
	w.service(2)
	w.start(speed)
	return w
}

func (w *world) act(ctx context.Context, action string, a cloudwatch.Alarm) error {
	return w.s.Act(ctx, action, a)
}

// service makes the row of an ECS service that is steady.
func (w *world) service(desired int) {
	w.update(func(tx *store.Tx) error {
		row := ecs.ServiceRow{Scope: here, Name: "web", Cluster: "c", Status: "ACTIVE", DesiredCount: desired, SteadyAnnounced: true, Deployments: []ecs.Deployment{{}}}
		row.Deployments[0].RolloutState = "COMPLETED"
		ecs.Services.Put(tx, row)
		return nil
	})
}

func (w *world) change(f func(row *ecs.ServiceRow)) {
	w.Helper()
	w.update(func(tx *store.Tx) error {
		row, err := ecs.Services.Get(tx, here.Key("c", "web"))
		if err != nil {
			return err
		}
		row.Deployments = append([]ecs.Deployment(nil), row.Deployments...)
		f(&row)
		ecs.Services.Put(tx, row)
		return nil
	})
}

func (w *world) update(f func(*store.Tx) error) {
	w.Helper()
	if err := w.db.Update(f); err != nil {
		w.Fatal(err)
	}
}

func (w *world) desired() int {
	return must(ecs.Services.Get(w.db.Snapshot(), here.Key("c", "web"))).DesiredCount
}

// start runs the loops, the played scheduler, and the measuring of the load
// every third of a minute.
func (w *world) start(speed float64) {
	ctx, cancel := context.WithCancel(w.ctx)
	w.cancel = cancel
	for _, l := range append(append(w.cw.Loops(), w.s.Loops()...), w.playScheduler()) {
		w.wg.Go(func() { _ = l.Run(ctx, w.db, slog.New(slog.DiscardHandler)) })
	}
	w.wg.Go(func() {
		for ctx.Err() == nil {
			if load := w.load.Load(); load >= 0 {
				w.measure(float64(load) / float64(max(w.desired(), 1)))
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(20 * float64(time.Second) / speed)):
			}
		}
	})
}

func (w *world) stop() {
	w.cancel()
	w.wg.Wait()
}

func (w *world) playScheduler() loop.Loop {
	return loop.Loop{
		Name: "scheduler", List: ecs.Services.Keys, Keys: loop.Changed(ecs.Services),
		Reconcile: func(ctx context.Context, key string) (time.Duration, error) {
			row, err := ecs.Services.Get(w.db.Snapshot(), key)
			if err != nil || row.SteadyAnnounced || row.Status != "ACTIVE" {
				return 0, nil
			}
			select {
			case <-ctx.Done():
				return 0, nil
			case <-time.After(5 * time.Second):
			}
			w.change(func(now *ecs.ServiceRow) { now.SteadyAnnounced = now.DesiredCount == row.DesiredCount })
			return 0, nil
		},
	}
}

func (w *world) measure(cpu float64) {
	err := w.m.Put(time.Now(), []metrics.Sample{{
		Metric: metrics.Metric{Scope: here.Account + "/" + here.Region, Namespace: "AWS/ECS", Name: "CPUUtilization", Dims: []metrics.Dim{{Name: "ClusterName", Value: "c"}, {Name: "ServiceName", Value: "web"}}},
		Unit:   "Percent", Time: time.Now(), Fine: true, Stat: metrics.Values(min(cpu, 100), 1),
	}})
	if err != nil {
		w.Error(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (w *world) register(least, most int32) {
	w.Helper()
	if _, err := w.s.RegisterScalableTarget(w.ctx, &api.RegisterScalableTargetInput{
		ServiceNamespace: "ecs", ResourceId: new(resource), ScalableDimension: "ecs:service:DesiredCount", MinCapacity: &least, MaxCapacity: &most,
	}); err != nil {
		w.Fatal(err)
	}
}

// tracking is a policy for CPU at 70 % with cooldowns of a minute.
func tracking() *api.PutScalingPolicyInput {
	return &api.PutScalingPolicyInput{
		PolicyName: new("cpu"), ServiceNamespace: "ecs", ResourceId: new(resource), ScalableDimension: "ecs:service:DesiredCount", PolicyType: "TargetTrackingScaling",
		TargetTrackingScalingPolicyConfiguration: &api.TargetTrackingScalingPolicyConfiguration{
			TargetValue: new(70.0), ScaleOutCooldown: new(int32(60)), ScaleInCooldown: new(int32(60)),
			PredefinedMetricSpecification: &api.PredefinedMetricSpecification{PredefinedMetricType: "ECSServiceAverageCPUUtilization"},
		},
	}
}

func (w *world) put(in *api.PutScalingPolicyInput) *api.PutScalingPolicyOutput {
	w.Helper()
	out, err := w.s.PutScalingPolicy(w.ctx, in)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// activities are told oldest first.
func (w *world) activities(all bool) (told []string) {
	w.Helper()
	out := must(w.s.DescribeScalingActivities(w.ctx, &api.DescribeScalingActivitiesInput{ServiceNamespace: "ecs", ResourceId: new(resource), IncludeNotScaledActivities: &all}))
	for _, a := range out.ScalingActivities {
		text := string(a.StatusCode) + ": " + *a.Description + " " + *a.Cause
		for _, r := range a.NotScaledReasons {
			text += " " + *r.Code
		}
		told = append([]string{text}, told...)
	}
	return told
}

// alarms are the names of the alarms without their unique parts.
func (w *world) alarms() (names []string) {
	for _, a := range must(w.cw.DescribeAlarms(w.ctx, &cloudwatchapi.DescribeAlarmsInput{})).MetricAlarms {
		names = append(names, short(*a.AlarmName))
	}
	return names
}

// short leaves the UUID out of an alarm's name.
func short(name string) string {
	if strings.HasPrefix(name, "TargetTracking-") {
		return name[:len(name)-37]
	}
	return name
}

func code(err error) string {
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		return e.Code + ": " + e.Message
	}
	return fmt.Sprint(err)
}
