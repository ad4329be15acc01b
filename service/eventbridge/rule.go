package eventbridge

import (
	"context"
	"strings"

	api "github.com/slipway-dev/slipway/api/eventsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/eventbridge/pattern"
)

// Limits of EventBridge. Source: user guide, Amazon EventBridge quotas.
const (
	maxRules = 300
	maxPage  = 100
)

// PutRule makes a rule, or changes one. Its targets stay.
func (s *Service) PutRule(ctx context.Context, in *api.PutRuleInput) (*api.PutRuleOutput, error) {
	sc := scope(ctx)
	if err := checkRule(in); err != nil {
		return nil, err
	}
	tags, err := retagged(ctx, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(func(tx *store.Tx) error {
		b, err := findBus(tx, sc, in.EventBusName)
		if err != nil {
			return err
		}
		if b.Name != defaultBus && val(in.ScheduleExpression) != "" {
			return invalid("ScheduleExpression is supported only on the default event bus.")
		}
		r, err := Rules.Get(tx, ruleKey(sc, rulePath(b.Name, *in.Name)))
		if err != nil {
			if len(rulesOf(tx, b, "")) >= maxRules {
				return fault("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
			}
			if !ruled(tx, sc) {
				baseline(tx, sc)
			}
			r = Rule{Scope: sc, Name: *in.Name, Creator: sc.Account, Tags: tags} // tags of a rule that is there are left alone
			if b.Name != defaultBus {
				r.Bus = b.Name
			}
		}
		if schedule := val(in.ScheduleExpression); schedule != r.Schedule || r.Since.IsZero() {
			r.Schedule, r.Since = schedule, now()
		}
		r.Pattern, r.Description, r.Role = val(in.EventPattern), val(in.Description), val(in.RoleArn)
		r.Disabled = in.State == api.RuleStateDisabled
		Rules.Put(tx, r)
		return nil
	})
	return &api.PutRuleOutput{RuleArn: new(ruleARN(sc, rulePath(busName(in.EventBusName), *in.Name)))}, err
}

func checkRule(in *api.PutRuleInput) error {
	if val(in.EventPattern) == "" && val(in.ScheduleExpression) == "" {
		return invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
	}
	if text := val(in.EventPattern); text != "" {
		if _, err := pattern.Parse(text); err != nil {
			return errPattern(err)
		}
	}
	if text := val(in.ScheduleExpression); text != "" {
		if _, err := parseSchedule(text); err != nil {
			return err
		}
	}
	return nil
}

// rule finds a rule.
func rule(r store.Reader, s arn.Scope, name, bus *string) (Rule, error) {
	b, err := findBus(r, s, bus)
	if err != nil {
		return Rule{}, err
	}
	found, err := Rules.Get(r, ruleKey(s, rulePath(b.Name, val(name))))
	if err != nil {
		return found, errNoRule(val(name), b.Name)
	}
	return found, nil
}

// change changes a rule.
func (s *Service) change(ctx context.Context, name, bus *string, fn func(r *Rule) error) error {
	return s.Store.Update(func(tx *store.Tx) error {
		r, err := rule(tx, scope(ctx), name, bus)
		if err != nil {
			return err
		}
		if err := fn(&r); err != nil {
			return err
		}
		Rules.Put(tx, r)
		return nil
	})
}

// EnableRule lets a rule match.
func (s *Service) EnableRule(ctx context.Context, in *api.EnableRuleInput) (*api.EnableRuleOutput, error) {
	return nil, s.change(ctx, in.Name, in.EventBusName, func(r *Rule) error {
		if r.Disabled {
			r.Since = now()
		}
		r.Disabled = false
		return nil
	})
}

// DisableRule keeps a rule from matching.
func (s *Service) DisableRule(ctx context.Context, in *api.DisableRuleInput) (*api.DisableRuleOutput, error) {
	return nil, s.change(ctx, in.Name, in.EventBusName, func(r *Rule) error {
		r.Disabled = true
		return nil
	})
}

// DeleteRule removes a rule without targets; one that is gone is no error.
func (s *Service) DeleteRule(ctx context.Context, in *api.DeleteRuleInput) (*api.DeleteRuleOutput, error) {
	return nil, s.Store.Update(func(tx *store.Tx) error {
		b, err := findBus(tx, scope(ctx), in.EventBusName)
		if err != nil {
			return err
		}
		r, err := Rules.Get(tx, ruleKey(scope(ctx), rulePath(b.Name, *in.Name)))
		if err != nil {
			return nil
		}
		if len(r.Targets) > 0 {
			return invalid("Rule can't be deleted since it has targets.")
		}
		Rules.Delete(tx, Rules.Key(r))
		return nil
	})
}

func (r Rule) state() api.RuleState {
	if r.Disabled {
		return api.RuleStateDisabled
	}
	return api.RuleStateEnabled
}

// DescribeRule tells a rule.
func (s *Service) DescribeRule(ctx context.Context, in *api.DescribeRuleInput) (*api.DescribeRuleOutput, error) {
	r, err := rule(s.Store.Snapshot(), scope(ctx), in.Name, in.EventBusName)
	if err != nil {
		return nil, err
	}
	return &api.DescribeRuleOutput{
		Name: &r.Name, Arn: new(r.ARN()), EventPattern: opt(r.Pattern), ScheduleExpression: opt(r.Schedule), State: r.state(),
		Description: opt(r.Description), RoleArn: opt(r.Role), EventBusName: new(r.bus()), CreatedBy: &r.Creator,
	}, nil
}

// ListRules lists rules by the beginning of their name.
func (s *Service) ListRules(ctx context.Context, in *api.ListRulesInput) (*api.ListRulesOutput, error) {
	snap := s.Store.Snapshot()
	b, err := findBus(snap, scope(ctx), in.EventBusName)
	if err != nil {
		return nil, err
	}
	all := rulesOf(snap, b, val(in.NamePrefix))
	page, next, err := awsapi.Page(all, Rules.Key, in.NextToken, int(val(in.Limit)), maxPage)
	if err != nil {
		return nil, err
	}
	out := &api.ListRulesOutput{Rules: []api.Rule{}, NextToken: next}
	for _, r := range page {
		out.Rules = append(out.Rules, api.Rule{
			Name: &r.Name, Arn: new(r.ARN()), EventPattern: opt(r.Pattern), ScheduleExpression: opt(r.Schedule), State: r.state(),
			Description: opt(r.Description), RoleArn: opt(r.Role), EventBusName: new(r.bus()),
		})
	}
	return out, nil
}

// TestEventPattern says whether a pattern matches an event.
func (s *Service) TestEventPattern(_ context.Context, in *api.TestEventPatternInput) (*api.TestEventPatternOutput, error) {
	p, err := pattern.Parse(*in.EventPattern)
	if err != nil {
		return nil, errPattern(err)
	}
	if !strings.HasPrefix(strings.TrimSpace(*in.Event), "{") {
		return nil, fault("InvalidEventPatternException", "Event is not valid. Reason: it is not a JSON object")
	}
	return &api.TestEventPatternOutput{Result: new(p.Match([]byte(*in.Event)))}, nil
}
