package iam

import (
	"context"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// bound sets or, with an empty ARN, removes the permissions boundary.
func (s *Service) bound(ctx context.Context, k Kind, name, policy string) error {
	return s.change(ctx, k, name, func(tx *store.Tx, p *Principal) error {
		if _, ok := findPolicy(tx, p.Account, policy); !ok && policy != "" {
			return notAttachable(policy)
		}
		p.Boundary = policy
		return nil
	})
}

// PutRolePermissionsBoundary sets the most a role may do.
func (s *Service) PutRolePermissionsBoundary(ctx context.Context, in *api.PutRolePermissionsBoundaryInput) (*api.PutRolePermissionsBoundaryOutput, error) {
	return nil, s.bound(ctx, Role, *in.RoleName, *in.PermissionsBoundary)
}

// DeleteRolePermissionsBoundary removes the boundary of a role.
func (s *Service) DeleteRolePermissionsBoundary(ctx context.Context, in *api.DeleteRolePermissionsBoundaryInput) (*api.DeleteRolePermissionsBoundaryOutput, error) {
	return nil, s.bound(ctx, Role, *in.RoleName, "")
}

// PutUserPermissionsBoundary sets the most a user may do.
func (s *Service) PutUserPermissionsBoundary(ctx context.Context, in *api.PutUserPermissionsBoundaryInput) (*api.PutUserPermissionsBoundaryOutput, error) {
	return nil, s.bound(ctx, User, *in.UserName, *in.PermissionsBoundary)
}

// DeleteUserPermissionsBoundary removes the boundary of a user.
func (s *Service) DeleteUserPermissionsBoundary(ctx context.Context, in *api.DeleteUserPermissionsBoundaryInput) (*api.DeleteUserPermissionsBoundaryOutput, error) {
	return nil, s.bound(ctx, User, *in.UserName, "")
}
