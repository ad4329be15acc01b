package cloudwatch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// PutMetricAlarm makes a metric alarm or replaces all of it but its state.
func (s *Service) PutMetricAlarm(ctx context.Context, in *cloudwatchapi.PutMetricAlarmInput) (*cloudwatchapi.PutMetricAlarmOutput, error) {
	a := Alarm{
		Scope: scopeOf(ctx), Name: val(in.AlarmName), Description: in.AlarmDescription, ActionsEnabled: in.ActionsEnabled == nil || *in.ActionsEnabled,
		OKActions: in.OKActions, AlarmActions: in.AlarmActions, NoDataActions: in.InsufficientDataActions,
		Namespace: val(in.Namespace), Metric: val(in.MetricName), Dimensions: slices.Clone(in.Dimensions),
		Statistic: string(in.Statistic) + val(in.ExtendedStatistic), Period: int(val(in.Period)), Unit: string(in.Unit), Metrics: slices.Clone(in.Metrics),
		Periods: int(val(in.EvaluationPeriods)), Datapoints: int(val(in.DatapointsToAlarm)), Threshold: val(in.Threshold),
		Comparison: in.ComparisonOperator, MissingData: val(in.TreatMissingData), LowSamples: val(in.EvaluateLowSampleCountPercentile),
	}
	if err := s.check(in, a); err != nil {
		return nil, err
	}
	return &cloudwatchapi.PutMetricAlarmOutput{}, s.putAlarm(a, tagset.Of(in.Tags))
}

func (s *Service) check(in *cloudwatchapi.PutMetricAlarmInput, a Alarm) error {
	switch {
	case in.EvaluationCriteria != nil || in.EvaluationInterval != nil:
		return errRefused("An alarm on a PromQL query")
	case in.ThresholdMetricId != nil || wordings[a.Comparison] == "":
		if a.Comparison == "" {
			return errMissing("ComparisonOperator")
		}
		return errRefused("Anomaly detection")
	case in.EvaluationPeriods == nil:
		return errMissing("EvaluationPeriods")
	case in.Threshold == nil:
		return errMissing("Threshold")
	case a.Datapoints > a.Periods:
		return errValue("The parameter DatapointsToAlarm must be less than or equal to EvaluationPeriods.")
	case !slices.Contains([]string{"", "breaching", "notBreaching", "ignore", "missing"}, a.MissingData):
		return errValue("The value %s for parameter TreatMissingData must be one of breaching, notBreaching, ignore, missing.", a.MissingData)
	case !slices.Contains([]string{"", "evaluate", "ignore"}, a.LowSamples):
		return errBad(a.LowSamples, "EvaluateLowSampleCountPercentile")
	case (a.Metric == "") == (len(a.Metrics) == 0):
		return errOneMetric
	}
	if err := checkActions(a); err != nil {
		return err
	}
	if err := finite("Threshold", a.Threshold); err != nil {
		return err
	}
	if len(a.Metrics) > 0 {
		return s.checkMath(in, a)
	}
	return checkMetric(in, a)
}

func checkMetric(in *cloudwatchapi.PutMetricAlarmInput, a Alarm) error {
	switch {
	case a.Namespace == "":
		return errMissing("Namespace")
	case in.Period == nil:
		return errMissing("Period")
	case in.Statistic != "" && in.ExtendedStatistic != nil:
		return errBoth("Statistic", "ExtendedStatistic")
	case a.Statistic == "":
		return errMissing("Statistic")
	case !validPeriod(a.Period) || a.Period < 10:
		return errValue("Period must be 10, 20, 30 or a multiple of 60")
	}
	if _, ok := parseStatistic(a.Statistic); !ok {
		return errBad(a.Statistic, "ExtendedStatistic")
	}
	if _, err := dims(a.Dimensions, "Dimensions"); err != nil {
		return err
	}
	return checkSpan(a, a.Period)
}

func checkSpan(a Alarm, period int) error {
	switch span := a.Periods * period; {
	case period < 3600 && span > 86400:
		return errSpan
	case span > 7*86400:
		return errLongSpan
	}
	return nil
}

// checkMath checks an alarm on an expression.
func (s *Service) checkMath(in *cloudwatchapi.PutMetricAlarmInput, a Alarm) error {
	if in.Period != nil || in.Statistic != "" || in.ExtendedStatistic != nil || len(in.Dimensions) > 0 || in.Namespace != nil {
		return errBoth("Metrics", "Namespace, Dimensions, Period, Unit, Statistic or ExtendedStatistic")
	}
	plan, err := planQueries(a.Metrics, metricScope(a.Scope), "Metrics")
	if err != nil {
		return err
	}
	if plan.returned() != 1 {
		return errReturn
	}
	for _, q := range a.Metrics {
		if q.MetricStat == nil && plan.searches(val(q.Expression)) {
			return errValue("Invalid metrics list: SEARCH is not supported on an alarm.")
		}
	}
	return checkSpan(a, plan.period())
}

// checkActions wants ARNs, of something that alarms can act on.
func checkActions(a Alarm) error {
	for _, list := range [][]string{a.OKActions, a.AlarmActions, a.NoDataActions} {
		for _, action := range list {
			if _, err := arn.Parse(action); err != nil {
				return errValue("Invalid arn syntax: %s", action)
			}
		}
	}
	return nil
}

// putAlarm writes the configuration of an alarm; tags only when it is new, as
// AWS has it.
func (s *Service) putAlarm(a Alarm, tags map[string]string) error {
	if len(tags) > maxTags {
		return errTags
	}
	now := s.Now()
	a.ConfiguredAt = now
	return s.store.Update(func(tx *store.Tx) error {
		next, did := a, "Update"
		old, err := Alarms.Get(tx, a.Key(a.Name))
		if err != nil || old.Composite() != a.Composite() {
			did = "Create"
			next.State, next.Reason, next.StateAt, next.TransitionedAt, next.Tags = cloudwatchapi.StateValueInsufficientData, unchecked, now, now, tags
		} else {
			next.State, next.Reason, next.ReasonData, next.StateAt, next.TransitionedAt = old.State, old.Reason, old.ReasonData, old.StateAt, old.TransitionedAt
			next.Owed, next.Tags = old.Owed, old.Tags
		}
		Alarms.Put(tx, next)
		configured(tx, next, now, did)
		return nil
	})
}

func configured(tx *store.Tx, a Alarm, now time.Time, did string) {
	summary := map[string]string{"Create": "Alarm %q created", "Update": "Alarm %q updated", "Delete": "Alarm %q deleted"}[did]
	member := map[string]string{"Create": "createdAlarm", "Update": "updatedAlarm", "Delete": "deletedAlarm"}[did]
	record(tx, a, now, cloudwatchapi.HistoryItemTypeConfigurationUpdate, fmt.Sprintf(summary, a.Name),
		map[string]any{"version": "1.0", "type": did, member: document(a)})
}

// document is an alarm as it stands in its history.
func document(a Alarm) map[string]any {
	doc := map[string]any{
		"alarmName": a.Name, "alarmArn": a.ARN(), "actionsEnabled": a.ActionsEnabled, "okActions": list(a.OKActions),
		"alarmActions": list(a.AlarmActions), "insufficientDataActions": list(a.NoDataActions), "alarmDescription": a.Description,
		"stateValue": a.State, "stateUpdatedTimestamp": a.StateAt.UTC().Format(dataTime),
		"alarmConfigurationUpdatedTimestamp": a.ConfiguredAt.UTC().Format(dataTime),
	}
	if a.Composite() {
		doc["alarmRule"] = a.Rule
		return doc
	}
	doc["evaluationPeriods"], doc["threshold"], doc["comparisonOperator"] = a.Periods, a.Threshold, a.Comparison
	if a.Datapoints > 0 {
		doc["datapointsToAlarm"] = a.Datapoints
	}
	if a.MissingData != "" {
		doc["treatMissingData"] = a.MissingData
	}
	if len(a.Metrics) > 0 {
		return doc
	}
	at := []map[string]string{}
	for _, d := range a.Dimensions {
		at = append(at, map[string]string{"name": val(d.Name), "value": val(d.Value)})
	}
	doc["metricName"], doc["namespace"], doc["statistic"], doc["period"], doc["dimensions"] = a.Metric, a.Namespace, a.Statistic, a.Period, at
	return doc
}

func list(s []string) []string { return append([]string{}, s...) }
