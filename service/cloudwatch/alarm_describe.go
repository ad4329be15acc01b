package cloudwatch

import (
	"context"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// DescribeAlarms lists alarms by name, at most 100 a page (50 unasked).
func (s *Service) DescribeAlarms(ctx context.Context, in *cloudwatchapi.DescribeAlarmsInput) (*cloudwatchapi.DescribeAlarmsOutput, error) {
	if len(in.AlarmNames) > 0 && in.AlarmNamePrefix != nil {
		return nil, errBoth("AlarmNames", "AlarmNamePrefix")
	}
	scope, snap := scopeOf(ctx), s.store.Snapshot()
	types := in.AlarmTypes
	only := in.AlarmNames
	switch {
	case in.ChildrenOfAlarmName != nil && in.ParentsOfAlarmName != nil:
		return nil, errBoth("ChildrenOfAlarmName", "ParentsOfAlarmName")
	case in.ChildrenOfAlarmName != nil:
		parent, err := Alarms.Get(snap, scope.Key(*in.ChildrenOfAlarmName))
		if err != nil {
			return nil, errNoAlarm(*in.ChildrenOfAlarmName)
		}
		only = append([]string{""}, children(parent)...)
		types = []cloudwatchapi.AlarmType{cloudwatchapi.AlarmTypeMetricAlarm, cloudwatchapi.AlarmTypeCompositeAlarm}
	case in.ParentsOfAlarmName != nil:
		types = []cloudwatchapi.AlarmType{cloudwatchapi.AlarmTypeCompositeAlarm}
	}
	var found []Alarm
	for a := range Alarms.List(snap, scope.Key(val(in.AlarmNamePrefix))) {
		switch {
		case !ofTypes(a.kind(), types), len(only) > 0 && !slices.Contains(only, a.Name),
			in.StateValue != "" && in.StateValue != a.State, in.ActionPrefix != nil && !actsOn(a, *in.ActionPrefix),
			in.ParentsOfAlarmName != nil && !slices.Contains(children(a), *in.ParentsOfAlarmName):
			continue
		}
		found = append(found, a)
	}
	size := int(val(in.MaxRecords))
	if size == 0 {
		size = 50
	}
	page, next, err := awsapi.Page(found, Alarms.Key, in.NextToken, size, 100)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchapi.DescribeAlarmsOutput{MetricAlarms: []cloudwatchapi.MetricAlarm{}, CompositeAlarms: []cloudwatchapi.CompositeAlarm{}, NextToken: next}
	for _, a := range page {
		if a.Composite() {
			out.CompositeAlarms = append(out.CompositeAlarms, describeComposite(a))
		} else {
			out.MetricAlarms = append(out.MetricAlarms, describe(a))
		}
	}
	return out, nil
}

func actsOn(a Alarm, prefix string) bool {
	return slices.ContainsFunc(slices.Concat(a.OKActions, a.AlarmActions, a.NoDataActions), func(s string) bool { return strings.HasPrefix(s, prefix) })
}

// DescribeAlarmsForMetric lists the alarms on one metric; those on
// expressions are not listed.
func (s *Service) DescribeAlarmsForMetric(ctx context.Context, in *cloudwatchapi.DescribeAlarmsForMetricInput) (*cloudwatchapi.DescribeAlarmsForMetricOutput, error) {
	want, err := dims(in.Dimensions, "Dimensions")
	if err != nil {
		return nil, err
	}
	out := &cloudwatchapi.DescribeAlarmsForMetricOutput{MetricAlarms: []cloudwatchapi.MetricAlarm{}}
	statistic := string(in.Statistic) + val(in.ExtendedStatistic)
	for a := range Alarms.List(s.store.Snapshot(), scopeOf(ctx).Key("")) {
		have, err := dims(a.Dimensions, "")
		same := err == nil && len(have) == len(want)
		for _, d := range want {
			same = same && slices.Contains(have, d)
		}
		if same && a.Namespace == val(in.Namespace) && a.Metric == val(in.MetricName) && a.Metric != "" &&
			(statistic == "" || statistic == a.Statistic) && (in.Period == nil || int(*in.Period) == a.Period) &&
			(in.Unit == "" || string(in.Unit) == a.Unit) {
			out.MetricAlarms = append(out.MetricAlarms, describe(a))
		}
	}
	return out, nil
}

func describe(a Alarm) cloudwatchapi.MetricAlarm {
	out := cloudwatchapi.MetricAlarm{
		AlarmName: new(a.Name), AlarmArn: new(a.ARN()), AlarmDescription: a.Description, AlarmConfigurationUpdatedTimestamp: new(a.ConfiguredAt),
		ActionsEnabled: new(a.ActionsEnabled), OKActions: list(a.OKActions), AlarmActions: list(a.AlarmActions), InsufficientDataActions: list(a.NoDataActions),
		StateValue: a.State, StateReason: new(a.Reason), StateReasonData: text(a.ReasonData), StateUpdatedTimestamp: new(a.StateAt),
		StateTransitionedTimestamp: new(a.TransitionedAt), EvaluationPeriods: new(int32(a.Periods)), Threshold: new(a.Threshold),
		ComparisonOperator: a.Comparison, TreatMissingData: text(a.MissingData), EvaluateLowSampleCountPercentile: text(a.LowSamples),
		Dimensions: []cloudwatchapi.Dimension{}, Metrics: a.Metrics,
	}
	if a.Datapoints > 0 {
		out.DatapointsToAlarm = new(int32(a.Datapoints))
	}
	if len(a.Metrics) > 0 {
		return out
	}
	out.Metrics = nil
	out.MetricName, out.Namespace, out.Period, out.Unit = new(a.Metric), new(a.Namespace), new(int32(a.Period)), cloudwatchapi.StandardUnit(a.Unit)
	out.Dimensions = append(out.Dimensions, a.Dimensions...)
	if _, plain := simple[a.Statistic]; plain && a.Statistic != "IQM" {
		out.Statistic = cloudwatchapi.Statistic(a.Statistic)
	} else {
		out.ExtendedStatistic = new(a.Statistic)
	}
	return out
}

func describeComposite(a Alarm) cloudwatchapi.CompositeAlarm {
	return cloudwatchapi.CompositeAlarm{
		AlarmName: new(a.Name), AlarmArn: new(a.ARN()), AlarmDescription: a.Description, AlarmConfigurationUpdatedTimestamp: new(a.ConfiguredAt),
		ActionsEnabled: new(a.ActionsEnabled), OKActions: list(a.OKActions), AlarmActions: list(a.AlarmActions), InsufficientDataActions: list(a.NoDataActions),
		StateValue: a.State, StateReason: new(a.Reason), StateReasonData: text(a.ReasonData), StateUpdatedTimestamp: new(a.StateAt),
		StateTransitionedTimestamp: new(a.TransitionedAt), AlarmRule: new(a.Rule),
	}
}
