package cloudwatch

import (
	"slices"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Alarms are keyed by scope and name; "action" lists them by the keys of the
// ARNs that they act on, in whatever state.
var Alarms = store.NewTable("cloudwatch/alarm", func(a Alarm) string { return a.Key(a.Name) },
	store.Index("action", func(a Alarm) (keys []string) {
		for _, action := range slices.Concat(a.OKActions, a.AlarmActions, a.NoDataActions) {
			keys = append(keys, a.Key(action))
		}
		return keys
	}))

// histories hold the last events of each alarm, also of deleted ones.
var histories = store.NewTable("cloudwatch/history", func(h history) string { return h.Key(h.Alarm) })

// Dashboards are keyed by scope and name.
var Dashboards = store.NewTable("cloudwatch/dashboard", func(d Dashboard) string { return d.Key(d.Name) })

// Tables are the service's tables.
func Tables() []store.Schema { return []store.Schema{Alarms, histories, Dashboards} }

// Alarm is a metric alarm, or a composite one when it has a Rule.
type Alarm struct {
	arn.Scope
	Name           string
	Description    *string
	ActionsEnabled bool
	OKActions      []string
	AlarmActions   []string
	NoDataActions  []string // of INSUFFICIENT_DATA
	Tags           map[string]string
	ConfiguredAt   time.Time

	// Of a metric alarm: either a metric or Metrics.
	Namespace   string
	Metric      string
	Dimensions  []cloudwatchapi.Dimension
	Statistic   string // Average, p99, ...
	Period      int    // seconds
	Unit        string
	Metrics     []cloudwatchapi.MetricDataQuery
	Periods     int // EvaluationPeriods
	Datapoints  int // DatapointsToAlarm, 0 = Periods
	Threshold   float64
	Comparison  cloudwatchapi.ComparisonOperator
	MissingData string // breaching, notBreaching, ignore, missing; empty = missing
	LowSamples  string // evaluate, ignore

	Rule string // of a composite alarm

	State          cloudwatchapi.StateValue
	Reason         string
	ReasonData     string    // JSON
	StateAt        time.Time // state, reason or data were written
	TransitionedAt time.Time // the state changed
	// Owed are the actions of the last transition that are not done yet.
	Owed []string
}

// ARN of the alarm.
func (a Alarm) ARN() string { return a.Scope.ARN("cloudwatch", "alarm:"+a.Name) }

// Composite reports whether the alarm depends on other alarms.
func (a Alarm) Composite() bool { return a.Rule != "" }

// toAlarm is M of "M out of N".
func (a Alarm) toAlarm() int {
	if a.Datapoints > 0 {
		return a.Datapoints
	}
	return a.Periods
}

func (a Alarm) kind() cloudwatchapi.AlarmType {
	if a.Composite() {
		return cloudwatchapi.AlarmTypeCompositeAlarm
	}
	return cloudwatchapi.AlarmTypeMetricAlarm
}

// actions are what is done on entering a state.
func (a Alarm) actions(state cloudwatchapi.StateValue) []string {
	switch state {
	case cloudwatchapi.StateValueAlarm:
		return a.AlarmActions
	case cloudwatchapi.StateValueOk:
		return a.OKActions
	}
	return a.NoDataActions
}

// history is what happened to an alarm, newest first.
type history struct {
	arn.Scope
	Alarm string
	Items []event
	Next  int
}

type event struct {
	ID      int
	At      time.Time
	Alarm   cloudwatchapi.AlarmType
	Type    cloudwatchapi.HistoryItemType
	Summary string
	Data    string // JSON
}

// Dashboard is a dashboard.
type Dashboard struct {
	arn.Scope
	Name     string
	Body     string // JSON
	Modified time.Time
	Tags     map[string]string
}

// ARN of the dashboard, which has no region.
func (d Dashboard) ARN() string { return d.GlobalARN("cloudwatch", "dashboard/"+d.Name) }
