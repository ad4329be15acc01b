package cloudformation

import (
	"context"
	"slices"
	"time"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// pageSize is how many entries the list operations of CloudFormation give at once.
const pageSize = 100

// DescribeStacks describes one stack, or all that exist.
func (s *Service) DescribeStacks(ctx context.Context, in *api.DescribeStacksInput) (*api.DescribeStacksOutput, error) {
	r := s.Store.Snapshot()
	if in.StackName != nil {
		st, err := find(ctx, r, *in.StackName)
		if err != nil {
			return nil, err
		}
		return &api.DescribeStacksOutput{Stacks: []api.Stack{stackOut(st)}}, nil
	}
	all := stacks(ctx, r, func(st Stack) bool { return st.Status != "DELETE_COMPLETE" })
	page, next, err := awsapi.Page(all, Stack.Key, in.NextToken, 0, pageSize)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeStacksOutput{NextToken: next}
	for _, st := range page {
		out.Stacks = append(out.Stacks, stackOut(st))
	}
	return out, nil
}

// stacks lists the caller's stacks, newest first.
func stacks(ctx context.Context, r store.Reader, want func(Stack) bool) []Stack {
	var all []Stack
	for st := range Stacks.List(r, awsapi.CallerOf(ctx).Scope.Key("")) {
		if want(st) {
			all = append(all, st)
		}
	}
	slices.SortStableFunc(all, func(a, b Stack) int { return b.Created.Compare(a.Created) })
	return all
}

func stackOut(st Stack) api.Stack {
	d := st.Deployment
	out := api.Stack{
		StackId: &st.ID, StackName: &st.Name, Description: optional(st.Description), ChangeSetId: optional(st.ChangeSetID), CreationTime: &st.Created,
		LastUpdatedTime: moment(st.Updated), DeletionTime: moment(st.Deleted), StackStatus: api.StackStatus(st.Status), StackStatusReason: optional(st.Reason),
		DisableRollback: &st.DisableRollback, EnableTerminationProtection: &st.Protected, RoleARN: optional(d.RoleARN), NotificationARNs: d.NotificationARNs,
		Capabilities: capabilitiesOut(d.Capabilities), Parameters: parametersOut(d.Parameters), Tags: tagsOut(d),
		DriftInformation:      &api.StackDriftInformation{StackDriftStatus: api.StackDriftStatus(orNotChecked(st.Drift)), LastCheckTimestamp: moment(st.DriftAt)},
		RollbackConfiguration: &api.RollbackConfiguration{},
	}
	if st.Parent != "" {
		out.ParentId, out.RootId = &st.Parent, &st.Root
	}
	if st.Timeout > 0 {
		out.TimeoutInMinutes = &st.Timeout
	}
	if st.RetainExceptOnCreate {
		out.RetainExceptOnCreate = &st.RetainExceptOnCreate
	}
	for _, o := range st.Outputs {
		out.Outputs = append(out.Outputs, api.Output{
			OutputKey: &o.Key, OutputValue: &o.Value, Description: optional(o.Description), ExportName: optional(o.Export),
		})
	}
	return out
}

func capabilitiesOut(in []string) []api.Capability {
	var out []api.Capability
	for _, c := range in {
		out = append(out, api.Capability(c))
	}
	return out
}

// masked stands for the value of a NoEcho parameter.
const masked = "****"

func parametersOut(in []Parameter) []api.Parameter {
	var out []api.Parameter
	for _, p := range in {
		if p.NoEcho {
			p.Value, p.Resolved = masked, ""
		}
		out = append(out, api.Parameter{ParameterKey: &p.Key, ParameterValue: &p.Value, ResolvedValue: optional(p.Resolved)})
	}
	return out
}

func tagsOut(d Deployment) []api.Tag {
	var out []api.Tag
	for _, t := range d.Tags {
		out = append(out, api.Tag{Key: &t.Key, Value: &t.Value})
	}
	return out
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// ListStacks lists stacks, deleted ones included.
func (s *Service) ListStacks(ctx context.Context, in *api.ListStacksInput) (*api.ListStacksOutput, error) {
	all := stacks(ctx, s.Store.Snapshot(), func(st Stack) bool {
		return len(in.StackStatusFilter) == 0 || slices.Contains(in.StackStatusFilter, api.StackStatus(st.Status))
	})
	page, next, err := awsapi.Page(all, Stack.Key, in.NextToken, 0, pageSize)
	if err != nil {
		return nil, err
	}
	out := &api.ListStacksOutput{NextToken: next}
	for _, st := range page {
		out.StackSummaries = append(out.StackSummaries, api.StackSummary{
			StackId: &st.ID, StackName: &st.Name, TemplateDescription: optional(st.Description), CreationTime: &st.Created,
			LastUpdatedTime: moment(st.Updated), DeletionTime: moment(st.Deleted), StackStatus: api.StackStatus(st.Status),
			StackStatusReason: optional(st.Reason), DriftInformation: &api.StackDriftInformationSummary{
				StackDriftStatus: api.StackDriftStatus(orNotChecked(st.Drift)), LastCheckTimestamp: moment(st.DriftAt),
			},
		})
	}
	return out, nil
}

// DescribeStackEvents lists a stack's events, newest first.
func (s *Service) DescribeStackEvents(ctx context.Context, in *api.DescribeStackEventsInput) (*api.DescribeStackEventsOutput, error) {
	r := s.Store.Snapshot()
	st, err := find(ctx, r, deref(in.StackName))
	if err != nil {
		return nil, invalid("Stack [%s] does not exist", deref(in.StackName))
	}
	events := slices.Collect(Events.List(r, st.Key()+"/"))
	slices.Reverse(events)
	page, next, err := awsapi.Page(events, Events.Key, in.NextToken, 0, pageSize)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeStackEventsOutput{NextToken: next}
	for _, e := range page {
		out.StackEvents = append(out.StackEvents, api.StackEvent{
			StackId: &st.ID, EventId: &e.ID, StackName: &st.Name, LogicalResourceId: &e.LogicalID, PhysicalResourceId: &e.PhysicalID, ResourceType: &e.Type,
			Timestamp: &e.Time, ResourceStatus: api.ResourceStatus(e.Status), ResourceStatusReason: optional(e.Reason), ResourceProperties: optional(e.Properties),
			ClientRequestToken: optional(e.Token), OperationId: optional(e.Operation),
		})
	}
	return out, nil
}
