package cloudformation

import (
	"context"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// unstable are the states of a stack whose last operation failed and was left as it was.
var unstable = []string{"CREATE_FAILED", "UPDATE_FAILED"}

// lastGood is the deployment that an update goes back to when it fails; nil when the stack has never stood.
func lastGood(st Stack) *Deployment {
	if slices.Contains(unstable, st.Status) {
		return st.Rollback
	}
	d := st.Deployment
	return &d
}

// RollbackStack undoes a creation or an update that failed and was not rolled back.
func (s *Service) RollbackStack(ctx context.Context, in *api.RollbackStackInput) (*api.RollbackStackOutput, error) {
	out := &api.RollbackStackOutput{}
	return out, s.Store.Update(func(tx *store.Tx) error {
		st, err := find(ctx, tx, deref(in.StackName))
		if err != nil {
			return err
		}
		out.StackId, out.OperationId = &st.ID, &st.LastOperation
		if token := deref(in.ClientRequestToken); token != "" && st.LastToken == token {
			return nil // the same request again
		}
		if !slices.Contains(unstable, st.Status) {
			return invalid("Stack:%s is in %s state and can not be rolled back.", st.ID, st.Status)
		}
		if in.RoleARN != nil {
			st.Deployment.RoleARN = *in.RoleARN
		}
		op := operation(ctx, st, Update, in.ClientRequestToken)
		op.RetainExceptOnCreate = deref(in.RetainExceptOnCreate)
		op.Phase, op.Desired, op.Previous = Revert, st.Deployment, st.Rollback
		status := "UPDATE_ROLLBACK_IN_PROGRESS"
		if st.Rollback == nil {
			op.Kind, op.Phase, status = Create, Rollback, "ROLLBACK_IN_PROGRESS"
		}
		out.OperationId = &op.ID
		start(tx, &st, op, status)
		return nil
	})
}

// ContinueUpdateRollback takes up a rollback that has failed.
func (s *Service) ContinueUpdateRollback(ctx context.Context, in *api.ContinueUpdateRollbackInput) (*api.ContinueUpdateRollbackOutput, error) {
	return &api.ContinueUpdateRollbackOutput{}, s.Store.Update(func(tx *store.Tx) error {
		st, err := find(ctx, tx, deref(in.StackName))
		if err != nil {
			return err
		}
		if token := deref(in.ClientRequestToken); token != "" && st.LastToken == token {
			return nil // the same request again
		}
		if st.Status != "UPDATE_ROLLBACK_FAILED" || st.Rollback == nil {
			return invalid("Stack:%s is in %s state and can not continue rollback.", st.ID, st.Status)
		}
		if err := checkSkipped(tx, st, in.ResourcesToSkip); err != nil {
			return err
		}
		if in.RoleARN != nil {
			st.Deployment.RoleARN = *in.RoleARN
		}
		op := operation(ctx, st, Update, in.ClientRequestToken)
		op.Phase, op.Desired, op.Previous, op.Skip = Revert, st.Deployment, st.Rollback, in.ResourcesToSkip
		start(tx, &st, op, "UPDATE_ROLLBACK_IN_PROGRESS")
		return nil
	})
}

// checkSkipped allows to skip only what could not be rolled back; a resource of a nested stack is named "Stack.Resource".
func checkSkipped(r store.Reader, st Stack, skip []string) error {
	var wrong []string
	for _, name := range skip {
		id, _, _ := strings.Cut(name, ".")
		if row, err := Resources.Get(r, st.Key()+"/"+id); err != nil || row.Status != "UPDATE_FAILED" {
			wrong = append(wrong, name)
		}
	}
	if len(wrong) > 0 {
		return invalid("The following resources cannot be skipped, they are not in UPDATE_FAILED state because of a failed rollback: [%s]", strings.Join(wrong, ", "))
	}
	return nil
}
