package cloudwatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// alarmLoop keeps the states of alarms true and does what they owe.
func (s *Service) alarmLoop() loop.Loop {
	return loop.Loop{
		Name:    "cloudwatch/alarm",
		Workers: 4,
		List: func(snap *store.Snapshot) (keys []string) {
			for a := range Alarms.List(snap, "") {
				keys = append(keys, Alarms.Key(a))
			}
			return keys
		},
		Keys: func(snap *store.Snapshot, c store.Change) []string {
			if c.Table != Alarms.Name() {
				return nil
			}
			return append(parents(snap, c.Key), c.Key)
		},
		Reconcile: s.reconcile,
	}
}

// parents are the composite alarms that depend on an alarm.
func parents(r store.Reader, key string) (keys []string) {
	scope := arn.ScopeOfKey(key)
	name := strings.TrimPrefix(key, scope.Key(""))
	for a := range Alarms.List(r, scope.Key("")) {
		if a.Composite() && strings.Contains(a.Rule, name) {
			keys = append(keys, Alarms.Key(a))
		}
	}
	return keys
}

func (s *Service) reconcile(ctx context.Context, key string) (time.Duration, error) {
	a, err := Alarms.Get(s.store.Snapshot(), key)
	if err != nil {
		s.repeat(key, false)
		return 0, nil
	}
	if len(a.Owed) > 0 {
		return s.interval(a), s.pay(ctx, a)
	}
	now := s.Now()
	if a.Composite() {
		return 0, s.judged(key, now)
	}
	v, err := s.look(a, now)
	if err != nil {
		return 0, fmt.Errorf("evaluate alarm %s: %w", a.Name, err)
	}
	if v.State != a.State {
		err = s.store.Update(func(tx *store.Tx) error {
			b, err := Alarms.Get(tx, key)
			if err != nil || !b.ConfiguredAt.Equal(a.ConfiguredAt) || !b.StateAt.Equal(a.StateAt) {
				return nil // changed meanwhile: that brings us here again
			}
			transition(tx, b, v.State, reason(b, v), reasonData(b, v, now), now)
			return nil
		})
		if err != nil {
			return 0, err
		}
		s.Log.Info("alarm", "name", a.Name, "from", a.State, "to", v.State, "reason", reason(a, v))
		return s.interval(a), nil
	}
	return s.interval(a), s.scaleAgain(ctx, a, now)
}

// judged writes the state of a composite alarm.
func (s *Service) judged(key string, now time.Time) error {
	return s.store.Update(func(tx *store.Tx) error {
		a, err := Alarms.Get(tx, key)
		if err != nil {
			return nil
		}
		if state, why, data := judge(tx, a, now); state != a.State || a.Reason == unchecked {
			transition(tx, a, state, why, data, now)
		}
		return nil
	})
}

// interval is the time between two evaluations: a minute, ten seconds for
// periods below one, divided by the clock's speed.
func (s *Service) interval(a Alarm) time.Duration {
	every := time.Minute
	if a.shortest() < 60 {
		every = 10 * time.Second
	}
	return max(time.Duration(float64(every)/s.Speed), 500*time.Millisecond)
}

// shortest is the shortest period in seconds that the alarm looks at.
func (a Alarm) shortest() int {
	if len(a.Metrics) == 0 {
		return a.Period
	}
	shortest := 0
	for _, q := range a.Metrics {
		p := int(val(q.Period))
		if q.MetricStat != nil {
			p = int(val(q.MetricStat.Period))
		}
		if p > 0 && (shortest == 0 || p < shortest) {
			shortest = p
		}
	}
	return shortest
}

// scaled is a period of an alarm under the clock's speed, in whole seconds.
func (s *Service) scaled(seconds int) int { return max(int(float64(seconds)/s.Speed), 1) }

// look reads an alarm's datapoints and judges them.
func (s *Service) look(a Alarm, now time.Time) (verdict, error) {
	if len(a.Metrics) > 0 {
		return s.lookMath(a, now)
	}
	period := s.scaled(a.Period)
	end := aligned(now, period)
	length := time.Duration(period) * time.Second
	d, err := dims(a.Dimensions, "")
	if err != nil {
		return verdict{}, err
	}
	f, ok := parseStatistic(a.Statistic)
	if !ok {
		return verdict{}, errBad(a.Statistic, "ExtendedStatistic")
	}
	points, err := s.Metrics.Query(metrics.Query{
		Metric: metrics.Metric{Scope: metricScope(a.Scope), Namespace: a.Namespace, Name: a.Metric, Dims: d},
		Unit:   a.Unit, Start: end.Add(-time.Duration(a.Periods+extraPeriods) * length), End: end, Period: length,
	})
	if err != nil {
		return verdict{}, err
	}
	var readings []reading
	for _, p := range points {
		if a.LowSamples == "ignore" && tooFew(a.Statistic, p.Stat.Count) {
			continue
		}
		if v, ok := f(p.Stat); ok {
			readings = append(readings, reading{p.Time, v, p.Stat.Count})
		}
	}
	return evaluate(a, readings, end, length), nil
}

// pay does the actions that a transition owes, and writes down how that went.
func (s *Service) pay(ctx context.Context, a Alarm) error {
	type outcome struct {
		action string
		err    error
	}
	var done []outcome
	for _, action := range a.Owed {
		err := s.do(ctx, action, a)
		if errors.Is(err, context.Canceled) {
			return err
		}
		done = append(done, outcome{action, err})
	}
	s.repeat(Alarms.Key(a), true)
	now := s.Now()
	return s.store.Update(func(tx *store.Tx) error {
		b, err := Alarms.Get(tx, Alarms.Key(a))
		if err != nil || !b.StateAt.Equal(a.StateAt) {
			return nil // what it owes now is for another transition
		}
		b.Owed = nil
		Alarms.Put(tx, b)
		for _, o := range done {
			summary, data := "Successfully executed action "+o.action, map[string]any{
				"actionState": "Succeeded", "stateUpdateTimestamp": a.StateAt.UnixMilli(), "notificationResource": o.action, "publishedMessage": nil, "error": nil,
			}
			if o.err != nil {
				summary = fmt.Sprintf("Failed to execute action %s. Received error: %q", o.action, o.err.Error())
				data["actionState"], data["error"] = "Failed", o.err.Error()
			}
			record(tx, b, now, cloudwatchapi.HistoryItemTypeAction, summary[:min(len(summary), 255)], data)
		}
		return nil
	})
}

func (s *Service) do(ctx context.Context, action string, a Alarm) error {
	if s.Action == nil {
		return errors.New("this engine carries out no actions")
	}
	return s.Action(ctx, action, a)
}

// scaleAgain repeats scaling actions every minute while the state lasts
// (CloudWatch user guide, Alarm actions).
func (s *Service) scaleAgain(ctx context.Context, a Alarm, now time.Time) error {
	if !a.ActionsEnabled || s.Action == nil || !slices.ContainsFunc(a.actions(a.State), isScaling) {
		return nil
	}
	s.mu.Lock()
	due := now.Sub(s.repeated[Alarms.Key(a)]) >= time.Duration(float64(time.Minute)/s.Speed)
	if due {
		s.repeated[Alarms.Key(a)] = now
	}
	s.mu.Unlock()
	var errs []error
	for _, action := range a.actions(a.State) {
		if due && isScaling(action) {
			errs = append(errs, s.do(ctx, action, a))
		}
	}
	return errors.Join(errs...)
}

func isScaling(action string) bool { return strings.Contains(action, ":autoscaling:") }

// repeat notes that the actions of an alarm were done now, or that it is gone.
func (s *Service) repeat(key string, now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.repeated, key); now {
		s.repeated[key] = s.Now()
	}
}
