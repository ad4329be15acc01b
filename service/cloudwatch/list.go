package cloudwatch

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// ListMetrics lists metrics that had measurements in the last two weeks, 500
// a page.
func (s *Service) ListMetrics(ctx context.Context, in *cloudwatchapi.ListMetricsInput) (*cloudwatchapi.ListMetricsOutput, error) {
	if val(in.IncludeLinkedAccounts) || val(in.OwningAccount) != "" && *in.OwningAccount != scopeOf(ctx).Account {
		return nil, errRefused("Cross-account observability")
	}
	since := s.Now().Add(-oldest)
	if in.RecentlyActive != "" {
		since = s.Now().Add(-3 * time.Hour)
	}
	found := s.Metrics.List(metricScope(scopeOf(ctx)), func(l metrics.Listed) bool {
		return (in.Namespace == nil || *in.Namespace == l.Namespace) && (in.MetricName == nil || *in.MetricName == l.Name) &&
			!l.Last.Before(since) && matches(l.Dims, in.Dimensions)
	})
	key := func(l metrics.Listed) string {
		parts := []string{l.Namespace, l.Name}
		for _, d := range l.Dims {
			parts = append(parts, d.Name, d.Value)
		}
		return strings.Join(parts, "\x00")
	}
	page, next, err := awsapi.Page(found, key, in.NextToken, 0, 500)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchapi.ListMetricsOutput{Metrics: []cloudwatchapi.Metric{}, NextToken: next}
	for _, l := range page {
		out.Metrics = append(out.Metrics, metricOf(l.Metric))
	}
	return out, nil
}

// matches reports whether every filter has its dimension, with its value when
// it names one.
func matches(have []metrics.Dim, filters []cloudwatchapi.DimensionFilter) bool {
	for _, f := range filters {
		if !slices.ContainsFunc(have, func(d metrics.Dim) bool {
			return d.Name == val(f.Name) && (f.Value == nil || d.Value == *f.Value)
		}) {
			return false
		}
	}
	return true
}

func metricOf(m metrics.Metric) cloudwatchapi.Metric {
	out := cloudwatchapi.Metric{Namespace: new(m.Namespace), MetricName: new(m.Name), Dimensions: []cloudwatchapi.Dimension{}}
	for _, d := range m.Dims {
		out.Dimensions = append(out.Dimensions, cloudwatchapi.Dimension{Name: new(d.Name), Value: new(d.Value)})
	}
	return out
}
