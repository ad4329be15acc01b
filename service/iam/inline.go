package iam

import (
	"context"
	"maps"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// inlineMost is how many characters all inline policies of a principal may
// have together, white space not counted.
var inlineMost = map[Kind]int{Role: 10240, User: 2048, Group: 5120}

// put adds or replaces an inline policy.
func (s *Service) put(ctx context.Context, k Kind, name, policy, document string) error {
	if err := checkPermissions(document); err != nil {
		return err
	}
	return s.change(ctx, k, name, func(_ *store.Tx, p *Principal) error {
		p.Inline = with(p.Inline, policy, document)
		size := 0
		for _, d := range p.Inline {
			size += weight(d)
		}
		if size > inlineMost[k] {
			return tooBig(inlineMost[k], k, p.Name)
		}
		return nil
	})
}

// weight counts a document's characters as quotas do.
func weight(document string) int {
	return len(strings.NewReplacer(" ", "", "\n", "", "\t", "", "\r", "").Replace(document))
}

func (s *Service) get(ctx context.Context, k Kind, name, policy string) (Principal, *string, error) {
	p, err := principal(s.store.Snapshot(), account(ctx), k, name)
	if err != nil {
		return p, nil, err
	}
	document, ok := p.Inline[policy]
	if !ok {
		return p, nil, noSuchInline(k, policy)
	}
	return p, encoded(document), nil
}

func (s *Service) drop(ctx context.Context, k Kind, name, policy string) error {
	return s.change(ctx, k, name, func(_ *store.Tx, p *Principal) error {
		if _, ok := p.Inline[policy]; !ok {
			return noSuchInline(k, policy)
		}
		p.Inline = without(p.Inline, policy)
		return nil
	})
}

func (s *Service) inlineNames(ctx context.Context, k Kind, name string, marker *string, max *int32) ([]string, *string, error) {
	p, err := principal(s.store.Snapshot(), account(ctx), k, name)
	if err != nil {
		return nil, nil, err
	}
	names := slices.AppendSeq([]string{}, maps.Keys(p.Inline))
	slices.Sort(names)
	return page(names, func(n string) string { return n }, marker, max)
}

// PutRolePolicy adds or replaces an inline policy of a role.
func (s *Service) PutRolePolicy(ctx context.Context, in *api.PutRolePolicyInput) (*api.PutRolePolicyOutput, error) {
	return nil, s.put(ctx, Role, *in.RoleName, *in.PolicyName, *in.PolicyDocument)
}

// PutUserPolicy adds or replaces an inline policy of a user.
func (s *Service) PutUserPolicy(ctx context.Context, in *api.PutUserPolicyInput) (*api.PutUserPolicyOutput, error) {
	return nil, s.put(ctx, User, *in.UserName, *in.PolicyName, *in.PolicyDocument)
}

// PutGroupPolicy adds or replaces an inline policy of a group.
func (s *Service) PutGroupPolicy(ctx context.Context, in *api.PutGroupPolicyInput) (*api.PutGroupPolicyOutput, error) {
	return nil, s.put(ctx, Group, *in.GroupName, *in.PolicyName, *in.PolicyDocument)
}

// GetRolePolicy reads an inline policy of a role.
func (s *Service) GetRolePolicy(ctx context.Context, in *api.GetRolePolicyInput) (*api.GetRolePolicyOutput, error) {
	p, document, err := s.get(ctx, Role, *in.RoleName, *in.PolicyName)
	return &api.GetRolePolicyOutput{RoleName: &p.Name, PolicyName: in.PolicyName, PolicyDocument: document}, err
}

// GetUserPolicy reads an inline policy of a user.
func (s *Service) GetUserPolicy(ctx context.Context, in *api.GetUserPolicyInput) (*api.GetUserPolicyOutput, error) {
	p, document, err := s.get(ctx, User, *in.UserName, *in.PolicyName)
	return &api.GetUserPolicyOutput{UserName: &p.Name, PolicyName: in.PolicyName, PolicyDocument: document}, err
}

// GetGroupPolicy reads an inline policy of a group.
func (s *Service) GetGroupPolicy(ctx context.Context, in *api.GetGroupPolicyInput) (*api.GetGroupPolicyOutput, error) {
	p, document, err := s.get(ctx, Group, *in.GroupName, *in.PolicyName)
	return &api.GetGroupPolicyOutput{GroupName: &p.Name, PolicyName: in.PolicyName, PolicyDocument: document}, err
}

// DeleteRolePolicy removes an inline policy of a role.
func (s *Service) DeleteRolePolicy(ctx context.Context, in *api.DeleteRolePolicyInput) (*api.DeleteRolePolicyOutput, error) {
	return nil, s.drop(ctx, Role, *in.RoleName, *in.PolicyName)
}

// DeleteUserPolicy removes an inline policy of a user.
func (s *Service) DeleteUserPolicy(ctx context.Context, in *api.DeleteUserPolicyInput) (*api.DeleteUserPolicyOutput, error) {
	return nil, s.drop(ctx, User, *in.UserName, *in.PolicyName)
}

// DeleteGroupPolicy removes an inline policy of a group.
func (s *Service) DeleteGroupPolicy(ctx context.Context, in *api.DeleteGroupPolicyInput) (*api.DeleteGroupPolicyOutput, error) {
	return nil, s.drop(ctx, Group, *in.GroupName, *in.PolicyName)
}

// ListRolePolicies lists the names of a role's inline policies.
func (s *Service) ListRolePolicies(ctx context.Context, in *api.ListRolePoliciesInput) (*api.ListRolePoliciesOutput, error) {
	names, next, err := s.inlineNames(ctx, Role, *in.RoleName, in.Marker, in.MaxItems)
	return &api.ListRolePoliciesOutput{PolicyNames: names, Marker: next, IsTruncated: new(next != nil)}, err
}

// ListUserPolicies lists the names of a user's inline policies.
func (s *Service) ListUserPolicies(ctx context.Context, in *api.ListUserPoliciesInput) (*api.ListUserPoliciesOutput, error) {
	names, next, err := s.inlineNames(ctx, User, *in.UserName, in.Marker, in.MaxItems)
	return &api.ListUserPoliciesOutput{PolicyNames: names, Marker: next, IsTruncated: new(next != nil)}, err
}

// ListGroupPolicies lists the names of a group's inline policies.
func (s *Service) ListGroupPolicies(ctx context.Context, in *api.ListGroupPoliciesInput) (*api.ListGroupPoliciesOutput, error) {
	names, next, err := s.inlineNames(ctx, Group, *in.GroupName, in.Marker, in.MaxItems)
	return &api.ListGroupPoliciesOutput{PolicyNames: names, Marker: next, IsTruncated: new(next != nil)}, err
}
