package iam

import (
	"context"
	"slices"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// CreateGroup makes a group of users.
func (s *Service) CreateGroup(ctx context.Context, in *api.CreateGroupInput) (*api.CreateGroupOutput, error) {
	p := Principal{Account: account(ctx), Kind: Group, Name: *in.GroupName, Path: pathOr(in.Path), ID: id(ctx, "AGPA"), Created: now()}
	if err := s.create(p); err != nil {
		return nil, err
	}
	return &api.CreateGroupOutput{Group: new(groupAnswer(p))}, nil
}

// GetGroup tells about a group and who is in it.
func (s *Service) GetGroup(ctx context.Context, in *api.GetGroupInput) (*api.GetGroupOutput, error) {
	snap := s.store.Snapshot()
	p, err := principal(snap, account(ctx), Group, *in.GroupName)
	if err != nil {
		return nil, err
	}
	members, next, err := page(slices.Collect(Principals.By(snap, "group", Principals.Key(p))), Principals.Key, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &api.GetGroupOutput{Group: new(groupAnswer(p)), Users: []api.User{}, Marker: next, IsTruncated: new(next != nil)}
	for _, m := range members {
		out.Users = append(out.Users, userAnswer(m))
	}
	return out, nil
}

// ListGroups lists the groups below a path.
func (s *Service) ListGroups(ctx context.Context, in *api.ListGroupsInput) (*api.ListGroupsOutput, error) {
	found, next, err := s.list(ctx, Group, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &api.ListGroupsOutput{Groups: []api.Group{}, Marker: next, IsTruncated: new(next != nil)}
	for _, p := range found {
		out.Groups = append(out.Groups, groupAnswer(p))
	}
	return out, nil
}

// DeleteGroup deletes a group that has no policies and no users.
func (s *Service) DeleteGroup(ctx context.Context, in *api.DeleteGroupInput) (*api.DeleteGroupOutput, error) {
	return nil, s.remove(ctx, Group, *in.GroupName, func(tx *store.Tx, p Principal) error {
		for range Principals.By(tx, "group", Principals.Key(p)) {
			return conflict("Cannot delete entity, must remove users from group first.")
		}
		return nil
	})
}

// AddUserToGroup puts a user into a group; twice is once.
func (s *Service) AddUserToGroup(ctx context.Context, in *api.AddUserToGroupInput) (*api.AddUserToGroupOutput, error) {
	return nil, s.change(ctx, User, *in.UserName, func(tx *store.Tx, p *Principal) error {
		g, err := principal(tx, p.Account, Group, *in.GroupName)
		if err != nil {
			return err
		}
		if !slices.Contains(p.Groups, g.Name) {
			p.Groups = append(slices.Clone(p.Groups), g.Name)
		}
		return nil
	})
}

// RemoveUserFromGroup takes a user out of a group.
func (s *Service) RemoveUserFromGroup(ctx context.Context, in *api.RemoveUserFromGroupInput) (*api.RemoveUserFromGroupOutput, error) {
	return nil, s.change(ctx, User, *in.UserName, func(tx *store.Tx, p *Principal) error {
		g, err := principal(tx, p.Account, Group, *in.GroupName)
		if err != nil {
			return err
		}
		p.Groups = minus(p.Groups, g.Name)
		return nil
	})
}

// ListGroupsForUser lists the groups a user is in.
func (s *Service) ListGroupsForUser(ctx context.Context, in *api.ListGroupsForUserInput) (*api.ListGroupsForUserOutput, error) {
	snap := s.store.Snapshot()
	p, err := principal(snap, account(ctx), User, *in.UserName)
	if err != nil {
		return nil, err
	}
	names, next, err := page(slices.Sorted(slices.Values(p.Groups)), func(n string) string { return n }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &api.ListGroupsForUserOutput{Groups: []api.Group{}, Marker: next, IsTruncated: new(next != nil)}
	for _, n := range names {
		if g, err := principal(snap, p.Account, Group, n); err == nil {
			out.Groups = append(out.Groups, groupAnswer(g))
		}
	}
	return out, nil
}

func groupAnswer(p Principal) api.Group {
	return api.Group{Path: &p.Path, GroupName: &p.Name, GroupId: &p.ID, Arn: new(p.ARN()), CreateDate: &p.Created}
}
