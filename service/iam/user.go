package iam

import (
	"context"
	"strings"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// CreateUser makes a user without access keys.
func (s *Service) CreateUser(ctx context.Context, in *api.CreateUserInput) (*api.CreateUserOutput, error) {
	tags, err := retagged(ctx, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	p := Principal{
		Account: account(ctx), Kind: User, Name: *in.UserName, Path: pathOr(in.Path), ID: id(ctx, "AIDA"),
		Created: now(), Tags: tags, Boundary: text(in.PermissionsBoundary),
	}
	if err := s.create(p); err != nil {
		return nil, err
	}
	return &api.CreateUserOutput{User: new(userAnswer(p))}, nil
}

// GetUser tells about a user, or about the caller when no name is given.
func (s *Service) GetUser(ctx context.Context, in *api.GetUserInput) (*api.GetUserOutput, error) {
	if in.UserName == nil {
		return s.callingUser(ctx)
	}
	p, err := principal(s.store.Snapshot(), account(ctx), User, *in.UserName)
	if err != nil {
		return nil, err
	}
	return &api.GetUserOutput{User: new(userAnswer(p))}, nil
}

func (s *Service) callingUser(ctx context.Context) (*api.GetUserOutput, error) {
	c := awsapi.CallerOf(ctx)
	a, err := arn.Parse(c.ARN)
	if err != nil || a.Resource == "root" {
		u := api.User{UserId: &c.Account, Arn: new(c.GlobalARN("iam", "root")), CreateDate: new(now())}
		for k := range Keys.List(s.store.Snapshot(), global(c.Account).Key("key", "")) {
			if k.Root {
				u.CreateDate = &k.Created
			}
		}
		return &api.GetUserOutput{User: &u}, nil
	}
	if !strings.HasPrefix(a.Resource, "user/") {
		return nil, validation("Must specify userName when calling with non-User credentials")
	}
	p, err := principal(s.store.Snapshot(), c.Account, User, a.Name())
	if err != nil {
		return nil, err
	}
	return &api.GetUserOutput{User: new(userAnswer(p))}, nil
}

// ListUsers lists the users below a path, without their tags.
func (s *Service) ListUsers(ctx context.Context, in *api.ListUsersInput) (*api.ListUsersOutput, error) {
	found, next, err := s.list(ctx, User, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &api.ListUsersOutput{Users: []api.User{}, Marker: next, IsTruncated: new(next != nil)}
	for _, p := range found {
		u := userAnswer(p)
		u.Tags, u.PermissionsBoundary = nil, nil
		out.Users = append(out.Users, u)
	}
	return out, nil
}

// DeleteUser deletes a user that has no policies, no keys and no groups.
func (s *Service) DeleteUser(ctx context.Context, in *api.DeleteUserInput) (*api.DeleteUserOutput, error) {
	return nil, s.remove(ctx, User, *in.UserName, func(tx *store.Tx, p Principal) error {
		for range Keys.By(tx, "user", Principals.Key(p)) {
			return conflict("Cannot delete entity, must delete access keys first.")
		}
		if len(p.Groups) > 0 {
			return conflict("Cannot delete entity, must remove users from group first.")
		}
		return nil
	})
}

func userAnswer(p Principal) api.User {
	return api.User{
		Path: &p.Path, UserName: &p.Name, UserId: &p.ID, Arn: new(p.ARN()), CreateDate: &p.Created,
		PermissionsBoundary: boundary(p), Tags: shown(p.Tags),
	}
}
