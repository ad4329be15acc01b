package cloudwatch

import (
	"context"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// compositeProps is AWS::CloudWatch::CompositeAlarm.
type compositeProps struct {
	AlarmName                        string `cfn:"id,createOnly"`
	AlarmRule                        string `cfn:"required"`
	AlarmDescription                 *string
	ActionsEnabled                   *bool
	OKActions                        []string
	AlarmActions                     []string
	InsufficientDataActions          []string
	ActionsSuppressor                *string
	ActionsSuppressorWaitPeriod      *int
	ActionsSuppressorExtensionPeriod *int
	Tags                             []cfn.Tag
	Arn                              string `cfn:"readOnly"`
}

type compositeResource struct{ s *Service }

var _ cfn.Updater[compositeProps] = compositeResource{}

func (h compositeResource) Create(ctx context.Context, p *compositeProps) error {
	name, err := h.s.free(ctx, p.AlarmName)
	if err != nil {
		return err
	}
	return h.put(ctx, p, name)
}

func (h compositeResource) put(ctx context.Context, p *compositeProps, name string) error {
	req, _ := cfn.From(ctx)
	tags := req.AllTags(p.Tags)
	_, err := h.s.PutCompositeAlarm(ctx, &cloudwatchapi.PutCompositeAlarmInput{
		AlarmName: new(name), AlarmRule: new(p.AlarmRule), AlarmDescription: p.AlarmDescription, ActionsEnabled: p.ActionsEnabled,
		OKActions: p.OKActions, AlarmActions: p.AlarmActions, InsufficientDataActions: p.InsufficientDataActions, Tags: tagset.List[cloudwatchapi.Tag](tags),
		ActionsSuppressor: p.ActionsSuppressor, ActionsSuppressorWaitPeriod: int32of(p.ActionsSuppressorWaitPeriod),
		ActionsSuppressorExtensionPeriod: int32of(p.ActionsSuppressorExtensionPeriod),
	})
	if err != nil {
		return err
	}
	p.AlarmName = name
	if err := h.s.setTags(ctx, name, tags); err != nil {
		return err
	}
	return h.Read(ctx, p)
}

// Read knows the attributes.
func (h compositeResource) Read(ctx context.Context, p *compositeProps) error {
	a, err := Alarms.Get(h.s.store.Snapshot(), scopeOf(ctx).Key(p.AlarmName))
	if err != nil || !a.Composite() {
		return store.ErrNotFound
	}
	p.Arn = a.ARN()
	return nil
}

func (h compositeResource) Update(ctx context.Context, _, after *compositeProps) error {
	return h.put(ctx, after, after.AlarmName)
}

func (h compositeResource) Delete(ctx context.Context, p *compositeProps) error {
	return h.s.drop(ctx, p.AlarmName)
}
