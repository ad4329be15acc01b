package cloudformation

import (
	"context"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// DescribeChangeSet describes a change set with what it would change.
func (s *Service) DescribeChangeSet(ctx context.Context, in *api.DescribeChangeSetInput) (*api.DescribeChangeSetOutput, error) {
	cs, st, err := findChangeSet(ctx, s.Store.Snapshot(), deref(in.ChangeSetName), in.StackName)
	if err != nil {
		return nil, err
	}
	page, next, err := awsapi.Page(cs.Changes, func(c Change) string { return c.LogicalID }, in.NextToken, 0, pageSize)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeChangeSetOutput{
		ChangeSetName: &cs.Name, ChangeSetId: &cs.ID, StackId: &st.ID, StackName: &st.Name, Description: optional(cs.Description), CreationTime: &cs.Created,
		ExecutionStatus: api.ExecutionStatus(cs.ExecutionStatus), Status: api.ChangeSetStatus(cs.Status), StatusReason: optional(cs.Reason),
		NotificationARNs: cs.Deployment.NotificationARNs, RollbackConfiguration: &api.RollbackConfiguration{}, IncludeNestedStacks: &cs.IncludeNested,
		ImportExistingResources: &cs.ImportExisting, OnStackFailure: api.OnStackFailure(cs.OnFailure), DeploymentMode: api.DeploymentMode(cs.Mode),
		Parameters: parametersOut(cs.Deployment.Parameters), Tags: tagsOut(cs.Deployment), Capabilities: capabilitiesOut(cs.Deployment.Capabilities),
		NextToken: next, ParentChangeSetId: optional(cs.Parent), RootChangeSetId: optional(cs.Root),
	}
	values := deref(in.IncludePropertyValues)
	for _, c := range page {
		out.Changes = append(out.Changes, api.Change{Type: "Resource", ResourceChange: changeOut(c, values)})
	}
	return out, nil
}

func changeOut(c Change, values bool) *api.ResourceChange {
	out := &api.ResourceChange{
		Action: api.ChangeAction(c.Action), LogicalResourceId: &c.LogicalID, PhysicalResourceId: optional(c.PhysicalID), ChangeSetId: optional(c.ChangeSet), ResourceType: &c.Type,
		Replacement: api.Replacement(c.Replacement), PolicyAction: api.PolicyAction(c.Policy), Scope: []api.ResourceAttribute{}, Details: []api.ResourceChangeDetail{},
	}
	for _, scope := range c.Scope {
		out.Scope = append(out.Scope, api.ResourceAttribute(scope))
	}
	for _, d := range c.Details {
		target := &api.ResourceTargetDefinition{
			Attribute: api.ResourceAttribute(d.Attribute), Name: optional(d.Name), RequiresRecreation: api.RequiresRecreation(d.Recreation),
		}
		if values {
			target.Path, target.BeforeValue, target.AfterValue = optional(d.Path), optional(d.Before), optional(d.After)
			target.AttributeChangeType = changeType(d)
		}
		out.Details = append(out.Details, api.ResourceChangeDetail{
			Target: target, Evaluation: api.EvaluationType(d.Evaluation), ChangeSource: api.ChangeSource(d.Source), CausingEntity: optional(d.Cause),
		})
	}
	return out
}

func changeType(d Detail) api.AttributeChangeType {
	switch {
	case d.Before == "":
		return "Add"
	case d.After == "":
		return "Remove"
	}
	return "Modify"
}
