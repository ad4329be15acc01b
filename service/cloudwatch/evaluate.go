package cloudwatch

import (
	"slices"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
)

// extraPeriods is how many periods before the evaluated ones are looked at
// for datapoints that stand in for missing ones. AWS says only that it is
// some; its examples look at five periods for three.
const extraPeriods = 2

// reading is a datapoint of an alarm's metric.
type reading struct {
	At    time.Time // begin of its period
	Value float64
	Count float64 // samples in it, 0 when it comes of an expression
}

// verdict is what an alarm's datapoints say.
type verdict struct {
	State cloudwatchapi.StateValue
	// Evaluated are the real datapoints that decided, newest first; Unknown
	// is how many of the evaluation periods had none.
	Evaluated []reading
	Unknown   int
	// Filled says how unknown datapoints were treated, when they were:
	// Breaching or NonBreaching.
	Filled string
}

// evaluate judges the datapoints of an alarm (CloudWatch user guide,
// "Configuring how CloudWatch alarms treat missing data"). end is the end of
// the last whole period, period its length as measured; readings may come in
// any order, and those outside the evaluation range are not looked at. An
// undecided alarm keeps its state.
func evaluate(a Alarm, readings []reading, end time.Time, period time.Duration) verdict {
	first := end.Add(-time.Duration(a.Periods+extraPeriods) * period)
	var seen []reading
	for _, r := range readings {
		if !r.At.Before(first) && r.At.Before(end) {
			seen = append(seen, r)
		}
	}
	slices.SortFunc(seen, func(x, y reading) int { return y.At.Compare(x.At) })
	seen = seen[:min(len(seen), a.Periods)]
	v := verdict{Evaluated: seen, Unknown: a.Periods - len(seen), State: a.State}
	breaching := 0
	for _, r := range seen {
		if a.breaches(r.Value) {
			breaching++
		}
	}
	switch {
	case breaching >= a.toAlarm():
		v.State = cloudwatchapi.StateValueAlarm
		return v
	case v.Unknown == 0:
		v.State = cloudwatchapi.StateValueOk
		return v
	}
	switch a.MissingData {
	case "breaching":
		v.Filled, v.State = "Breaching", cloudwatchapi.StateValueOk
		if breaching+v.Unknown >= a.toAlarm() {
			v.State = cloudwatchapi.StateValueAlarm
		}
	case "notBreaching":
		v.Filled, v.State = "NonBreaching", cloudwatchapi.StateValueOk
	case "ignore":
		if breaching < len(seen) {
			v.State = cloudwatchapi.StateValueOk
		}
	default:
		v.State = missing(a, seen, breaching, end, period)
	}
	return v
}

// missing decides when unknown datapoints stay unknown. Breaching ones alone
// make an alarm when the oldest of them is as old as DatapointsToAlarm: so a
// metric that stops after it began to breach still alarms, and a single fresh
// datapoint does not.
func missing(a Alarm, seen []reading, breaching int, end time.Time, period time.Duration) cloudwatchapi.StateValue {
	switch {
	case len(seen) == 0:
		return cloudwatchapi.StateValueInsufficientData
	case breaching < len(seen):
		return cloudwatchapi.StateValueOk
	}
	oldest := seen[len(seen)-1].At
	if end.Sub(oldest) >= time.Duration(a.toAlarm())*period {
		return cloudwatchapi.StateValueAlarm
	}
	return a.State
}

// breaches reports whether a value is on the wrong side of the threshold.
func (a Alarm) breaches(v float64) bool {
	switch a.Comparison {
	case cloudwatchapi.ComparisonOperatorGreaterThanOrEqualToThreshold:
		return v >= a.Threshold
	case cloudwatchapi.ComparisonOperatorGreaterThanThreshold:
		return v > a.Threshold
	case cloudwatchapi.ComparisonOperatorLessThanThreshold:
		return v < a.Threshold
	case cloudwatchapi.ComparisonOperatorLessThanOrEqualToThreshold:
		return v <= a.Threshold
	}
	return false
}
