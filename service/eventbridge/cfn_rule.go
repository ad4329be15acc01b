package eventbridge

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	api "github.com/slipway-dev/slipway/api/eventsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// Resources are the CloudFormation types of this service.
func (s *Service) Resources() []cfn.Type {
	return []cfn.Type{
		cfn.Of[ruleProperties]("AWS::Events::Rule", ruleResource{s}),
		cfn.Of[busProperties]("AWS::Events::EventBus", busResource{s}),
	}
}

type ruleProperties struct {
	Name               string `cfn:"id,createOnly"`
	EventBusName       string `cfn:"createOnly"`
	EventPattern       any
	ScheduleExpression string
	State              string
	Description        string
	RoleArn            string
	Targets            []targetProperties
	Tags               []cfn.Tag
	Arn                string `cfn:"readOnly"`
}

type targetProperties struct {
	ID               string `json:"Id" cfn:"required"`
	Arn              string `cfn:"required"`
	RoleArn          *string
	Input            *string
	InputPath        *string
	InputTransformer *transformerProperties
	EcsParameters    *taskProperties
	RetryPolicy      *retryProperties
	DeadLetterConfig *struct{ Arn *string }
}

type transformerProperties struct {
	InputPathsMap map[string]string
	InputTemplate string `cfn:"required"`
}

type retryProperties struct{ MaximumEventAgeInSeconds, MaximumRetryAttempts *int32 }

type taskProperties struct {
	TaskDefinitionArn        string `cfn:"required"`
	TaskCount                *int32
	LaunchType               string
	PlatformVersion          *string
	Group                    *string
	EnableExecuteCommand     *bool
	EnableECSManagedTags     *bool
	PropagateTags            string
	ReferenceID              *string `json:"ReferenceId"`
	TagList                  []cfn.Tag
	CapacityProviderStrategy []struct {
		CapacityProvider string `cfn:"required"`
		Base, Weight     *int32
	}
	NetworkConfiguration *struct {
		AwsVpcConfiguration *struct {
			Subnets        []string `cfn:"required"`
			SecurityGroups []string
			AssignPublicIP string `json:"AssignPublicIp"`
		}
	}
}

type ruleResource struct{ s *Service }

var _ cfn.Updater[ruleProperties] = ruleResource{}

// target is the API's form of a target.
func (t targetProperties) target() api.Target {
	out := api.Target{Id: &t.ID, Arn: &t.Arn, RoleArn: t.RoleArn, Input: t.Input, InputPath: t.InputPath}
	if tr := t.InputTransformer; tr != nil {
		out.InputTransformer = &api.InputTransformer{InputPathsMap: tr.InputPathsMap, InputTemplate: &tr.InputTemplate}
	}
	if p := t.RetryPolicy; p != nil {
		out.RetryPolicy = &api.RetryPolicy{MaximumEventAgeInSeconds: p.MaximumEventAgeInSeconds, MaximumRetryAttempts: p.MaximumRetryAttempts}
	}
	if t.DeadLetterConfig != nil {
		out.DeadLetterConfig = &api.DeadLetterConfig{Arn: t.DeadLetterConfig.Arn}
	}
	p := t.EcsParameters
	if p == nil {
		return out
	}
	e := &api.EcsParameters{
		TaskDefinitionArn: &p.TaskDefinitionArn, TaskCount: p.TaskCount, LaunchType: api.LaunchType(p.LaunchType), PlatformVersion: p.PlatformVersion,
		Group: p.Group, EnableExecuteCommand: p.EnableExecuteCommand, EnableECSManagedTags: p.EnableECSManagedTags,
		PropagateTags: api.PropagateTags(p.PropagateTags), ReferenceId: p.ReferenceID,
	}
	for _, tag := range p.TagList {
		e.Tags = append(e.Tags, api.Tag{Key: &tag.Key, Value: &tag.Value})
	}
	for _, c := range p.CapacityProviderStrategy {
		e.CapacityProviderStrategy = append(e.CapacityProviderStrategy, api.CapacityProviderStrategyItem{CapacityProvider: &c.CapacityProvider, Base: c.Base, Weight: c.Weight})
	}
	if n := p.NetworkConfiguration; n != nil && n.AwsVpcConfiguration != nil {
		e.NetworkConfiguration = &api.NetworkConfiguration{AwsvpcConfiguration: &api.AwsVpcConfiguration{
			Subnets: n.AwsVpcConfiguration.Subnets, SecurityGroups: n.AwsVpcConfiguration.SecurityGroups,
			AssignPublicIp: api.AssignPublicIp(n.AwsVpcConfiguration.AssignPublicIP),
		}}
	}
	out.EcsParameters = e
	return out
}

func (r ruleResource) Create(ctx context.Context, p *ruleProperties) error {
	q, _ := cfn.From(ctx)
	given := p.Name
	if given == "" {
		p.Name = q.Name(64)
	}
	if have, err := Rules.Get(r.s.Store.Snapshot(), ruleKey(scope(ctx), rulePath(busName(&p.EventBusName), p.Name))); err == nil && !q.Owns(have.Tags) {
		p.Name = given
		return fault("AlreadyExists", "%s already exists.", have.Name)
	}
	if err := r.put(ctx, p); err != nil {
		return err
	}
	return cfn.HalfMade(r.apply(ctx, p))
}

// put makes the rule, or changes it.
func (r ruleResource) put(ctx context.Context, p *ruleProperties) error {
	q, _ := cfn.From(ctx)
	in := &api.PutRuleInput{
		Name: &p.Name, EventBusName: opt(p.EventBusName), ScheduleExpression: opt(p.ScheduleExpression), State: api.RuleState(p.State),
		Description: opt(p.Description), RoleArn: opt(p.RoleArn), Tags: tagset.List[api.Tag](q.AllTags(p.Tags)),
	}
	if p.EventPattern != nil {
		text, err := json.Marshal(p.EventPattern)
		if err != nil {
			return errPattern(err)
		}
		in.EventPattern = new(string(text))
	}
	for _, t := range p.Targets {
		if err := checkTarget(t.target()); err != nil {
			return err
		}
	}
	_, err := r.s.PutRule(ctx, in)
	return err
}

// apply sets the targets and tags that the template has, and no others.
func (r ruleResource) apply(ctx context.Context, p *ruleProperties) error {
	q, _ := cfn.From(ctx)
	var targets []api.Target
	for _, t := range p.Targets {
		targets = append(targets, t.target())
	}
	p.Arn = ruleARN(scope(ctx), rulePath(busName(&p.EventBusName), p.Name))
	return r.s.change(ctx, &p.Name, opt(p.EventBusName), func(row *Rule) error {
		if len(targets) > maxTargets {
			return fault("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
		}
		row.Targets, row.Tags = targets, q.AllTags(p.Tags)
		return nil
	})
}

func (r ruleResource) Read(ctx context.Context, p *ruleProperties) error {
	row, err := rule(r.s.Store.Snapshot(), scope(ctx), &p.Name, opt(p.EventBusName))
	if err != nil {
		return err
	}
	before := p.Targets
	*p = ruleProperties{
		Name: row.Name, EventBusName: p.EventBusName, ScheduleExpression: row.Schedule, State: string(row.state()), Description: row.Description,
		RoleArn: row.Role, Tags: cfn.TagsOf(row.Tags), Arn: row.ARN(),
	}
	if row.Pattern != "" {
		_ = json.Unmarshal([]byte(row.Pattern), &p.EventPattern) // it was checked when it was put
	}
	for _, t := range row.Targets {
		p.Targets = append(p.Targets, read(t, before))
	}
	return nil
}

// read is a target as a template has it. What a template says of tasks comes
// back only when it is as the template said.
func read(t api.Target, before []targetProperties) targetProperties {
	out := targetProperties{ID: *t.Id, Arn: *t.Arn, RoleArn: t.RoleArn, Input: t.Input, InputPath: t.InputPath}
	if tr := t.InputTransformer; tr != nil {
		out.InputTransformer = &transformerProperties{InputPathsMap: tr.InputPathsMap, InputTemplate: val(tr.InputTemplate)}
	}
	if p := t.RetryPolicy; p != nil {
		out.RetryPolicy = &retryProperties{p.MaximumEventAgeInSeconds, p.MaximumRetryAttempts}
	}
	if t.EcsParameters == nil {
		return out
	}
	if i := slices.IndexFunc(before, func(b targetProperties) bool { return b.ID == *t.Id }); i >= 0 {
		was, _ := json.Marshal(before[i].target().EcsParameters)
		is, _ := json.Marshal(t.EcsParameters)
		if string(was) == string(is) {
			out.EcsParameters = before[i].EcsParameters
			return out
		}
	}
	out.EcsParameters = &taskProperties{TaskDefinitionArn: val(t.EcsParameters.TaskDefinitionArn), TaskCount: t.EcsParameters.TaskCount}
	return out
}

func (r ruleResource) Update(ctx context.Context, _, after *ruleProperties) error {
	if err := r.put(ctx, after); err != nil {
		return err
	}
	return r.apply(ctx, after)
}

func (r ruleResource) Delete(ctx context.Context, p *ruleProperties) error {
	err := r.s.change(ctx, &p.Name, opt(p.EventBusName), func(row *Rule) error {
		row.Targets = nil
		return nil
	})
	if errors.Is(err, &awsapi.Error{Code: "ResourceNotFoundException"}) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = r.s.DeleteRule(ctx, &api.DeleteRuleInput{Name: &p.Name, EventBusName: opt(p.EventBusName)})
	return err
}
