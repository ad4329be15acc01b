package cloudwatch_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/cloudwatch"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

var scope = arn.Scope{Account: "123456789012", Region: "us-east-1"}

type world struct {
	t   testing.TB
	db  *store.Store
	m   *metrics.Store
	s   *cloudwatch.Service
	ctx context.Context

	mu    sync.Mutex
	acted []string
	fail  error
}

func newWorld(t testing.TB, speed float64) *world {
	t.Helper()
	w := &world{t: t}
	var err error
	if w.db, err = store.Open(store.Config{}, cloudwatch.Tables()...); err != nil {
		t.Fatal(err)
	}
	if w.m, err = metrics.Open(metrics.Config{Path: filepath.Join(t.TempDir(), "metrics")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.m.Close() })
	w.s = cloudwatch.New(cloudwatch.Config{Store: w.db, Metrics: w.m, Log: slog.New(slog.DiscardHandler), Speed: speed, Action: w.action})
	w.ctx = awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: scope, ARN: "arn:aws:iam::123456789012:root"})
	return w
}

func (w *world) action(_ context.Context, action string, a cloudwatch.Alarm) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acted = append(w.acted, string(a.State)+" "+action[strings.LastIndex(action, ":")+1:])
	return w.fail
}

func (w *world) actions() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(slices.Sorted(slices.Values(w.acted)), ", ") // those of different alarms come in any order
}

// put puts one value, now.
func (w *world) put(name string, value float64, dims ...cloudwatchapi.Dimension) {
	w.t.Helper()
	_, err := w.s.PutMetricData(w.ctx, &cloudwatchapi.PutMetricDataInput{Namespace: new("App"), MetricData: []cloudwatchapi.MetricDatum{{
		MetricName: new(name), Value: new(value), Timestamp: new(time.Now()), Dimensions: dims,
	}}})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) state(name string) cloudwatchapi.StateValue {
	w.t.Helper()
	a, err := cloudwatch.Alarms.Get(w.db.Snapshot(), scope.Key(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return a.State
}

// run runs the loops until the test ends.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(w.ctx)
	var wg sync.WaitGroup
	for _, l := range w.s.Loops() {
		wg.Go(func() { l.Run(ctx, w.db, slog.New(slog.DiscardHandler)) })
	}
	return func() { cancel(); wg.Wait() }
}

func code(err error) string {
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		return e.Code
	}
	return ""
}

func cpuHigh(name string) *cloudwatchapi.PutMetricAlarmInput {
	return &cloudwatchapi.PutMetricAlarmInput{
		AlarmName: new(name), Namespace: new("App"), MetricName: new("CPU"), Statistic: "Average", Period: new(int32(60)),
		EvaluationPeriods: new(int32(2)), Threshold: new(70.0), ComparisonOperator: "GreaterThanThreshold",
		AlarmActions: []string{"arn:aws:sns:us-east-1:123456789012:page"}, OKActions: []string{"arn:aws:sns:us-east-1:123456789012:calm"},
	}
}
