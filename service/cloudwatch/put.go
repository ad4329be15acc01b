package cloudwatch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// Limits of PutMetricData (CloudWatch API reference).
const (
	maxDatums = 1000
	maxValues = 150
	oldest    = 14 * 24 * time.Hour
	newest    = 2 * time.Hour
)

// greatest is 2^360, beyond which CloudWatch takes no values.
var greatest = math.Ldexp(1, 360)

// PutMetricData takes measurements of the caller's own metrics.
func (s *Service) PutMetricData(ctx context.Context, in *cloudwatchapi.PutMetricDataInput) (*cloudwatchapi.PutMetricDataOutput, error) {
	namespace := val(in.Namespace)
	if strings.HasPrefix(namespace, "AWS/") {
		return nil, errBad(namespace, "Namespace")
	}
	data := in.MetricData
	for _, e := range in.EntityMetricData {
		data = append(data[:len(data):len(data)], e.MetricData...)
	}
	if len(data) == 0 {
		return nil, errMissing("MetricData")
	}
	if len(data) > maxDatums {
		return nil, errValue("The collection MetricData must not have a size greater than %d.", maxDatums)
	}
	now := s.Now()
	samples := make([]metrics.Sample, len(data))
	for i, d := range data {
		p, err := sample(d, now, fmt.Sprintf("MetricData.member.%d", i+1))
		if err != nil {
			return nil, err
		}
		p.Fine = p.Fine || s.Speed > 1 // a minute of the platform is shorter than one of the clock
		p.Metric.Scope, p.Metric.Namespace = metricScope(scopeOf(ctx)), namespace
		samples[i] = p
	}
	err := s.Metrics.Put(now, samples)
	if errors.Is(err, metrics.ErrTooMany) {
		return nil, errTooMany
	}
	return &cloudwatchapi.PutMetricDataOutput{}, err
}

// sample reads a datum; path names it in errors.
func sample(d cloudwatchapi.MetricDatum, now time.Time, path string) (p metrics.Sample, err error) {
	p = metrics.Sample{Metric: metrics.Metric{Name: val(d.MetricName)}, Unit: string(unit(string(d.Unit))), Time: now}
	if p.Metric.Dims, err = dims(d.Dimensions, path+".Dimensions"); err != nil {
		return p, err
	}
	if d.Timestamp != nil {
		p.Time = *d.Timestamp
	}
	switch {
	case p.Time.After(now.Add(newest)):
		return p, errValue("The parameter %s.Timestamp must specify a time no more than two hours in the future.", path)
	case p.Time.Before(now.Add(-oldest)):
		return p, errValue("The parameter %s.Timestamp must specify a time no more than two weeks in the past.", path)
	}
	switch val(d.StorageResolution) {
	case 1:
		p.Fine = true
	case 0, 60:
	default:
		return p, errBad(*d.StorageResolution, path+".StorageResolution")
	}
	p.Stat, err = statOf(d, path)
	return p, err
}

func statOf(d cloudwatchapi.MetricDatum, path string) (st metrics.Stat, err error) {
	given := 0
	for _, is := range []bool{d.Value != nil, d.StatisticValues != nil, len(d.Values) > 0} {
		if is {
			given++
		}
	}
	switch {
	case given > 1 && d.StatisticValues != nil && d.Value != nil:
		return st, errBoth(path+".Value", path+".StatisticValues")
	case given > 1 && d.Value != nil:
		return st, errBoth(path+".Value", path+".Values")
	case given > 1:
		return st, errBoth(path+".Values", path+".StatisticValues")
	case given == 0:
		return st, errMissing(path + ".Value")
	case d.Value != nil:
		return metrics.Values(*d.Value, 1), finite(path+".Value", *d.Value)
	case d.StatisticValues != nil:
		v := d.StatisticValues
		count, sum, lo, hi := val(v.SampleCount), val(v.Sum), val(v.Minimum), val(v.Maximum)
		if err := finite(path+".StatisticValues", count, sum, lo, hi); err != nil {
			return st, err
		}
		if count <= 0 {
			return st, errBad(count, path+".StatisticValues.SampleCount")
		}
		if lo > hi {
			return st, errValue("The parameter %s.StatisticValues.Maximum must be greater than %[1]s.StatisticValues.Minimum.", path)
		}
		return metrics.Set(count, sum, lo, hi), nil
	}
	if len(d.Values) > maxValues {
		return st, errValue("The collection %s.Values must not have a size greater than %d.", path, maxValues)
	}
	if len(d.Counts) > 0 && len(d.Counts) != len(d.Values) {
		return st, errValue("The parameters %s.Values and %[1]s.Counts must be of the same size.", path)
	}
	for i, v := range d.Values {
		n := 1.0
		if len(d.Counts) > 0 {
			n = d.Counts[i]
		}
		if err := finite(fmt.Sprintf("%s.Values.member.%d", path, i+1), v, n); err != nil {
			return st, err
		}
		if n <= 0 {
			return st, errBad(n, fmt.Sprintf("%s.Counts.member.%d", path, i+1))
		}
		st.Add(metrics.Values(v, n))
	}
	return st, nil
}

func finite(path string, values ...float64) error {
	for _, v := range values {
		if math.IsNaN(v) || math.Abs(v) > greatest {
			return errBad(v, path)
		}
	}
	return nil
}

func dims(in []cloudwatchapi.Dimension, path string) ([]metrics.Dim, error) {
	var out []metrics.Dim
	seen := map[string]bool{}
	for i, d := range in {
		name := val(d.Name)
		if seen[name] {
			return nil, errValue("The parameter %s.member.%d.Name is given twice: %s.", path, i+1, name)
		}
		if strings.HasPrefix(name, ":") {
			return nil, errBad(name, fmt.Sprintf("%s.member.%d.Name", path, i+1))
		}
		seen[name] = true
		out = append(out, metrics.Dim{Name: name, Value: val(d.Value)})
	}
	return out, nil
}
