package cloudformation

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

var changeSetName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)

const noChanges = "The submitted information didn't contain changes. Submit different information to create a change set."

// CreateChangeSet works out what a deployment would change. It is ready when the call returns; AWS answers first and works then.
func (s *Service) CreateChangeSet(ctx context.Context, in *api.CreateChangeSetInput) (*api.CreateChangeSetOutput, error) {
	name := deref(in.ChangeSetName)
	if !changeSetName.MatchString(name) {
		return nil, invalid("1 validation error detected: Value '%s' at 'changeSetName' failed to satisfy constraint: "+
			"Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", name)
	}
	if err := (extras{rollback: in.RollbackConfiguration, notify: in.NotificationARNs, mode: in.DeploymentMode}).refuse(); err != nil {
		return nil, err
	}
	if err := checkImportable(in); err != nil {
		return nil, err
	}
	r := s.Store.Snapshot()
	st, exists, err := s.changeSetStack(ctx, r, in)
	if err != nil {
		return nil, err
	}
	body, err := s.body(ctx, in.TemplateBody, in.TemplateURL, s.previous(r, st, in.UsePreviousTemplate))
	if err != nil {
		return nil, err
	}
	d, bound, err := s.deployment(ctx, st, request{body, in.Parameters, in.Tags, in.Capabilities, in.RoleARN, in.NotificationARNs, in.ResourceTypes, true})
	failed := macroFailure(err)
	if err != nil && failed == nil {
		return nil, err
	}
	var changes []Change
	var brought map[string]string
	changed := false
	if failed == nil {
		if changes, changed, err = s.preview(r, st, d, bound); err == nil {
			brought, err = s.brought(ctx, st, bound, changes, in)
		}
		if err != nil {
			return nil, err
		}
		changes = marked(changes, brought)
	}
	cs := ChangeSet{
		Stack: st.Key(), ID: changeSetARN(st.Scope, name, newID()), Name: name, Type: string(in.ChangeSetType), Description: deref(in.Description), Created: now(),
		Status: "CREATE_COMPLETE", ExecutionStatus: "AVAILABLE", Deployment: d, OnFailure: string(in.OnStackFailure), IncludeNested: deref(in.IncludeNestedStacks),
		ImportExisting: deref(in.ImportExistingResources), Mode: string(in.DeploymentMode), Token: deref(in.ClientToken), Changes: changes, Import: brought,
	}
	if cs.Type == "" {
		cs.Type = "UPDATE"
	}
	nested, err := s.nestedSets(ctx, r, st, bound, &cs)
	if err != nil {
		return nil, err
	}
	switch {
	case failed != nil:
		cs.Status, cs.Reason, cs.ExecutionStatus = "FAILED", failed.Message, "UNAVAILABLE"
	case !changed:
		cs.Status, cs.Reason, cs.ExecutionStatus = "FAILED", noChanges, "UNAVAILABLE"
	}
	err = s.Store.Update(func(tx *store.Tx) error {
		if old, err := ChangeSets.Get(tx, ChangeSets.Key(cs)); err == nil {
			if cs.Token != "" && old.Token == cs.Token {
				cs = old // the same request again
				return nil
			}
			if old.ExecutionStatus == "AVAILABLE" {
				return awsapi.Errorf("AlreadyExistsException", 400, "ChangeSet %s already exists", name)
			}
			// One that failed or was executed gives its name back: the aws CLI names them by the second, and here two deployments fit into one.
		}
		if !exists {
			if _, err := find(ctx, tx, st.Name); err == nil {
				return awsapi.Errorf("AlreadyExistsException", 400, "Stack [%s] already exists", st.Name)
			}
			setStatus(tx, new(st), Operation{Token: cs.Token}, now(), "REVIEW_IN_PROGRESS", "User Initiated")
		}
		keepTemplate(tx, st, d, body, bound)
		ChangeSets.Put(tx, cs)
		for _, n := range nested {
			n.put(tx)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateChangeSetOutput{Id: &cs.ID, StackId: &st.ID}, nil
}

// changeSetStack is the stack a change set is for: for type CREATE one that exists only under review.
func (s *Service) changeSetStack(ctx context.Context, r store.Reader, in *api.CreateChangeSetInput) (st Stack, exists bool, err error) {
	name := deref(in.StackName)
	st, err = find(ctx, r, name)
	switch {
	case (in.ChangeSetType == "CREATE" || in.ChangeSetType == "IMPORT") && err != nil:
		if err := checkStackName(name); err != nil {
			return st, false, err
		}
		st = s.fresh(ctx, name)
		st.Created = now()
		return st, false, nil
	case in.ChangeSetType == "CREATE" && st.Status != "REVIEW_IN_PROGRESS":
		return st, false, invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", st.Name, deref(in.ChangeSetName))
	case err != nil:
		return st, false, invalid("Stack [%s] does not exist", name)
	case in.ChangeSetType == "IMPORT" && st.Status == "REVIEW_IN_PROGRESS":
		return st, true, nil
	case in.ChangeSetType != "CREATE" && st.Status == "REVIEW_IN_PROGRESS":
		return st, false, invalid("Stack:%s is in REVIEW_IN_PROGRESS state and can not be updated.", st.ID)
	}
	if in.ChangeSetType != "CREATE" {
		err = checkUpdatable(st)
	}
	return st, true, err
}

// findChangeSet finds a change set by its ARN, or by its name and its stack.
func findChangeSet(ctx context.Context, r store.Reader, name string, stack *string) (ChangeSet, Stack, error) {
	if strings.HasPrefix(name, "arn:") {
		if _, err := arn.Parse(name); err == nil {
			for cs := range ChangeSets.List(r, awsapi.CallerOf(ctx).Scope.Key("")) {
				if cs.ID == name {
					st, err := Stacks.Get(r, cs.Stack)
					return cs, st, err
				}
			}
		}
		return ChangeSet{}, Stack{}, noChangeSet(name)
	}
	if stack == nil {
		return ChangeSet{}, Stack{}, invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
	}
	st, err := find(ctx, r, *stack)
	if err != nil {
		return ChangeSet{}, Stack{}, invalid("Stack [%s] does not exist", *stack)
	}
	cs, err := ChangeSets.Get(r, st.Key()+"/"+name)
	if err != nil {
		return ChangeSet{}, st, noChangeSet(name)
	}
	return cs, st, nil
}

// ExecuteChangeSet deploys a change set. The stack's other change sets are of no use then and go.
func (s *Service) ExecuteChangeSet(ctx context.Context, in *api.ExecuteChangeSetInput) (*api.ExecuteChangeSetOutput, error) {
	cs, st, err := findChangeSet(ctx, s.Store.Snapshot(), deref(in.ChangeSetName), in.StackName)
	if err != nil {
		return nil, err
	}
	bound, err := s.bind(s.Store.Snapshot(), st, cs.Deployment)
	if err != nil {
		return nil, clientError(err)
	}
	return &api.ExecuteChangeSetOutput{}, s.Store.Update(func(tx *store.Tx) error {
		cs, err := ChangeSets.Get(tx, ChangeSets.Key(cs))
		if err != nil {
			return noChangeSet(deref(in.ChangeSetName))
		}
		if err := notNested(cs, "executed"); err != nil {
			return err
		}
		if cs.ExecutionStatus != "AVAILABLE" {
			return awsapi.Errorf("InvalidChangeSetStatus", 400, "ChangeSet [%s] cannot be executed in its current status of [%s]", cs.ID, obstacle(cs))
		}
		st, err := Stacks.Get(tx, cs.Stack)
		if err != nil {
			return noStack(cs.Stack)
		}
		op := operation(ctx, st, Update, in.ClientRequestToken)
		op.Desired, op.OnFailure, op.RetainExceptOnCreate = cs.Deployment, cs.OnFailure, deref(in.RetainExceptOnCreate)
		if deref(in.DisableRollback) {
			op.OnFailure = "DO_NOTHING"
		}
		status := "UPDATE_IN_PROGRESS"
		op.Import = cs.Import
		if st.Status == "REVIEW_IN_PROGRESS" {
			op.Kind, status = Create, "CREATE_IN_PROGRESS"
			st.DisableRollback = deref(in.DisableRollback)
		} else {
			if err := checkUpdatable(st); err != nil {
				return err
			}
			op.Previous, op.Policy, st.Updated = lastGood(st), st.Policy, now()
		}
		if cs.Type == "IMPORT" {
			op.Kind, op.OnFailure, status = Import, "ROLLBACK", "IMPORT_IN_PROGRESS"
		}
		st.Deployment, st.Description, st.ChangeSetID, st.Rollback = cs.Deployment, bound.Description, cs.ID, nil
		for other := range ChangeSets.List(tx, cs.Stack+"/") {
			ChangeSets.Delete(tx, ChangeSets.Key(other))
			if other.ID != cs.ID { // its nested ones are executed with it
				dropNested(tx, other.Stack, other.ID)
			}
		}
		cs.ExecutionStatus = "EXECUTE_COMPLETE"
		ChangeSets.Put(tx, cs)
		start(tx, &st, op, status)
		return nil
	})
}

// obstacle is the status that keeps a change set from being executed.
func obstacle(cs ChangeSet) string {
	if cs.Status != "CREATE_COMPLETE" {
		return cs.Status
	}
	return cs.ExecutionStatus
}

// DeleteChangeSet deletes a change set; a missing one is no error.
func (s *Service) DeleteChangeSet(ctx context.Context, in *api.DeleteChangeSetInput) (*api.DeleteChangeSetOutput, error) {
	return &api.DeleteChangeSetOutput{}, s.Store.Update(func(tx *store.Tx) error {
		cs, _, err := findChangeSet(ctx, tx, deref(in.ChangeSetName), in.StackName)
		if e, ok := errors.AsType[*awsapi.Error](err); ok && e.Code == "ChangeSetNotFound" {
			return nil
		}
		if err != nil {
			return err
		}
		if err := notNested(cs, "deleted"); err != nil {
			return err
		}
		dropChangeSet(tx, cs)
		return nil
	})
}

// ListChangeSets lists the change sets of a stack.
func (s *Service) ListChangeSets(ctx context.Context, in *api.ListChangeSetsInput) (*api.ListChangeSetsOutput, error) {
	r := s.Store.Snapshot()
	st, err := find(ctx, r, deref(in.StackName))
	if err != nil {
		return nil, invalid("Stack [%s] does not exist", deref(in.StackName))
	}
	all := slices.Collect(ChangeSets.List(r, st.Key()+"/"))
	page, next, err := awsapi.Page(all, ChangeSets.Key, in.NextToken, 0, pageSize)
	if err != nil {
		return nil, err
	}
	out := &api.ListChangeSetsOutput{NextToken: next}
	for _, cs := range page {
		out.Summaries = append(out.Summaries, api.ChangeSetSummary{
			StackId: &st.ID, StackName: &st.Name, ChangeSetId: &cs.ID, ChangeSetName: &cs.Name, ExecutionStatus: api.ExecutionStatus(cs.ExecutionStatus),
			Status: api.ChangeSetStatus(cs.Status), StatusReason: optional(cs.Reason), CreationTime: &cs.Created, Description: optional(cs.Description),
			ParentChangeSetId: optional(cs.Parent), RootChangeSetId: optional(cs.Root), IncludeNestedStacks: &cs.IncludeNested, ImportExistingResources: &cs.ImportExisting,
		})
	}
	return out, nil
}
