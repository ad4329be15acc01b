package cloudwatch

import (
	"context"
	"errors"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// alarmProps is AWS::CloudWatch::Alarm.
type alarmProps struct {
	AlarmName                        string `cfn:"id,createOnly"`
	AlarmDescription                 *string
	ActionsEnabled                   *bool
	OKActions                        []string
	AlarmActions                     []string
	InsufficientDataActions          []string
	Namespace                        *string
	MetricName                       *string
	Dimensions                       []dimensionProps
	Statistic                        *string
	ExtendedStatistic                *string
	Period                           *int
	Unit                             *string
	Metrics                          []queryProps
	EvaluationPeriods                *int
	DatapointsToAlarm                *int
	Threshold                        *float64
	ThresholdMetricId                *string //nolint:revive // AWS's name
	ComparisonOperator               string
	TreatMissingData                 *string
	EvaluateLowSampleCountPercentile *string
	Tags                             []cfn.Tag
	Arn                              string `cfn:"readOnly"`
}

type dimensionProps struct {
	Name  string `cfn:"required"`
	Value string `cfn:"required"`
}

type queryProps struct {
	Id         string `cfn:"required"` //nolint:revive // AWS's name
	Label      *string
	Expression *string
	Period     *int
	ReturnData *bool
	AccountId  *string //nolint:revive // AWS's name
	MetricStat *statProps
}

type statProps struct {
	Metric metricProps `cfn:"required"`
	Period int         `cfn:"required"`
	Stat   string      `cfn:"required"`
	Unit   *string
}

type metricProps struct {
	Namespace  *string
	MetricName *string
	Dimensions []dimensionProps
}

type alarmResource struct{ s *Service }

var _ cfn.Updater[alarmProps] = alarmResource{}

func (h alarmResource) Create(ctx context.Context, p *alarmProps) error {
	name, err := h.s.free(ctx, p.AlarmName)
	if err != nil {
		return err
	}
	return h.put(ctx, p, name)
}

// put puts the alarm and its tags; the id is set once there is something.
func (h alarmResource) put(ctx context.Context, p *alarmProps, name string) error {
	req, _ := cfn.From(ctx)
	tags := req.AllTags(p.Tags)
	in := p.input(name)
	in.Tags = tagset.List[cloudwatchapi.Tag](tags)
	if _, err := h.s.PutMetricAlarm(ctx, in); err != nil {
		return err
	}
	p.AlarmName = name
	if err := h.s.setTags(ctx, name, tags); err != nil {
		return err
	}
	return h.Read(ctx, p)
}

func (p *alarmProps) input(name string) *cloudwatchapi.PutMetricAlarmInput {
	in := &cloudwatchapi.PutMetricAlarmInput{
		AlarmName: new(name), AlarmDescription: p.AlarmDescription, ActionsEnabled: p.ActionsEnabled, OKActions: p.OKActions,
		AlarmActions: p.AlarmActions, InsufficientDataActions: p.InsufficientDataActions, Namespace: p.Namespace, MetricName: p.MetricName,
		Dimensions: dimensions(p.Dimensions), Statistic: cloudwatchapi.Statistic(val(p.Statistic)), ExtendedStatistic: p.ExtendedStatistic,
		Period: int32of(p.Period), Unit: cloudwatchapi.StandardUnit(val(p.Unit)), EvaluationPeriods: int32of(p.EvaluationPeriods),
		DatapointsToAlarm: int32of(p.DatapointsToAlarm), Threshold: p.Threshold, ThresholdMetricId: p.ThresholdMetricId,
		ComparisonOperator: cloudwatchapi.ComparisonOperator(p.ComparisonOperator), TreatMissingData: p.TreatMissingData,
		EvaluateLowSampleCountPercentile: p.EvaluateLowSampleCountPercentile,
	}
	for _, q := range p.Metrics {
		out := cloudwatchapi.MetricDataQuery{
			Id: new(q.Id), Label: q.Label, Expression: q.Expression, Period: int32of(q.Period), ReturnData: q.ReturnData, AccountId: q.AccountId,
		}
		if st := q.MetricStat; st != nil {
			out.MetricStat = &cloudwatchapi.MetricStat{
				Metric: &cloudwatchapi.Metric{Namespace: st.Metric.Namespace, MetricName: st.Metric.MetricName, Dimensions: dimensions(st.Metric.Dimensions)},
				Period: new(int32(st.Period)), Stat: new(st.Stat), Unit: cloudwatchapi.StandardUnit(val(st.Unit)),
			}
		}
		in.Metrics = append(in.Metrics, out)
	}
	return in
}

func dimensions(in []dimensionProps) (out []cloudwatchapi.Dimension) {
	for _, d := range in {
		out = append(out, cloudwatchapi.Dimension{Name: new(d.Name), Value: new(d.Value)})
	}
	return out
}

func int32of(n *int) *int32 {
	if n == nil {
		return nil
	}
	return new(int32(*n))
}

func (h alarmResource) Read(ctx context.Context, p *alarmProps) error {
	a, err := Alarms.Get(h.s.store.Snapshot(), scopeOf(ctx).Key(p.AlarmName))
	if err != nil || a.Composite() {
		return store.ErrNotFound
	}
	p.Arn, p.AlarmDescription, p.ActionsEnabled, p.Tags = a.ARN(), a.Description, new(a.ActionsEnabled), cfn.TagsOf(a.Tags)
	p.OKActions, p.AlarmActions, p.InsufficientDataActions = a.OKActions, a.AlarmActions, a.NoDataActions
	p.EvaluationPeriods, p.Threshold, p.ComparisonOperator = new(a.Periods), new(a.Threshold), string(a.Comparison)
	p.DatapointsToAlarm, p.TreatMissingData, p.EvaluateLowSampleCountPercentile = given(a.Datapoints), text(a.MissingData), text(a.LowSamples)
	p.Namespace, p.MetricName, p.Period, p.Unit = text(a.Namespace), text(a.Metric), given(a.Period), text(a.Unit)
	p.Statistic, p.ExtendedStatistic = text(a.Statistic), nil
	if _, plain := simple[a.Statistic]; !plain || a.Statistic == "IQM" {
		p.Statistic, p.ExtendedStatistic = nil, text(a.Statistic)
	}
	p.Dimensions = nil
	for _, d := range a.Dimensions {
		p.Dimensions = append(p.Dimensions, dimensionProps{val(d.Name), val(d.Value)})
	}
	return nil
}

// given is a count or a time that was given, nil for none.
func given(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

func (h alarmResource) Update(ctx context.Context, _, after *alarmProps) error {
	return h.put(ctx, after, after.AlarmName)
}

func (h alarmResource) Delete(ctx context.Context, p *alarmProps) error {
	return h.s.drop(ctx, p.AlarmName)
}

// free is the name of an alarm to be made; it must not be taken, but by the
// same resource before a restart.
func (s *Service) free(ctx context.Context, name string) (string, error) {
	req, _ := cfn.From(ctx)
	if name == "" {
		name = req.Name(255)
	}
	a, err := Alarms.Get(s.store.Snapshot(), scopeOf(ctx).Key(name))
	if err == nil && !req.Owns(a.Tags) {
		return "", errValue("%s already exists", name)
	}
	return name, nil
}

// setTags replaces the tags of an alarm.
func (s *Service) setTags(ctx context.Context, name string, tags map[string]string) error {
	return s.store.Update(func(tx *store.Tx) error {
		a, err := Alarms.Get(tx, scopeOf(ctx).Key(name))
		if err != nil {
			return err
		}
		a.Tags = tags
		Alarms.Put(tx, a)
		return nil
	})
}

// drop deletes an alarm that may be gone already.
func (s *Service) drop(ctx context.Context, name string) error {
	_, err := s.DeleteAlarms(ctx, &cloudwatchapi.DeleteAlarmsInput{AlarmNames: []string{name}})
	if errors.Is(err, errNoAlarm(name)) {
		return nil
	}
	return err
}
