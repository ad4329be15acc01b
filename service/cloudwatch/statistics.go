package cloudwatch

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// maxStatistics is how many datapoints GetMetricStatistics gives at most.
const maxStatistics = 1440

// GetMetricStatistics gives statistics of one metric.
func (s *Service) GetMetricStatistics(ctx context.Context, in *cloudwatchapi.GetMetricStatisticsInput) (*cloudwatchapi.GetMetricStatisticsOutput, error) {
	if len(in.Statistics) == 0 && len(in.ExtendedStatistics) == 0 {
		return nil, errMissing("Statistics")
	}
	period := int(val(in.Period))
	if !validPeriod(period) {
		return nil, errBad(period, "Period")
	}
	if !in.StartTime.Before(*in.EndTime) {
		return nil, errStartEnd
	}
	start, end := in.StartTime.Truncate(time.Second), *in.EndTime
	if n := int(end.Sub(start).Seconds()) / period; n > maxStatistics {
		return nil, errCombination("You have requested up to %d datapoints, which exceeds the limit of %d. You may reduce the datapoints requested by increasing Period, or decreasing the time range.", n, maxStatistics)
	}
	d, err := dims(in.Dimensions, "Dimensions")
	if err != nil {
		return nil, err
	}
	extended := map[string]statistic{}
	for _, name := range in.ExtendedStatistics {
		f, ok := parseStatistic(name)
		if _, plain := simple[name]; !ok || plain && name != "IQM" {
			return nil, errBad(name, "ExtendedStatistics")
		}
		extended[name] = f
	}
	points, err := s.Metrics.Query(metrics.Query{
		Metric: metrics.Metric{Scope: metricScope(scopeOf(ctx)), Namespace: val(in.Namespace), Name: val(in.MetricName), Dims: d},
		Unit:   string(in.Unit), Start: aligned(start, period), End: end, Period: time.Duration(period) * time.Second,
	})
	if err != nil {
		return nil, err
	}
	out := &cloudwatchapi.GetMetricStatisticsOutput{Label: in.MetricName, Datapoints: []cloudwatchapi.Datapoint{}}
	for _, p := range points {
		if dp, ok := datapoint(p, in.Statistics, extended); ok {
			out.Datapoints = append(out.Datapoints, dp)
		}
	}
	return out, nil
}

func datapoint(p metrics.Point, names []cloudwatchapi.Statistic, extended map[string]statistic) (cloudwatchapi.Datapoint, bool) {
	out := cloudwatchapi.Datapoint{Timestamp: new(p.Time), Unit: unit(p.Unit)}
	for _, name := range names {
		v, _ := simple[string(name)](p.Stat)
		switch name {
		case cloudwatchapi.StatisticSampleCount:
			out.SampleCount = &v
		case cloudwatchapi.StatisticAverage:
			out.Average = &v
		case cloudwatchapi.StatisticSum:
			out.Sum = &v
		case cloudwatchapi.StatisticMinimum:
			out.Minimum = &v
		case cloudwatchapi.StatisticMaximum:
			out.Maximum = &v
		}
	}
	for name, f := range extended {
		if v, ok := f(p.Stat); ok {
			if out.ExtendedStatistics == nil {
				out.ExtendedStatistics = map[string]float64{}
			}
			out.ExtendedStatistics[name] = v
		}
	}
	return out, len(names) > 0 || out.ExtendedStatistics != nil
}

func unit(u string) cloudwatchapi.StandardUnit {
	if u == "" {
		return cloudwatchapi.StandardUnitNone
	}
	return cloudwatchapi.StandardUnit(u)
}

// validPeriod reports whether statistics can be had for periods this long.
func validPeriod(seconds int) bool {
	switch seconds {
	case 1, 5, 10, 20, 30:
		return true
	}
	return seconds > 0 && seconds%60 == 0
}

// aligned is the begin of the period that t lies in.
func aligned(t time.Time, period int) time.Time {
	return time.Unix(t.Unix()-t.Unix()%int64(period), 0).UTC()
}
