package cloudformation

import (
	"context"
	"slices"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// DescribeEvents tells what operations did, the newest first: those of a stack, one operation by its id, or the making of a change set.
func (s *Service) DescribeEvents(ctx context.Context, in *api.DescribeEventsInput) (*api.DescribeEventsOutput, error) {
	r := s.Store.Snapshot()
	var events []api.OperationEvent
	switch {
	case in.ChangeSetName != nil:
		cs, st, err := findChangeSet(ctx, r, *in.ChangeSetName, in.StackName)
		if err != nil {
			return nil, err
		}
		events = []api.OperationEvent{changeSetEvent(st, cs)}
	case in.StackName != nil:
		st, err := find(ctx, r, *in.StackName)
		if err != nil {
			return nil, invalid("Stack [%s] does not exist", *in.StackName)
		}
		events = operationEvents(r, st)
	case in.OperationId != nil:
		for st := range Stacks.List(r, awsapi.CallerOf(ctx).Scope.Key("")) {
			events = append(events, operationEvents(r, st)...)
		}
	default:
		return nil, invalid("At least one of StackName, ChangeSetName or OperationId must be specified.")
	}
	failed := in.Filters != nil && deref(in.Filters.FailedEvents)
	events = slices.DeleteFunc(events, func(e api.OperationEvent) bool {
		return (in.OperationId != nil && deref(e.OperationId) != *in.OperationId) || (failed && !isFailure(e))
	})
	page, next, err := awsapi.Page(events, func(e api.OperationEvent) string { return *e.StackId + " " + *e.EventId }, in.NextToken, 0, pageSize)
	if err != nil {
		return nil, err
	}
	return &api.DescribeEventsOutput{OperationEvents: append([]api.OperationEvent{}, page...), NextToken: next}, nil
}

func isFailure(e api.OperationEvent) bool {
	return e.OperationStatus == "FAILED" || strings.HasSuffix(string(e.ResourceStatus), "_FAILED")
}

// operationEvents are the events of a stack by operation, newest first.
func operationEvents(r store.Reader, st Stack) []api.OperationEvent {
	var out []api.OperationEvent
	begun := map[string]*time.Time{}
	kinds := map[string]api.OperationType{}
	last := "" // the stack's status before
	for e := range Events.List(r, st.Key()+"/") {
		own := e.Type == stackType && e.PhysicalID == st.ID
		if own && begun[e.Operation] == nil {
			begun[e.Operation], kinds[e.Operation] = &e.Time, operationKind(e.Status, last)
		}
		v := api.OperationEvent{
			EventId: &e.ID, StackId: &st.ID, OperationId: optional(e.Operation), OperationType: kinds[e.Operation], EventType: "PROGRESS_EVENT", Timestamp: &e.Time,
			LogicalResourceId: &e.LogicalID, PhysicalResourceId: &e.PhysicalID, ResourceType: &e.Type, ResourceStatus: api.ResourceStatus(e.Status),
			ResourceStatusReason: optional(e.Reason), ResourceProperties: optional(e.Properties), ClientRequestToken: optional(e.Token),
		}
		switch {
		case own:
			v.EventType, v.OperationStatus, v.StartTime = "STACK_EVENT", operationStatus(v.OperationType, e.Status), begun[e.Operation]
			if v.OperationStatus != "IN_PROGRESS" {
				v.EndTime = &e.Time
			}
			last = e.Status
		case strings.HasSuffix(e.Status, "_FAILED"):
			v.EventType = "PROVISIONING_ERROR"
		}
		out = append(out, v)
	}
	slices.Reverse(out)
	return out
}

// operationKind says what an operation is that begins with a status, after another.
func operationKind(status, before string) api.OperationType {
	switch {
	case status == "REVIEW_IN_PROGRESS":
		return "CREATE_CHANGESET"
	case status == "CREATE_IN_PROGRESS":
		return "CREATE_STACK"
	case status == "DELETE_IN_PROGRESS":
		return "DELETE_STACK"
	case strings.Contains(status, "ROLLBACK") && before == "UPDATE_ROLLBACK_FAILED":
		return "CONTINUE_ROLLBACK"
	case strings.Contains(status, "ROLLBACK"):
		return "ROLLBACK"
	}
	return "UPDATE_STACK"
}

// operationStatus is what a status of the stack says of its operation: one that was rolled back has failed, unless it was to roll back.
func operationStatus(kind api.OperationType, status string) api.BeaconStackOperationStatus {
	back := kind == "ROLLBACK" || kind == "CONTINUE_ROLLBACK"
	switch {
	case strings.HasSuffix(status, "_IN_PROGRESS") && kind != "CREATE_CHANGESET":
		return "IN_PROGRESS"
	case strings.HasSuffix(status, "_FAILED"), strings.Contains(status, "ROLLBACK") && !back:
		return "FAILED"
	}
	return "SUCCEEDED"
}

// changeSetEvent is the making of a change set, which is done when CreateChangeSet returns.
func changeSetEvent(st Stack, cs ChangeSet) api.OperationEvent {
	id := hashID("changeset", cs.ID)
	e := api.OperationEvent{
		EventId: &id, StackId: &st.ID, OperationId: &id, OperationType: "CREATE_CHANGESET", OperationStatus: "SUCCEEDED", EventType: "STACK_EVENT",
		Timestamp: &cs.Created, StartTime: &cs.Created, EndTime: &cs.Created, LogicalResourceId: &st.Name, PhysicalResourceId: &st.ID, ResourceType: new(stackType),
		ResourceStatusReason: optional(cs.Reason), ClientRequestToken: optional(cs.Token),
	}
	if cs.Status == "FAILED" {
		e.OperationStatus = "FAILED"
	}
	return e
}

// DescribeChangeSetHooks says that no hooks are called: there are none in this engine.
func (s *Service) DescribeChangeSetHooks(ctx context.Context, in *api.DescribeChangeSetHooksInput) (*api.DescribeChangeSetHooksOutput, error) {
	cs, st, err := findChangeSet(ctx, s.Store.Snapshot(), deref(in.ChangeSetName), in.StackName)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeChangeSetHooksOutput{
		ChangeSetId: &cs.ID, ChangeSetName: &cs.Name, Hooks: []api.ChangeSetHook{}, Status: "PLANNED", StackId: &st.ID, StackName: &st.Name,
	}
	if cs.Status == "FAILED" {
		out.Status = "UNAVAILABLE"
	}
	return out, nil
}
