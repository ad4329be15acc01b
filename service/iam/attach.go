package iam

import (
	"context"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// attachedMost is AWS's default quota of managed policies per principal.
const attachedMost = 10

var quotaNames = map[Kind]string{Role: "PoliciesPerRole", User: "PoliciesPerUser", Group: "PoliciesPerGroup"}

// attach attaches a managed policy; twice is once.
func (s *Service) attach(ctx context.Context, k Kind, name, policy string) error {
	return s.change(ctx, k, name, func(tx *store.Tx, p *Principal) error {
		if _, ok := findPolicy(tx, p.Account, policy); !ok {
			return notAttachable(policy)
		}
		if slices.Contains(p.Attached, policy) {
			return nil
		}
		if len(p.Attached) >= attachedMost {
			return quota(quotaNames[k], attachedMost)
		}
		p.Attached = append(slices.Clone(p.Attached), policy)
		return nil
	})
}

func (s *Service) detach(ctx context.Context, k Kind, name, policy string) error {
	return s.change(ctx, k, name, func(_ *store.Tx, p *Principal) error {
		if !slices.Contains(p.Attached, policy) {
			return notAttached(policy)
		}
		p.Attached = minus(p.Attached, policy)
		return nil
	})
}

// attached is one page of what is attached, below a path.
func (s *Service) attached(ctx context.Context, k Kind, name string, prefix, marker *string, max *int32) ([]api.AttachedPolicy, *string, error) {
	snap := s.store.Snapshot()
	p, err := principal(snap, account(ctx), k, name)
	if err != nil {
		return nil, nil, err
	}
	found := []api.AttachedPolicy{}
	for _, a := range p.Attached {
		policy, ok := findPolicy(snap, p.Account, a)
		if ok && strings.HasPrefix(policy.Path, pathOr(prefix)) {
			found = append(found, api.AttachedPolicy{PolicyName: &policy.Name, PolicyArn: &a})
		}
	}
	return page(found, func(a api.AttachedPolicy) string { return *a.PolicyArn }, marker, max)
}

// AttachRolePolicy attaches a managed policy to a role.
func (s *Service) AttachRolePolicy(ctx context.Context, in *api.AttachRolePolicyInput) (*api.AttachRolePolicyOutput, error) {
	return nil, s.attach(ctx, Role, *in.RoleName, *in.PolicyArn)
}

// AttachUserPolicy attaches a managed policy to a user.
func (s *Service) AttachUserPolicy(ctx context.Context, in *api.AttachUserPolicyInput) (*api.AttachUserPolicyOutput, error) {
	return nil, s.attach(ctx, User, *in.UserName, *in.PolicyArn)
}

// AttachGroupPolicy attaches a managed policy to a group.
func (s *Service) AttachGroupPolicy(ctx context.Context, in *api.AttachGroupPolicyInput) (*api.AttachGroupPolicyOutput, error) {
	return nil, s.attach(ctx, Group, *in.GroupName, *in.PolicyArn)
}

// DetachRolePolicy detaches a managed policy from a role.
func (s *Service) DetachRolePolicy(ctx context.Context, in *api.DetachRolePolicyInput) (*api.DetachRolePolicyOutput, error) {
	return nil, s.detach(ctx, Role, *in.RoleName, *in.PolicyArn)
}

// DetachUserPolicy detaches a managed policy from a user.
func (s *Service) DetachUserPolicy(ctx context.Context, in *api.DetachUserPolicyInput) (*api.DetachUserPolicyOutput, error) {
	return nil, s.detach(ctx, User, *in.UserName, *in.PolicyArn)
}

// DetachGroupPolicy detaches a managed policy from a group.
func (s *Service) DetachGroupPolicy(ctx context.Context, in *api.DetachGroupPolicyInput) (*api.DetachGroupPolicyOutput, error) {
	return nil, s.detach(ctx, Group, *in.GroupName, *in.PolicyArn)
}

// ListAttachedRolePolicies lists the managed policies of a role.
func (s *Service) ListAttachedRolePolicies(ctx context.Context, in *api.ListAttachedRolePoliciesInput) (*api.ListAttachedRolePoliciesOutput, error) {
	found, next, err := s.attached(ctx, Role, *in.RoleName, in.PathPrefix, in.Marker, in.MaxItems)
	return &api.ListAttachedRolePoliciesOutput{AttachedPolicies: found, Marker: next, IsTruncated: new(next != nil)}, err
}

// ListAttachedUserPolicies lists the managed policies of a user.
func (s *Service) ListAttachedUserPolicies(ctx context.Context, in *api.ListAttachedUserPoliciesInput) (*api.ListAttachedUserPoliciesOutput, error) {
	found, next, err := s.attached(ctx, User, *in.UserName, in.PathPrefix, in.Marker, in.MaxItems)
	return &api.ListAttachedUserPoliciesOutput{AttachedPolicies: found, Marker: next, IsTruncated: new(next != nil)}, err
}

// ListAttachedGroupPolicies lists the managed policies of a group.
func (s *Service) ListAttachedGroupPolicies(ctx context.Context, in *api.ListAttachedGroupPoliciesInput) (*api.ListAttachedGroupPoliciesOutput, error) {
	found, next, err := s.attached(ctx, Group, *in.GroupName, in.PathPrefix, in.Marker, in.MaxItems)
	return &api.ListAttachedGroupPoliciesOutput{AttachedPolicies: found, Marker: next, IsTruncated: new(next != nil)}, err
}
