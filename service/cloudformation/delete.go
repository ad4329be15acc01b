package cloudformation

import (
	"context"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// DeleteStack begins the deletion of a stack. One that does not exist is deleted already.
func (s *Service) DeleteStack(ctx context.Context, in *api.DeleteStackInput) (*api.DeleteStackOutput, error) {
	err := s.Store.Update(func(tx *store.Tx) error {
		st, err := find(ctx, tx, deref(in.StackName))
		if err != nil || st.Status == "DELETE_COMPLETE" || st.Status == "DELETE_IN_PROGRESS" {
			return nil
		}
		if _, nested := cfn.From(ctx); !nested && isProtected(tx, st) { // a root stack may let go of its nested stacks
			return invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", st.Name)
		}
		if user, name, used := exportUsed(tx, st); used {
			return invalid("Export %s cannot be deleted as it is in use by %s", name, user.Name)
		}
		if len(in.RetainResources) > 0 && st.Status != "DELETE_FAILED" {
			return invalid("Invalid operation on stack [%s]. When you specify RetainResources the stack must be in DELETE_FAILED state.", st.ID)
		}
		for _, id := range in.RetainResources {
			if _, err := Resources.Get(tx, st.Key()+"/"+id); err != nil {
				return invalid("The specified resources to retain must be in a valid state: [%s]", id)
			}
		}
		op := operation(ctx, st, Delete, in.ClientRequestToken)
		op.Phase, op.Retain, op.Desired = Deleting, slices.Clone(in.RetainResources), st.Deployment
		if in.DeletionMode == "FORCE_DELETE_STACK" && st.Status == "DELETE_FAILED" {
			op.Retain = failedRows(tx, st)
		}
		switch running, err := Operations.Get(tx, st.Key()); {
		case err == nil && (st.Status == "CREATE_IN_PROGRESS" || st.Status == "ROLLBACK_IN_PROGRESS"):
			// What is under way ends first: see Stopping.
			running.Kind, running.Phase, running.Cancelled, running.Token, running.Caller = Delete, Stopping, true, op.Token, op.Caller
			Operations.Put(tx, running)
			st.LastKind, st.LastToken = Delete, op.Token
			Stacks.Put(tx, st)
			return nil
		case err == nil:
			return invalid("Stack [%s] cannot be deleted while in status %s", st.ID, st.Status)
		}
		start(tx, &st, op, "DELETE_IN_PROGRESS")
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteStackOutput{}, nil
}

// isProtected reports whether a stack, or the root it is nested in, must not be deleted.
func isProtected(r store.Reader, st Stack) bool {
	if key, ok := stackKey(st.Root); ok {
		root, err := Stacks.Get(r, key)
		return err == nil && root.Protected
	}
	return st.Protected
}

// failedRows are the logical ids whose deletion failed before.
func failedRows(tx *store.Tx, st Stack) []string {
	var ids []string
	for r := range Resources.List(tx, st.Key()+"/") {
		if strings.HasPrefix(r.Status, "DELETE_FAILED") {
			ids = append(ids, r.LogicalID)
		}
	}
	return ids
}
