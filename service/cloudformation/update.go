package cloudformation

import (
	"context"
	"slices"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/store"
)

// updatable are the states an update may begin in.
var updatable = []string{
	"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_FAILED",
}

func checkUpdatable(st Stack) error {
	if !slices.Contains(updatable, st.Status) {
		return invalid("Stack:%s is in %s state and can not be updated.", st.ID, st.Status)
	}
	return nil
}

const noUpdates = "No updates are to be performed."

// UpdateStack begins an update.
func (s *Service) UpdateStack(ctx context.Context, in *api.UpdateStackInput) (*api.UpdateStackOutput, error) {
	r := s.Store.Snapshot()
	st, err := find(ctx, r, deref(in.StackName))
	if err != nil {
		return nil, invalid("Stack [%s] does not exist", deref(in.StackName))
	}
	token := deref(in.ClientRequestToken)
	if token != "" && st.LastToken == token && st.LastKind == Update {
		return &api.UpdateStackOutput{StackId: &st.ID, OperationId: &st.LastOperation}, nil
	}
	if err := checkUpdatable(st); err != nil {
		return nil, err
	}
	if err := (extras{rollback: in.RollbackConfiguration, notify: in.NotificationARNs}).refuse(); err != nil {
		return nil, err
	}
	policy, err := s.policy(ctx, in.StackPolicyBody, in.StackPolicyURL, "StackPolicy")
	if err != nil {
		return nil, err
	}
	during, err := s.policy(ctx, in.StackPolicyDuringUpdateBody, in.StackPolicyDuringUpdateURL, "StackPolicyDuringUpdate")
	if err != nil {
		return nil, err
	}
	body, err := s.body(ctx, in.TemplateBody, in.TemplateURL, s.previous(r, st, in.UsePreviousTemplate))
	if err != nil {
		return nil, err
	}
	d, bound, err := s.deployment(ctx, st, request{body, in.Parameters, in.Tags, in.Capabilities, in.RoleARN, in.NotificationARNs, in.ResourceTypes, false})
	failed := macroFailure(err)
	if err != nil && failed == nil {
		return nil, err
	}
	if failed == nil {
		_, changed, err := s.preview(r, st, d, bound)
		if err != nil {
			return nil, err
		}
		if !changed {
			return nil, invalid(noUpdates)
		}
	}
	op := operation(ctx, st, Update, in.ClientRequestToken)
	op.RetainExceptOnCreate, op.Policy = deref(in.RetainExceptOnCreate), during
	_, op.Nested = cfn.From(ctx)
	if deref(in.DisableRollback) {
		op.OnFailure = "DO_NOTHING"
	}
	if err := s.beginUpdate(st, op, d, bound, body, policy, failed); err != nil {
		return nil, err
	}
	s.Log.Info("stack update begins", "stack", st.Name)
	return &api.UpdateStackOutput{StackId: &st.ID, OperationId: &op.ID}, nil
}

// previous reads the template a stack has now, when the caller wants it again.
func (s *Service) previous(r store.Reader, st Stack, use *bool) func() (string, error) {
	if use == nil || !*use {
		return nil
	}
	return func() (string, error) {
		row, err := Templates.Get(r, st.Key()+"/"+st.Deployment.Template)
		if err != nil {
			return "", invalid("Template does not exist for stack %s", st.Name)
		}
		return row.Body, nil
	}
}

// beginUpdate writes the operation of an update, unless the stack has moved on since it was looked at. A new stack policy counts from the next update on.
func (s *Service) beginUpdate(seen Stack, op Operation, d Deployment, bound *template.Bound, body, policy string, failed *template.MacroError) error {
	return s.Store.Update(func(tx *store.Tx) error {
		st, err := Stacks.Get(tx, seen.Key())
		if err != nil {
			return noStack(seen.Name)
		}
		if err := checkUpdatable(st); err != nil {
			return err
		}
		op := op
		op.Desired = d
		op.Previous = lastGood(st)
		if op.Policy == "" {
			op.Policy = st.Policy
		}
		if policy != "" {
			st.Policy = policy
		}
		st.Deployment, st.Updated, st.Rollback = d, now(), nil
		if bound != nil {
			st.Description = bound.Description
		}
		for cs := range ChangeSets.List(tx, st.Key()+"/") {
			if cs.ExecutionStatus == "AVAILABLE" {
				cs.ExecutionStatus = "OBSOLETE"
				ChangeSets.Put(tx, cs)
			}
		}
		keepTemplate(tx, st, d, body, bound)
		start(tx, &st, op, "UPDATE_IN_PROGRESS")
		transformed(tx, &st, op, d, failed, st.Updated)
		return nil
	})
}

// CancelUpdateStack rolls a running update back.
func (s *Service) CancelUpdateStack(ctx context.Context, in *api.CancelUpdateStackInput) (*api.CancelUpdateStackOutput, error) {
	return &api.CancelUpdateStackOutput{}, s.Store.Update(func(tx *store.Tx) error {
		st, err := find(ctx, tx, deref(in.StackName))
		if err != nil {
			return err
		}
		op, err := Operations.Get(tx, st.Key())
		if err != nil || st.Status != "UPDATE_IN_PROGRESS" {
			return invalid("CancelUpdateStack cannot be called from current stack status")
		}
		op.Cancelled, op.Reason, op.OnFailure = true, "User Initiated", "ROLLBACK"
		Operations.Put(tx, op)
		return nil
	})
}

// UpdateTerminationProtection switches the protection against DeleteStack.
func (s *Service) UpdateTerminationProtection(
	ctx context.Context, in *api.UpdateTerminationProtectionInput,
) (*api.UpdateTerminationProtectionOutput, error) {
	out := &api.UpdateTerminationProtectionOutput{}
	return out, s.Store.Update(func(tx *store.Tx) error {
		st, err := find(ctx, tx, deref(in.StackName))
		if err != nil {
			return err
		}
		if st.Parent != "" {
			return invalid("For nested stacks, termination protection is set on the root stack and can't be changed directly on the nested stack: %s", st.Root)
		}
		st.Protected = deref(in.EnableTerminationProtection)
		Stacks.Put(tx, st)
		out.StackId = &st.ID
		return nil
	})
}
