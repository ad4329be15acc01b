package iam

import (
	"context"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// changeProfile puts what fn makes of an instance profile; nil deletes it.
func (s *Service) changeProfile(ctx context.Context, name string, fn func(*store.Tx, Profile) (*Profile, error)) error {
	return s.store.Update(func(tx *store.Tx) error {
		p, err := Profiles.Get(tx, profileKey(account(ctx), name))
		if err != nil {
			return noSuchProfile(name)
		}
		after, err := fn(tx, p)
		if err != nil {
			return err
		}
		if after == nil {
			Profiles.Delete(tx, Profiles.Key(p))
			return nil
		}
		Profiles.Put(tx, *after)
		return nil
	})
}

// CreateInstanceProfile makes an instance profile without a role.
func (s *Service) CreateInstanceProfile(ctx context.Context, in *api.CreateInstanceProfileInput) (*api.CreateInstanceProfileOutput, error) {
	tags, err := retagged(ctx, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	if err := checkPath(pathOr(in.Path)); err != nil {
		return nil, err
	}
	p := Profile{Account: account(ctx), Name: *in.InstanceProfileName, Path: pathOr(in.Path), ID: id(ctx, "AIPA"), Created: now(), Tags: tags}
	err = s.store.Update(func(tx *store.Tx) error {
		if Profiles.Create(tx, p) != nil {
			return profileExists(p.Name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateInstanceProfileOutput{InstanceProfile: new(profileAnswer(s.store.Snapshot(), p))}, nil
}

// GetInstanceProfile tells about an instance profile and its role.
func (s *Service) GetInstanceProfile(ctx context.Context, in *api.GetInstanceProfileInput) (*api.GetInstanceProfileOutput, error) {
	snap := s.store.Snapshot()
	p, err := Profiles.Get(snap, profileKey(account(ctx), *in.InstanceProfileName))
	if err != nil {
		return nil, noSuchProfile(*in.InstanceProfileName)
	}
	return &api.GetInstanceProfileOutput{InstanceProfile: new(profileAnswer(snap, p))}, nil
}

// ListInstanceProfiles lists the instance profiles below a path.
func (s *Service) ListInstanceProfiles(ctx context.Context, in *api.ListInstanceProfilesInput) (*api.ListInstanceProfilesOutput, error) {
	snap := s.store.Snapshot()
	all := slices.Collect(Profiles.List(snap, global(account(ctx)).Key("profile", "")))
	all = slices.DeleteFunc(all, func(p Profile) bool { return !strings.HasPrefix(p.Path, pathOr(in.PathPrefix)) })
	found, next, err := page(all, Profiles.Key, in.Marker, in.MaxItems)
	return &api.ListInstanceProfilesOutput{InstanceProfiles: profileAnswers(snap, found), Marker: next, IsTruncated: new(next != nil)}, err
}

// ListInstanceProfilesForRole lists the instance profiles a role is in.
func (s *Service) ListInstanceProfilesForRole(ctx context.Context, in *api.ListInstanceProfilesForRoleInput) (*api.ListInstanceProfilesForRoleOutput, error) {
	snap := s.store.Snapshot()
	role, err := principal(snap, account(ctx), Role, *in.RoleName)
	if err != nil {
		return nil, err
	}
	found, next, err := page(slices.Collect(Profiles.By(snap, "role", Principals.Key(role))), Profiles.Key, in.Marker, in.MaxItems)
	return &api.ListInstanceProfilesForRoleOutput{InstanceProfiles: profileAnswers(snap, found), Marker: next, IsTruncated: new(next != nil)}, err
}

// AddRoleToInstanceProfile puts the one role in that a profile can have.
func (s *Service) AddRoleToInstanceProfile(ctx context.Context, in *api.AddRoleToInstanceProfileInput) (*api.AddRoleToInstanceProfileOutput, error) {
	return nil, s.changeProfile(ctx, *in.InstanceProfileName, func(tx *store.Tx, p Profile) (*Profile, error) {
		role, err := principal(tx, p.Account, Role, *in.RoleName)
		if err != nil {
			return nil, err
		}
		if p.Role != "" {
			return nil, quota("InstanceSessionsPerInstanceProfile", 1)
		}
		p.Role = role.Name
		return &p, nil
	})
}

// RemoveRoleFromInstanceProfile takes the role out.
func (s *Service) RemoveRoleFromInstanceProfile(ctx context.Context, in *api.RemoveRoleFromInstanceProfileInput) (*api.RemoveRoleFromInstanceProfileOutput, error) {
	return nil, s.changeProfile(ctx, *in.InstanceProfileName, func(_ *store.Tx, p Profile) (*Profile, error) {
		if !strings.EqualFold(p.Role, *in.RoleName) {
			return nil, noSuch(Role, *in.RoleName)
		}
		p.Role = ""
		return &p, nil
	})
}

// DeleteInstanceProfile deletes an instance profile without a role.
func (s *Service) DeleteInstanceProfile(ctx context.Context, in *api.DeleteInstanceProfileInput) (*api.DeleteInstanceProfileOutput, error) {
	return nil, s.changeProfile(ctx, *in.InstanceProfileName, func(_ *store.Tx, p Profile) (*Profile, error) {
		if p.Role != "" {
			return nil, conflict("Cannot delete entity, must remove roles from instance profile first.")
		}
		return nil, nil
	})
}

func profileAnswers(r store.Reader, all []Profile) []api.InstanceProfile {
	out := []api.InstanceProfile{}
	for _, p := range all {
		a := profileAnswer(r, p)
		a.Tags = nil
		out = append(out, a)
	}
	return out
}

func profileAnswer(r store.Reader, p Profile) api.InstanceProfile {
	a := api.InstanceProfile{
		Path: &p.Path, InstanceProfileName: &p.Name, InstanceProfileId: &p.ID, Arn: new(p.ARN()),
		CreateDate: &p.Created, Roles: []api.Role{}, Tags: shown(p.Tags),
	}
	if role, err := GetRole(r, p.Account, p.Role); p.Role != "" && err == nil {
		a.Roles = append(a.Roles, roleAnswer(role))
	}
	return a
}
