package eventbridge

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/eventsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// maxTargets of a rule.
const maxTargets = 5

// PutTargets adds targets to a rule, or replaces those of the same id.
func (s *Service) PutTargets(ctx context.Context, in *api.PutTargetsInput) (*api.PutTargetsOutput, error) {
	for _, t := range in.Targets {
		if err := checkTarget(t); err != nil {
			return nil, err
		}
	}
	err := s.change(ctx, in.Rule, in.EventBusName, func(r *Rule) error {
		targets := slices.Clone(r.Targets)
		for _, t := range in.Targets {
			at := slices.IndexFunc(targets, func(have api.Target) bool { return *have.Id == *t.Id })
			if at >= 0 {
				targets[at] = t
			} else {
				targets = append(targets, t)
			}
		}
		if len(targets) > maxTargets {
			return fault("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
		}
		r.Targets = targets
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.PutTargetsOutput{FailedEntryCount: new(int32(0)), FailedEntries: []api.PutTargetsResultEntry{}}, nil
}

// checkTarget refuses a target to which nothing would come.
func checkTarget(t api.Target) error {
	a, err := arn.Parse(*t.Arn)
	if err != nil {
		return invalid("Parameter %s is not valid. Reason: Provided Arn is not in correct format.", *t.Arn)
	}
	switch {
	case a.Service == "logs" && strings.HasPrefix(a.Resource, "log-group:"):
	case a.Service == "ssm" && strings.HasPrefix(a.Resource, "automation-definition/"):
		if val(t.RoleArn) == "" {
			return invalid("RoleArn is required for target %s.", *t.Arn)
		}
		if t.Input != nil || t.InputPath != nil || t.InputTransformer != nil {
			return invalid("Input of target %s is not supported by this engine yet: its automations take no parameters.", *t.Id)
		}
	case a.Service == "ecs" && strings.HasPrefix(a.Resource, "cluster/"):
		if err := checkTask(t); err != nil {
			return err
		}
	default:
		return invalid("Target %s of %s is not supported by this engine yet: targets are CloudWatch log groups, tasks of ECS clusters and automations of Systems Manager.", *t.Id, *t.Arn)
	}
	switch {
	case t.DeadLetterConfig != nil:
		return invalid("DeadLetterConfig of target %s is not supported by this engine yet.", *t.Id)
	case t.EcsParameters != nil && a.Service != "ecs":
		return invalid("EcsParameters of target %s are for ECS clusters alone.", *t.Id)
	case t.KinesisParameters != nil, t.RunCommandParameters != nil, t.BatchParameters != nil, t.SqsParameters != nil, t.HttpParameters != nil,
		t.RedshiftDataParameters != nil, t.SageMakerPipelineParameters != nil, t.AppSyncParameters != nil:
		return invalid("Target %s has parameters of another kind of target.", *t.Id)
	}
	return checkInput(t)
}

func checkTask(t api.Target) error {
	p := t.EcsParameters
	switch {
	case p == nil || val(p.TaskDefinitionArn) == "":
		return invalid("Parameter EcsParameters.TaskDefinitionArn of target %s is required for an ECS cluster.", *t.Id)
	case val(t.RoleArn) == "":
		return invalid("RoleArn is required for target %s.", *t.Arn)
	case len(p.PlacementConstraints) > 0 || len(p.PlacementStrategy) > 0:
		return invalid("Fargate does not support placement constraints and strategies: target %s.", *t.Id)
	}
	return nil
}

func checkInput(t api.Target) error {
	given := 0
	for _, has := range []bool{t.Input != nil, t.InputPath != nil, t.InputTransformer != nil} {
		if has {
			given++
		}
	}
	if given > 1 {
		return invalid("Only one of Input, InputPath, or InputTransformer must be provided for target %s.", *t.Id)
	}
	if t.Input != nil && !json.Valid([]byte(*t.Input)) {
		return invalid("Parameter Input of target %s is not valid JSON.", *t.Id)
	}
	paths := map[string]string{}
	if t.InputPath != nil {
		paths["InputPath"] = *t.InputPath
	}
	if tr := t.InputTransformer; tr != nil {
		for name, path := range tr.InputPathsMap {
			if strings.HasPrefix(strings.ToLower(name), "aws.") {
				return invalid("Invalid InputTransformer for target %s: names may not begin with AWS.", *t.Id)
			}
			paths[name] = path
		}
		if val(tr.InputTemplate) == "" {
			return invalid("Invalid InputTransformer for target %s: the template is empty.", *t.Id)
		}
	}
	for name, path := range paths {
		if _, err := parsePath(path); err != nil {
			return invalid("Invalid path %s of %s for target %s: %s", path, name, *t.Id, err)
		}
	}
	return nil
}

// ListTargetsByRule lists the targets of a rule.
func (s *Service) ListTargetsByRule(ctx context.Context, in *api.ListTargetsByRuleInput) (*api.ListTargetsByRuleOutput, error) {
	r, err := rule(s.Store.Snapshot(), scope(ctx), in.Rule, in.EventBusName)
	if err != nil {
		return nil, err
	}
	page, next, err := awsapi.Page(r.Targets, func(t api.Target) string { return *t.Id }, in.NextToken, int(val(in.Limit)), maxPage)
	if err != nil {
		return nil, err
	}
	return &api.ListTargetsByRuleOutput{Targets: append([]api.Target{}, page...), NextToken: next}, nil
}

// RemoveTargets takes targets from a rule; ids that it has not are told.
func (s *Service) RemoveTargets(ctx context.Context, in *api.RemoveTargetsInput) (*api.RemoveTargetsOutput, error) {
	var out *api.RemoveTargetsOutput
	err := s.change(ctx, in.Rule, in.EventBusName, func(r *Rule) error {
		out = &api.RemoveTargetsOutput{FailedEntries: []api.RemoveTargetsResultEntry{}}
		for _, id := range in.Ids {
			left := slices.DeleteFunc(slices.Clone(r.Targets), func(t api.Target) bool { return *t.Id == id })
			if len(left) == len(r.Targets) {
				out.FailedEntries = append(out.FailedEntries, api.RemoveTargetsResultEntry{
					TargetId: &id, ErrorCode: new("ResourceNotFoundException"), ErrorMessage: new("Rule " + r.Name + " does not have target " + id + "."),
				})
			}
			r.Targets = left
		}
		out.FailedEntryCount = new(int32(len(out.FailedEntries)))
		return nil
	})
	return out, err
}

// ListRuleNamesByTarget lists the rules that have a target.
func (s *Service) ListRuleNamesByTarget(ctx context.Context, in *api.ListRuleNamesByTargetInput) (*api.ListRuleNamesByTargetOutput, error) {
	snap := s.Store.Snapshot()
	b, err := findBus(snap, scope(ctx), in.EventBusName)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range rulesOf(snap, b, "") {
		if slices.ContainsFunc(r.Targets, func(t api.Target) bool { return *t.Arn == *in.TargetArn }) {
			names = append(names, r.Name)
		}
	}
	page, next, err := awsapi.Page(names, func(n string) string { return n }, in.NextToken, int(val(in.Limit)), maxPage)
	if err != nil {
		return nil, err
	}
	return &api.ListRuleNamesByTargetOutput{RuleNames: append([]string{}, page...), NextToken: next}, nil
}
