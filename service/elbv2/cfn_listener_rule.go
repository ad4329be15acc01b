package elbv2

import (
	"context"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// ruleProperties are those of AWS::ElasticLoadBalancingV2::ListenerRule. Ref is the ARN.
type ruleProperties struct {
	ListenerArn string                   `cfn:"createOnly"`
	Priority    *int32                   `cfn:"required"`
	Conditions  []elbv2api.RuleCondition `cfn:"required"`
	Actions     []elbv2api.Action        `cfn:"required"`
	Transforms  []elbv2api.RuleTransform
	RuleArn     string `cfn:"id,readOnly"`
	IsDefault   bool   `cfn:"readOnly"`
}

type ruleResource struct{ *Service }

func (r ruleResource) Create(ctx context.Context, p *ruleProperties) error {
	req, _ := cfn.From(ctx)
	out, err := r.CreateRule(ctx, &elbv2api.CreateRuleInput{
		ListenerArn: &p.ListenerArn, Priority: p.Priority, Conditions: p.Conditions, Actions: p.Actions, Transforms: p.Transforms, Tags: tagset.List[elbv2api.Tag](req.AllTags(nil)),
	})
	if err != nil {
		return err
	}
	p.RuleArn = *out.Rules[0].RuleArn
	return nil
}

func (r ruleResource) Read(_ context.Context, p *ruleProperties) error {
	u, err := Rules.Get(r.store.Snapshot(), p.RuleArn)
	if err != nil {
		return store.ErrNotFound
	}
	p.ListenerArn, p.Priority, p.Conditions, p.Actions, p.IsDefault = u.ListenerARN, new(int32(u.Priority)), u.Conditions, u.Actions, u.Default
	return nil
}

func (r ruleResource) Update(ctx context.Context, before, after *ruleProperties) error {
	if val(before.Priority) != val(after.Priority) {
		pair := elbv2api.RulePriorityPair{RuleArn: &after.RuleArn, Priority: after.Priority}
		if _, err := r.SetRulePriorities(ctx, &elbv2api.SetRulePrioritiesInput{RulePriorities: []elbv2api.RulePriorityPair{pair}}); err != nil {
			return err
		}
	}
	_, err := r.ModifyRule(ctx, &elbv2api.ModifyRuleInput{RuleArn: &after.RuleArn, Conditions: after.Conditions, Actions: after.Actions, Transforms: after.Transforms})
	return err
}

func (r ruleResource) Delete(ctx context.Context, p *ruleProperties) error {
	_, err := r.DeleteRule(ctx, &elbv2api.DeleteRuleInput{RuleArn: &p.RuleArn})
	return ignore(err, "RuleNotFound")
}
