package cloudformation

import (
	"context"
	"slices"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// DescribeStackResource describes one resource of a stack.
func (s *Service) DescribeStackResource(ctx context.Context, in *api.DescribeStackResourceInput) (*api.DescribeStackResourceOutput, error) {
	r := s.Store.Snapshot()
	st, err := find(ctx, r, deref(in.StackName))
	if err != nil {
		return nil, invalid("Stack '%s' does not exist", deref(in.StackName))
	}
	row, err := Resources.Get(r, st.Key()+"/"+deref(in.LogicalResourceId))
	if err != nil {
		return nil, invalid("Resource %s does not exist for stack %s", deref(in.LogicalResourceId), st.Name)
	}
	metadata := "{}"
	if len(row.Metadata) > 0 {
		metadata = string(row.Metadata)
	}
	return &api.DescribeStackResourceOutput{StackResourceDetail: &api.StackResourceDetail{
		StackName: &st.Name, StackId: &st.ID, LogicalResourceId: &row.LogicalID, PhysicalResourceId: optional(row.PhysicalID), ResourceType: &row.Type,
		LastUpdatedTimestamp: &row.Changed, ResourceStatus: api.ResourceStatus(row.Status), ResourceStatusReason: optional(row.Reason), Metadata: &metadata,
		DriftInformation: driftOf(r, row),
	}}, nil
}

// DescribeStackResources describes the resources of a stack, or of the stack that a physical id belongs to. It gives no more than 100, as AWS does.
func (s *Service) DescribeStackResources(ctx context.Context, in *api.DescribeStackResourcesInput) (*api.DescribeStackResourcesOutput, error) {
	r := s.Store.Snapshot()
	var st Stack
	var err error
	if in.StackName != nil {
		st, err = find(ctx, r, *in.StackName)
	} else {
		st, err = stackOfPhysical(ctx, r, deref(in.PhysicalResourceId))
	}
	if err != nil {
		return nil, err
	}
	out := &api.DescribeStackResourcesOutput{}
	for row := range Resources.List(r, st.Key()+"/") {
		if (in.LogicalResourceId != nil && row.LogicalID != *in.LogicalResourceId) || len(out.StackResources) == pageSize {
			continue
		}
		out.StackResources = append(out.StackResources, api.StackResource{
			StackName: &st.Name, StackId: &st.ID, LogicalResourceId: &row.LogicalID, PhysicalResourceId: optional(row.PhysicalID), ResourceType: &row.Type,
			Timestamp: &row.Changed, ResourceStatus: api.ResourceStatus(row.Status), ResourceStatusReason: optional(row.Reason),
			DriftInformation: driftOf(r, row),
		})
	}
	if in.LogicalResourceId != nil && len(out.StackResources) == 0 {
		return nil, invalid("Resource %s does not exist for stack %s", *in.LogicalResourceId, st.Name)
	}
	return out, nil
}

func stackOfPhysical(ctx context.Context, r store.Reader, id string) (Stack, error) {
	for row := range Resources.By(r, "physical", awsapi.CallerOf(ctx).Scope.Key(id)) {
		return Stacks.Get(r, row.Stack)
	}
	return Stack{}, invalid("Stack for %s does not exist", id)
}

// ListStackResources lists the resources of a stack.
func (s *Service) ListStackResources(ctx context.Context, in *api.ListStackResourcesInput) (*api.ListStackResourcesOutput, error) {
	r := s.Store.Snapshot()
	st, err := find(ctx, r, deref(in.StackName))
	if err != nil {
		return nil, err
	}
	rows := slices.Collect(Resources.List(r, st.Key()+"/"))
	page, next, err := awsapi.Page(rows, Resources.Key, in.NextToken, 0, pageSize)
	if err != nil {
		return nil, err
	}
	out := &api.ListStackResourcesOutput{NextToken: next}
	for _, row := range page {
		out.StackResourceSummaries = append(out.StackResourceSummaries, api.StackResourceSummary{
			LogicalResourceId: &row.LogicalID, PhysicalResourceId: optional(row.PhysicalID), ResourceType: &row.Type, LastUpdatedTimestamp: &row.Changed,
			ResourceStatus: api.ResourceStatus(row.Status), ResourceStatusReason: optional(row.Reason),
			DriftInformation: (*api.StackResourceDriftInformationSummary)(driftOf(r, row)),
		})
	}
	return out, nil
}

// ListExports lists every export of the account and region.
func (s *Service) ListExports(ctx context.Context, in *api.ListExportsInput) (*api.ListExportsOutput, error) {
	r := s.Store.Snapshot()
	var all []api.Export
	for st := range Stacks.List(r, awsapi.CallerOf(ctx).Scope.Key("")) {
		for _, o := range st.Outputs {
			if o.Export != "" && st.Status != "DELETE_COMPLETE" {
				all = append(all, api.Export{ExportingStackId: &st.ID, Name: &o.Export, Value: &o.Value})
			}
		}
	}
	slices.SortFunc(all, func(a, b api.Export) int { return compareText(*a.Name, *b.Name) })
	page, next, err := awsapi.Page(all, func(e api.Export) string { return *e.Name }, in.NextToken, 0, pageSize)
	return &api.ListExportsOutput{Exports: page, NextToken: next}, err
}

// ListImports lists the stacks that import an export.
func (s *Service) ListImports(ctx context.Context, in *api.ListImportsInput) (*api.ListImportsOutput, error) {
	r := s.Store.Snapshot()
	name := deref(in.ExportName)
	var all []string
	for st := range Stacks.By(r, "import", awsapi.CallerOf(ctx).Scope.Key(name)) {
		all = append(all, st.Name)
	}
	if len(all) == 0 {
		return nil, invalid("Export '%s' is not imported by any stack.", name)
	}
	page, next, err := awsapi.Page(all, func(n string) string { return n }, in.NextToken, 0, pageSize)
	return &api.ListImportsOutput{Imports: page, NextToken: next}, err
}
