package cloudwatch

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// Limits of GetMetricData (CloudWatch API reference).
const (
	maxQueries = 500
	maxPoints  = 100_800
)

// GetMetricData gives statistics of metrics and of expressions on them.
func (s *Service) GetMetricData(ctx context.Context, in *cloudwatchapi.GetMetricDataInput) (*cloudwatchapi.GetMetricDataOutput, error) {
	if len(in.MetricDataQueries) == 0 {
		return nil, errMissing("MetricDataQueries")
	}
	if len(in.MetricDataQueries) > maxQueries {
		return nil, validation("The collection MetricDataQueries must not have a size greater than %d.", maxQueries)
	}
	if !in.StartTime.Before(*in.EndTime) {
		return nil, validation("The parameter StartTime must be less than the parameter EndTime.")
	}
	zone, err := location(in.LabelOptions)
	if err != nil {
		return nil, err
	}
	scope := metricScope(scopeOf(ctx))
	p, err := planQueries(in.MetricDataQueries, scope, "MetricDataQueries")
	if err != nil {
		return nil, err
	}
	e := &mathEnv{
		plan: p, scope: scope, start: aligned(*in.StartTime, p.shortest()), end: *in.EndTime, period: p.period(), store: s.Metrics,
		scale: func(period int) int { return period }, since: s.Now().Add(-oldest), known: map[string]mathValue{},
	}
	out := &cloudwatchapi.GetMetricDataOutput{MetricDataResults: []cloudwatchapi.MetricDataResult{}, Messages: []cloudwatchapi.MessageData{}}
	var results []*series
	for _, q := range p.queries {
		if !q.returns() {
			continue
		}
		v, err := e.value(val(q.Id))
		if err != nil {
			return nil, err
		}
		if v.kind == scalar {
			return nil, validation("Error in expression '%s' [The expression must return a time series or an array of time series]", val(q.Id))
		}
		for _, one := range v.list {
			results = append(results, one)
			out.MetricDataResults = append(out.MetricDataResults, cloudwatchapi.MetricDataResult{
				Id: q.Id, Label: new(labelOf(q, one, zone)), StatusCode: cloudwatchapi.StatusCodeComplete,
				Timestamps: []time.Time{}, Values: []float64{},
			})
		}
	}
	return out, share(out, results, in)
}

// shortest is the shortest period of the queries, to which the start is
// rounded down.
func (p *plan) shortest() int {
	shortest := 0
	for _, q := range p.queries {
		if q.MetricStat == nil {
			continue
		}
		if n := int(*q.MetricStat.Period); shortest == 0 || n < shortest {
			shortest = n
		}
	}
	return max(shortest, 1)
}

// share puts one page of the datapoints into the answer.
func share(out *cloudwatchapi.GetMetricDataOutput, results []*series, in *cloudwatchapi.GetMetricDataInput) error {
	type place struct {
		result int
		at     int64
	}
	var all []place
	left := make([]int, len(results))
	for i, s := range results {
		times := s.times()
		if in.ScanBy != cloudwatchapi.ScanByTimestampAscending {
			slices.Reverse(times)
		}
		left[i] = len(times)
		for _, t := range times {
			all = append(all, place{i, t})
		}
	}
	key := func(p place) string { return fmt.Sprintf("%06d/%012d", p.result, p.at) }
	page, next, err := awsapi.Page(all, key, in.NextToken, int(val(in.MaxDatapoints)), maxPoints)
	if err != nil {
		return err
	}
	if out.NextToken = next; len(page) == 0 {
		return nil
	}
	last := page[len(page)-1].result
	for _, p := range page {
		r := &out.MetricDataResults[p.result]
		r.Timestamps = append(r.Timestamps, time.Unix(p.at, 0).UTC())
		r.Values = append(r.Values, results[p.result].points[p.at])
		left[p.result]--
	}
	for i := range out.MetricDataResults {
		if i > last && left[i] > 0 || i == last && next != nil {
			out.MetricDataResults[i].StatusCode = cloudwatchapi.StatusCodePartialData
		}
	}
	return nil
}

// location reads the time zone of labels: +0130, -0800.
func location(o *cloudwatchapi.LabelOptions) (*time.Location, error) {
	z := ""
	if o != nil {
		z = val(o.Timezone)
	}
	if z == "" {
		return time.UTC, nil
	}
	t, err := time.Parse("-0700", z)
	if err != nil {
		return nil, validation("The value %s for parameter LabelOptions.Timezone is invalid.", z)
	}
	_, offset := t.Zone()
	return time.FixedZone(z, offset), nil
}

// labelOf is a result's label, with what it says of the series filled in
// (CloudWatch user guide, "Using dynamic labels").
func labelOf(q query, s *series, zone *time.Location) string {
	base := s.label
	if q.formula != nil && s.metric == nil {
		base = val(q.Id)
	}
	if q.Label == nil {
		return base
	}
	out := *q.Label
	for {
		before, rest, ok := strings.Cut(out, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !ok || !closed {
			return out
		}
		out = before + dynamic(name, base, s, zone) + after
	}
}

func dynamic(name, base string, s *series, zone *time.Location) string {
	times := s.times()
	if inner, ok := strings.CutPrefix(name, "PROP('"); ok && s.metric != nil {
		property := strings.TrimSuffix(inner, "')")
		for _, d := range s.metric.Dims {
			if property == "Dim."+d.Name {
				return d.Value
			}
		}
		return map[string]string{
			"MetricName": s.metric.Name, "Namespace": s.metric.Namespace, "Stat": s.stat, "Period": strconv.Itoa(s.period),
			"AccountId": strings.Split(s.metric.Scope, "/")[0],
		}[property]
	}
	if name == "LABEL" {
		return base
	}
	if len(times) == 0 {
		return "--"
	}
	at := map[string]int64{"FIRST": times[0], "LAST": times[len(times)-1], "MIN": times[0], "MAX": times[0]}
	var all []float64
	for _, t := range times {
		v := s.points[t]
		all = append(all, v)
		if v < s.points[at["MIN"]] {
			at["MIN"] = t
		}
		if v > s.points[at["MAX"]] {
			at["MAX"] = t
		}
	}
	value, _, _ := strings.Cut(name, "_TIME")
	t, known := at[value]
	switch {
	case name == "SUM":
		return decimal(sum(all))
	case name == "AVG":
		return decimal(sum(all) / float64(len(all)))
	case name == "DATAPOINT_COUNT":
		return strconv.Itoa(len(all))
	case !known:
		return ""
	case value != name:
		return time.Unix(t, 0).In(zone).Format("2006-01-02T15:04:05.000-0700")
	}
	return decimal(s.points[t])
}

// lookMath judges an alarm on an expression.
func (s *Service) lookMath(a Alarm, now time.Time) (verdict, error) {
	scope := metricScope(a.Scope)
	p, err := planQueries(a.Metrics, scope, "Metrics")
	if err != nil {
		return verdict{}, err
	}
	period := s.scaled(p.period())
	end, length := aligned(now, period), time.Duration(period)*time.Second
	e := &mathEnv{
		plan: p, scope: scope, start: end.Add(-time.Duration(a.Periods+extraPeriods) * length), end: end, period: period,
		store: s.Metrics, scale: s.scaled, known: map[string]mathValue{},
	}
	for _, q := range p.queries {
		if !q.returns() {
			continue
		}
		v, err := e.value(val(q.Id))
		if err != nil {
			return verdict{}, err
		}
		var readings []reading
		if v.kind == one {
			for t, x := range v.list[0].points {
				readings = append(readings, reading{time.Unix(t, 0).UTC(), x, v.list[0].counts[t]})
			}
		}
		return evaluate(a, readings, end, length), nil
	}
	return verdict{}, errReturn
}
