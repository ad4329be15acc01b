package cloudformation

import (
	"context"
	"time"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// CreateStack begins a stack.
func (s *Service) CreateStack(ctx context.Context, in *api.CreateStackInput) (*api.CreateStackOutput, error) {
	name := deref(in.StackName)
	if err := checkStackName(name); err != nil {
		return nil, err
	}
	if in.DisableRollback != nil && *in.DisableRollback && in.OnFailure != "" {
		return nil, invalid("You can specify either DisableRollback or OnFailure, but not both")
	}
	if err := (extras{rollback: in.RollbackConfiguration, notify: in.NotificationARNs}).refuse(); err != nil {
		return nil, err
	}
	policy, err := s.policy(ctx, in.StackPolicyBody, in.StackPolicyURL, "StackPolicy")
	if err != nil {
		return nil, err
	}
	body, err := s.body(ctx, in.TemplateBody, in.TemplateURL, nil)
	if err != nil {
		return nil, err
	}
	st := s.fresh(ctx, name)
	d, bound, err := s.deployment(ctx, st, request{body, in.Parameters, in.Tags, in.Capabilities, in.RoleARN, in.NotificationARNs, in.ResourceTypes, false})
	failed := macroFailure(err)
	if err != nil && failed == nil {
		return nil, err
	}
	st.Deployment = d
	if bound != nil {
		st.Description = bound.Description
	}
	st.Protected, st.Policy = deref(in.EnableTerminationProtection), policy
	st.DisableRollback, st.Timeout = deref(in.DisableRollback), deref(in.TimeoutInMinutes)
	st.RetainExceptOnCreate = deref(in.RetainExceptOnCreate)
	onFailure := string(in.OnFailure)
	if st.DisableRollback {
		onFailure = "DO_NOTHING"
	}
	at := now()
	st.Created = at
	op := operation(ctx, st, Create, in.ClientRequestToken)
	op.Desired, op.OnFailure, op.RetainExceptOnCreate = d, onFailure, st.RetainExceptOnCreate
	op.Deadline = deadline(at, st.Timeout)
	id := st.ID
	err = s.Store.Update(func(tx *store.Tx) error {
		if old, err := find(ctx, tx, name); err == nil {
			if op.Token != "" && old.LastToken == op.Token && old.LastKind == Create {
				id, op.ID = old.ID, old.LastOperation
				return nil // the same request again
			}
			return awsapi.Errorf("AlreadyExistsException", 400, "Stack [%s] already exists", name)
		}
		st := st
		prune(tx, st.Scope, at)
		keepTemplate(tx, st, d, body, bound)
		start(tx, &st, op, "CREATE_IN_PROGRESS")
		transformed(tx, &st, op, d, failed, at)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.Log.Info("stack creation begins", "stack", name)
	return &api.CreateStackOutput{StackId: &id, OperationId: &op.ID}, nil
}

// fresh is a stack that does not exist yet.
func (s *Service) fresh(ctx context.Context, name string) Stack {
	scope := awsapi.CallerOf(ctx).Scope
	id := newID()
	st := Stack{Scope: scope, ID: stackARN(scope, name, id), Name: name, UUID: id}
	if parent, ok := cfn.From(ctx); ok { // a nested stack
		st.Parent, st.Root = parent.StackID, parent.StackID
		key, _ := stackKey(parent.StackID)
		if p, err := Stacks.Get(s.Store.Snapshot(), key); err == nil && p.Root != "" {
			st.Root = p.Root
		}
	}
	return st
}

func operation(ctx context.Context, st Stack, kind Kind, token *string) Operation {
	return Operation{Stack: st.Key(), ID: newID(), Kind: kind, Phase: Forward, Token: deref(token), Caller: awsapi.CallerOf(ctx).ARN}
}

// start writes an operation and the stack's first status of it.
func start(tx *store.Tx, st *Stack, op Operation, status string) {
	st.Drift, st.DriftAt = "", time.Time{}
	st.LastOperation, st.LastKind, st.LastToken = op.ID, op.Kind, op.Token
	Operations.Put(tx, op)
	setStatus(tx, st, op, now(), status, "User Initiated")
}

// remembered is how long a deleted stack can be described by its ARN, and how long events are kept, as in AWS.
const remembered = 90 * 24 * time.Hour

// prune forgets stacks that were deleted long ago.
func prune(tx *store.Tx, scope arn.Scope, at time.Time) {
	for st := range Stacks.List(tx, scope.Key("")) {
		if st.Status != "DELETE_COMPLETE" || at.Sub(st.Deleted) < remembered {
			continue
		}
		for e := range Events.List(tx, st.Key()+"/") {
			Events.Delete(tx, Events.Key(e))
		}
		for r := range Resources.List(tx, st.Key()+"/") {
			Resources.Delete(tx, Resources.Key(r))
		}
		for t := range Templates.List(tx, st.Key()+"/") {
			Templates.Delete(tx, Templates.Key(t))
		}
		for d := range Drifts.List(tx, st.Key()+"/") {
			Drifts.Delete(tx, Drifts.Key(d))
		}
		for d := range Detections.List(tx, st.Key()+"/") {
			Detections.Delete(tx, Detections.Key(d))
		}
		for sig := range Signals.List(tx, st.Key()+"/") {
			Signals.Delete(tx, Signals.Key(sig))
		}
		Sequences.Delete(tx, st.Key())
		Stacks.Delete(tx, st.Key())
	}
}
