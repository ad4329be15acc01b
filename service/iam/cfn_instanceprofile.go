package iam

import (
	"context"

	"github.com/slipway-dev/slipway/kernel/cfn"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

type profileProperties struct {
	InstanceProfileName string   `cfn:"id,createOnly"`
	Path                string   `cfn:"createOnly"`
	Roles               []string `cfn:"required"`
	Arn                 string   `cfn:"readOnly"`
}

type profileResource struct{ s *Service }

func (r profileResource) Create(ctx context.Context, p *profileProperties) error {
	name := p.InstanceProfileName
	if name == "" {
		name = generated(ctx, 128)
	}
	_, err := r.s.CreateInstanceProfile(ctx, &api.CreateInstanceProfileInput{InstanceProfileName: &name, Path: optional(p.Path), Tags: tagset.List[api.Tag](owned(ctx, nil))})
	row, getErr := Profiles.Get(r.s.store.Snapshot(), profileKey(account(ctx), name))
	if is(err, "EntityAlreadyExists") && getErr == nil && ours(ctx, row.Tags) {
		err = nil
	}
	if err != nil {
		return err
	}
	p.InstanceProfileName, p.Arn = name, row.ARN()
	return cfn.HalfMade(r.roles(ctx, name, row.Role, p.Roles))
}

// roles exchanges the role that is in for the one that should be.
func (r profileResource) roles(ctx context.Context, name, have string, want []string) error {
	if len(want) == 1 && want[0] == have {
		return nil
	}
	if have != "" {
		if _, err := r.s.RemoveRoleFromInstanceProfile(ctx, &api.RemoveRoleFromInstanceProfileInput{InstanceProfileName: &name, RoleName: &have}); gone(err) != nil {
			return err
		}
	}
	for _, role := range want {
		if _, err := r.s.AddRoleToInstanceProfile(ctx, &api.AddRoleToInstanceProfileInput{InstanceProfileName: &name, RoleName: &role}); err != nil {
			return err
		}
	}
	return nil
}

func (r profileResource) Read(ctx context.Context, p *profileProperties) error {
	row, err := Profiles.Get(r.s.store.Snapshot(), profileKey(account(ctx), p.InstanceProfileName))
	if err != nil {
		return noSuchProfile(p.InstanceProfileName)
	}
	*p = profileProperties{InstanceProfileName: row.Name, Path: row.Path, Arn: row.ARN()}
	if row.Role != "" {
		p.Roles = []string{row.Role}
	}
	return nil
}

func (r profileResource) Update(ctx context.Context, _, after *profileProperties) error {
	row, err := Profiles.Get(r.s.store.Snapshot(), profileKey(account(ctx), after.InstanceProfileName))
	if err != nil {
		return noSuchProfile(after.InstanceProfileName)
	}
	return r.roles(ctx, row.Name, row.Role, after.Roles)
}

func (r profileResource) Delete(ctx context.Context, p *profileProperties) error {
	row, err := Profiles.Get(r.s.store.Snapshot(), profileKey(account(ctx), p.InstanceProfileName))
	if err != nil {
		return nil
	}
	if err := r.roles(ctx, row.Name, row.Role, nil); err != nil {
		return err
	}
	_, err = r.s.DeleteInstanceProfile(ctx, &api.DeleteInstanceProfileInput{InstanceProfileName: &row.Name})
	return gone(err)
}
