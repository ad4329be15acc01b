package iam

import (
	"context"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// CreateRole makes a role that the principals of its trust policy may assume.
func (s *Service) CreateRole(ctx context.Context, in *api.CreateRoleInput) (*api.CreateRoleOutput, error) {
	tags, err := retagged(ctx, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	p := Principal{
		Account: account(ctx), Kind: Role, Name: *in.RoleName, Path: pathOr(in.Path), ID: id(ctx, "AROA"), Created: now(),
		Tags: tags, Boundary: text(in.PermissionsBoundary), Description: text(in.Description),
		MaxSession: 3600, Trust: *in.AssumeRolePolicyDocument,
	}
	if in.MaxSessionDuration != nil {
		p.MaxSession = int(*in.MaxSessionDuration)
	}
	if err := s.create(p); err != nil {
		return nil, err
	}
	return &api.CreateRoleOutput{Role: new(roleAnswer(p))}, nil
}

// GetRole tells about a role.
func (s *Service) GetRole(ctx context.Context, in *api.GetRoleInput) (*api.GetRoleOutput, error) {
	p, err := principal(s.store.Snapshot(), account(ctx), Role, *in.RoleName)
	if err != nil {
		return nil, err
	}
	r := roleAnswer(p)
	r.RoleLastUsed = &api.RoleLastUsed{}
	return &api.GetRoleOutput{Role: &r}, nil
}

// ListRoles lists the roles below a path, without their tags.
func (s *Service) ListRoles(ctx context.Context, in *api.ListRolesInput) (*api.ListRolesOutput, error) {
	found, next, err := s.list(ctx, Role, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &api.ListRolesOutput{Roles: []api.Role{}, Marker: next, IsTruncated: new(next != nil)}
	for _, p := range found {
		r := roleAnswer(p)
		r.Tags, r.PermissionsBoundary = nil, nil
		out.Roles = append(out.Roles, r)
	}
	return out, nil
}

// DeleteRole deletes a role that has no policies and is in no instance profile.
func (s *Service) DeleteRole(ctx context.Context, in *api.DeleteRoleInput) (*api.DeleteRoleOutput, error) {
	return nil, s.remove(ctx, Role, *in.RoleName, func(tx *store.Tx, p Principal) error {
		for range Profiles.By(tx, "role", Principals.Key(p)) {
			return conflict("Cannot delete entity, must remove roles from instance profile first.")
		}
		return nil
	})
}

// UpdateRole changes description and session length; an absent description is
// removed.
func (s *Service) UpdateRole(ctx context.Context, in *api.UpdateRoleInput) (*api.UpdateRoleOutput, error) {
	return nil, s.change(ctx, Role, *in.RoleName, func(_ *store.Tx, p *Principal) error {
		p.Description = text(in.Description)
		if in.MaxSessionDuration != nil {
			p.MaxSession = int(*in.MaxSessionDuration)
		}
		return nil
	})
}

// UpdateRoleDescription changes the description.
func (s *Service) UpdateRoleDescription(ctx context.Context, in *api.UpdateRoleDescriptionInput) (*api.UpdateRoleDescriptionOutput, error) {
	out := &api.UpdateRoleDescriptionOutput{}
	return out, s.change(ctx, Role, *in.RoleName, func(_ *store.Tx, p *Principal) error {
		p.Description = *in.Description
		out.Role = new(roleAnswer(*p))
		return nil
	})
}

// UpdateAssumeRolePolicy replaces the trust policy.
func (s *Service) UpdateAssumeRolePolicy(ctx context.Context, in *api.UpdateAssumeRolePolicyInput) (*api.UpdateAssumeRolePolicyOutput, error) {
	return nil, s.change(ctx, Role, *in.RoleName, func(tx *store.Tx, p *Principal) error {
		if err := checkTrust(*in.PolicyDocument, knownIn(tx, p.Account)); err != nil {
			return err
		}
		p.Trust = *in.PolicyDocument
		return nil
	})
}

func roleAnswer(p Principal) api.Role {
	r := api.Role{
		Path: &p.Path, RoleName: &p.Name, RoleId: &p.ID, Arn: new(p.ARN()), CreateDate: &p.Created,
		AssumeRolePolicyDocument: encoded(p.Trust), Description: optional(p.Description),
		MaxSessionDuration: new(int32(p.MaxSession)), PermissionsBoundary: boundary(p), Tags: shown(p.Tags),
	}
	return r
}

func boundary(p Principal) *api.AttachedPermissionsBoundary {
	if p.Boundary == "" {
		return nil
	}
	return &api.AttachedPermissionsBoundary{PermissionsBoundaryArn: &p.Boundary, PermissionsBoundaryType: "Policy"}
}
