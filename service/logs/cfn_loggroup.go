package logs

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// logGroupProps is AWS::Logs::LogGroup.
type logGroupProps struct {
	LogGroupName              string `cfn:"id,createOnly"`
	RetentionInDays           *int
	KmsKeyId                  string //nolint:revive // AWS's name
	LogGroupClass             string
	DeletionProtectionEnabled bool
	Tags                      []cfn.Tag
	Arn                       string `cfn:"readOnly"` // with ":*"
}

type logGroups struct{ s *Service }

var _ cfn.Updater[logGroupProps] = logGroups{}

func (h logGroups) Create(ctx context.Context, p *logGroupProps) error {
	req, _ := cfn.From(ctx)
	name := p.LogGroupName
	if name == "" {
		name = req.Name(512)
	}
	if err := p.check(); err != nil {
		return err
	}
	in := &logsapi.CreateLogGroupInput{LogGroupName: new(name), Tags: req.AllTags(p.Tags), LogGroupClass: logsapi.LogGroupClass(p.LogGroupClass)}
	if p.KmsKeyId != "" {
		in.KmsKeyId = new(p.KmsKeyId)
	}
	_, err := h.s.CreateLogGroup(ctx, in)
	if errors.Is(err, errGroupExists) {
		g, gerr := Groups.Get(h.s.store.Snapshot(), awsapi.CallerOf(ctx).Key(name))
		if gerr == nil && req.Owns(g.Tags) {
			err = nil // ours: made before a restart
		}
	}
	if err != nil {
		return err
	}
	p.LogGroupName = name
	return cfn.HalfMade(h.apply(ctx, p))
}

func (p *logGroupProps) check() error {
	if p.RetentionInDays != nil && !slices.Contains(retentions, *p.RetentionInDays) {
		return errRetention(*p.RetentionInDays)
	}
	return nil
}

// apply sets everything that can change.
func (h logGroups) apply(ctx context.Context, p *logGroupProps) error {
	if err := p.check(); err != nil {
		return err
	}
	req, _ := cfn.From(ctx)
	err := h.s.change(ctx, &p.LogGroupName, func(g *Group) error {
		if p.KmsKeyId != "" && p.KmsKeyId != g.KMSKey && !h.s.keyAllowed(ctx, g.Scope, p.KmsKeyId, g.ARN()) {
			return errKey(g.ARN())
		}
		g.Retention, g.KMSKey, g.Protected, g.Tags = val(p.RetentionInDays), p.KmsKeyId, p.DeletionProtectionEnabled, req.AllTags(p.Tags)
		return nil
	})
	if err != nil {
		return err
	}
	return h.Read(ctx, p)
}

func (h logGroups) Read(ctx context.Context, p *logGroupProps) error {
	g, err := Groups.Get(h.s.store.Snapshot(), awsapi.CallerOf(ctx).Key(p.LogGroupName))
	if err != nil {
		return err
	}
	p.Arn, p.KmsKeyId, p.LogGroupClass, p.DeletionProtectionEnabled = g.ARN()+":*", g.KMSKey, g.Class, g.Protected
	p.RetentionInDays, p.Tags = nil, cfn.TagsOf(g.Tags)
	if g.Retention > 0 {
		p.RetentionInDays = new(g.Retention)
	}
	return nil
}

// Update refuses another class: AWS documents that updates of it are not supported.
func (h logGroups) Update(ctx context.Context, before, after *logGroupProps) error {
	if cmp.Or(before.LogGroupClass, "STANDARD") != cmp.Or(after.LogGroupClass, "STANDARD") {
		return errInvalid("Updates are not supported for property LogGroupClass of log group %s.", after.LogGroupName)
	}
	return h.apply(ctx, after)
}

func (h logGroups) Delete(ctx context.Context, p *logGroupProps) error {
	_, err := h.s.DeleteLogGroup(ctx, &logsapi.DeleteLogGroupInput{LogGroupName: new(p.LogGroupName)})
	if errors.Is(err, errNoGroup) {
		return nil
	}
	return err
}
