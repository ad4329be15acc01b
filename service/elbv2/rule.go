package elbv2

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// ruleARN is the ARN of a rule of l: .../listener-rule/app/<lb>/<id>/<listener>/<rule>.
func ruleARN(l Listener, id string) string {
	return strings.Replace(l.ARN, ":listener/", ":listener-rule/", 1) + "/" + id
}

// rule finds a rule of the caller by its ARN.
func rule(r store.Reader, scope arn.Scope, id string) (Rule, error) {
	if err := checkARN(id, "listener-rule/", "listener rule"); err != nil {
		return Rule{}, err
	}
	row, err := Rules.Get(r, id)
	if err != nil || row.Scope != scope {
		return Rule{}, errRuleNotFound()
	}
	return row, nil
}

// rulesOf are the rules of a listener in order of evaluation, the default one last.
func rulesOf(r store.Reader, listenerARN string) []Rule {
	rows := slices.Collect(Rules.By(r, "listener", listenerARN))
	slices.SortFunc(rows, func(a, b Rule) int {
		switch {
		case a.Default:
			return 1
		case b.Default:
			return -1
		}
		return cmp.Compare(a.Priority, b.Priority)
	})
	return rows
}

func (u Rule) priority() string {
	if u.Default {
		return "default"
	}
	return strconv.Itoa(u.Priority)
}

func (u Rule) api() elbv2api.Rule {
	return elbv2api.Rule{
		RuleArn: new(u.ARN), Priority: new(u.priority()), Conditions: append([]elbv2api.RuleCondition{}, u.Conditions...),
		Actions: u.Actions, IsDefault: new(u.Default),
	}
}

func checkTransforms(t []elbv2api.RuleTransform) error {
	if len(t) > 0 {
		return errConfiguration("Rule transforms are not supported by this engine")
	}
	return nil
}

// CreateRule adds a rule to a listener.
func (s *Service) CreateRule(ctx context.Context, in *elbv2api.CreateRuleInput) (*elbv2api.CreateRuleOutput, error) {
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	conditions, err := checkConditions(in.Conditions)
	if err != nil {
		return nil, err
	}
	if err := checkTransforms(in.Transforms); err != nil {
		return nil, err
	}
	id := awsapi.NewID(ctx, "", 16)
	return update(s, func(tx *store.Tx) (*elbv2api.CreateRuleOutput, error) {
		l, err := listener(tx, scopeOf(ctx), val(in.ListenerArn))
		if err != nil {
			return nil, err
		}
		u := Rule{Scope: l.Scope, ARN: ruleARN(l, id), ListenerARN: l.ARN, Priority: int(val(in.Priority)), Conditions: conditions, Tags: tags}
		if old, err := Rules.Get(tx, u.ARN); err == nil { // the same token again
			return &elbv2api.CreateRuleOutput{Rules: []elbv2api.Rule{old.api()}}, nil
		}
		if err := checkPriority(tx, u); err != nil {
			return nil, err
		}
		if ruleCount(tx, l.LoadBalancerARN) >= maxRules {
			return nil, errTooMany("TooManyRules", "The maximum number of rules has been reached on load balancer '%s'", l.LoadBalancerARN)
		}
		if u.Actions, err = checkActions(tx, l, in.Actions); err != nil {
			return nil, err
		}
		Rules.Put(tx, u)
		return &elbv2api.CreateRuleOutput{Rules: []elbv2api.Rule{u.api()}}, nil
	})
}

func checkPriority(r store.Reader, u Rule) error {
	if u.Priority < 1 || u.Priority > 50000 {
		return errValidation("Priority '%d' must be between 1 and 50000", u.Priority)
	}
	for other := range Rules.By(r, "listener", u.ListenerARN) {
		if other.ARN != u.ARN && other.Priority == u.Priority {
			return errPriorityInUse(u.Priority)
		}
	}
	return nil
}

// ruleCount counts a load balancer's rules but the default ones.
func ruleCount(r store.Reader, balancerARN string) (n int) {
	for l := range Listeners.By(r, "loadbalancer", balancerARN) {
		for u := range Rules.By(r, "listener", l.ARN) {
			if !u.Default {
				n++
			}
		}
	}
	return n
}

// DescribeRules lists the rules of a listener in order of evaluation, or those asked for.
func (s *Service) DescribeRules(ctx context.Context, in *elbv2api.DescribeRulesInput) (*elbv2api.DescribeRulesOutput, error) {
	snap, scope := s.store.Snapshot(), scopeOf(ctx)
	var rows []Rule
	switch {
	case in.ListenerArn != nil && len(in.RuleArns) > 0, in.ListenerArn == nil && len(in.RuleArns) == 0:
		return nil, errValidation("You must specify either listener rule ARNs or a listener ARN")
	case in.ListenerArn != nil:
		l, err := listener(snap, scope, *in.ListenerArn)
		if err != nil {
			return nil, err
		}
		rows = rulesOf(snap, l.ARN)
	default:
		for _, id := range in.RuleArns {
			u, err := rule(snap, scope, id)
			if err != nil {
				return nil, err
			}
			rows = append(rows, u)
		}
	}
	page, next, err := paged(rows, func(u Rule) string { return u.ARN }, in.Marker, in.PageSize)
	out := &elbv2api.DescribeRulesOutput{Rules: []elbv2api.Rule{}, NextMarker: next}
	for _, u := range page {
		out.Rules = append(out.Rules, u.api())
	}
	return out, err
}

// ModifyRule replaces conditions or actions, whichever are given.
func (s *Service) ModifyRule(ctx context.Context, in *elbv2api.ModifyRuleInput) (*elbv2api.ModifyRuleOutput, error) {
	if err := checkTransforms(in.Transforms); err != nil {
		return nil, err
	}
	return update(s, func(tx *store.Tx) (*elbv2api.ModifyRuleOutput, error) {
		u, err := rule(tx, scopeOf(ctx), val(in.RuleArn))
		if err != nil {
			return nil, err
		}
		l, err := Listeners.Get(tx, u.ListenerARN)
		if err != nil {
			return nil, errListenerNotFound()
		}
		if len(in.Conditions) > 0 {
			if u.Default {
				return nil, fault("OperationNotPermitted", "Conditions cannot be specified for the default rule '%s'", u.ARN)
			}
			if u.Conditions, err = checkConditions(in.Conditions); err != nil {
				return nil, err
			}
		}
		if len(in.Actions) > 0 {
			if u.Actions, err = checkActions(tx, l, in.Actions); err != nil {
				return nil, err
			}
		}
		Rules.Put(tx, u)
		return &elbv2api.ModifyRuleOutput{Rules: []elbv2api.Rule{u.api()}}, nil
	})
}

// SetRulePriorities moves rules, all at once, so that two may change places.
func (s *Service) SetRulePriorities(ctx context.Context, in *elbv2api.SetRulePrioritiesInput) (*elbv2api.SetRulePrioritiesOutput, error) {
	return update(s, func(tx *store.Tx) (*elbv2api.SetRulePrioritiesOutput, error) {
		var moved []Rule
		for _, p := range in.RulePriorities {
			u, err := rule(tx, scopeOf(ctx), val(p.RuleArn))
			if err != nil {
				return nil, err
			}
			if u.Default {
				return nil, fault("OperationNotPermitted", "Default rule '%s' priority cannot be modified", u.ARN)
			}
			u.Priority = int(val(p.Priority))
			Rules.Put(tx, u)
			moved = append(moved, u)
		}
		out := &elbv2api.SetRulePrioritiesOutput{}
		for _, u := range moved {
			if err := checkPriority(tx, u); err != nil {
				return nil, err
			}
			out.Rules = append(out.Rules, u.api())
		}
		return out, nil
	})
}

// DeleteRule removes a rule; the default one goes only with its listener.
func (s *Service) DeleteRule(ctx context.Context, in *elbv2api.DeleteRuleInput) (*elbv2api.DeleteRuleOutput, error) {
	return update(s, func(tx *store.Tx) (*elbv2api.DeleteRuleOutput, error) {
		u, err := rule(tx, scopeOf(ctx), val(in.RuleArn))
		if err != nil {
			return nil, err
		}
		if u.Default {
			return nil, fault("OperationNotPermitted", "Default rule '%s' cannot be deleted", u.ARN)
		}
		Rules.Delete(tx, u.ARN)
		return &elbv2api.DeleteRuleOutput{}, nil
	})
}
