package iam

import (
	"context"
	"slices"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

type roleProperties struct {
	RoleName                 string `cfn:"id,createOnly"`
	AssumeRolePolicyDocument any    `cfn:"required"`
	Path                     string `cfn:"createOnly"`
	Description              string
	ManagedPolicyArns        []string
	MaxSessionDuration       *int32
	PermissionsBoundary      string
	Policies                 []rolePolicy
	Tags                     []cfn.Tag
	Arn                      string `cfn:"readOnly"`
	RoleID                   string `json:"RoleId" cfn:"readOnly"`
}

type rolePolicy struct {
	PolicyName     string `cfn:"required"`
	PolicyDocument any    `cfn:"required"`
}

type roleResource struct{ s *Service }

func (r roleResource) Create(ctx context.Context, p *roleProperties) error {
	if p.RoleName == "" {
		p.RoleName = generated(ctx, 64)
	}
	trust, err := document(p.AssumeRolePolicyDocument)
	if err != nil {
		return err
	}
	name := p.RoleName
	_, err = r.s.CreateRole(ctx, &api.CreateRoleInput{
		RoleName: &name, AssumeRolePolicyDocument: trust, Path: optional(p.Path), Description: optional(p.Description),
		MaxSessionDuration: p.MaxSessionDuration, PermissionsBoundary: optional(p.PermissionsBoundary), Tags: tagset.List[api.Tag](owned(ctx, p.Tags)),
	})
	if is(err, "EntityAlreadyExists") {
		if row, getErr := GetRole(r.s.store.Snapshot(), account(ctx), name); getErr == nil && ours(ctx, row.Tags) {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	if err := r.policies(ctx, name, nil, p); err != nil {
		return cfn.HalfMade(err)
	}
	row, err := principal(r.s.store.Snapshot(), account(ctx), Role, name)
	p.Arn, p.RoleID = row.ARN(), row.ID
	return err
}

// policies brings the role's policies from before, which may be nil, to after.
func (r roleResource) policies(ctx context.Context, name string, before, after *roleProperties) error {
	if before == nil {
		before = &roleProperties{}
	}
	for _, arn := range after.ManagedPolicyArns {
		if err := r.s.attach(ctx, Role, name, arn); err != nil {
			return err
		}
	}
	for _, arn := range before.ManagedPolicyArns {
		if !slices.Contains(after.ManagedPolicyArns, arn) {
			if err := gone(r.s.detach(ctx, Role, name, arn)); err != nil {
				return err
			}
		}
	}
	for _, in := range after.Policies {
		text, err := document(in.PolicyDocument)
		if err != nil {
			return err
		}
		if err := r.s.put(ctx, Role, name, in.PolicyName, *text); err != nil {
			return err
		}
	}
	for _, in := range before.Policies {
		if !slices.ContainsFunc(after.Policies, func(p rolePolicy) bool { return p.PolicyName == in.PolicyName }) {
			if err := gone(r.s.drop(ctx, Role, name, in.PolicyName)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r roleResource) Read(ctx context.Context, p *roleProperties) error {
	row, err := principal(r.s.store.Snapshot(), account(ctx), Role, p.RoleName)
	if err != nil {
		return err
	}
	mine := p.Policies // policies of AWS::IAM::Policy resources are not the role's
	*p = roleProperties{
		RoleName: row.Name, AssumeRolePolicyDocument: parsed(row.Trust), Path: row.Path, Description: row.Description,
		ManagedPolicyArns: row.Attached, MaxSessionDuration: new(int32(row.MaxSession)), PermissionsBoundary: row.Boundary,
		Tags: userTags(row.Tags), Arn: row.ARN(), RoleID: row.ID,
	}
	for _, in := range mine {
		if text, ok := row.Inline[in.PolicyName]; ok {
			p.Policies = append(p.Policies, rolePolicy{in.PolicyName, parsed(text)})
		}
	}
	return nil
}

func (r roleResource) Update(ctx context.Context, before, after *roleProperties) error {
	name := after.RoleName
	trust, err := document(after.AssumeRolePolicyDocument)
	if err != nil {
		return err
	}
	if _, err := r.s.UpdateAssumeRolePolicy(ctx, &api.UpdateAssumeRolePolicyInput{RoleName: &name, PolicyDocument: trust}); err != nil {
		return err
	}
	session := after.MaxSessionDuration
	if session == nil {
		session = new(int32(3600))
	}
	if _, err := r.s.UpdateRole(ctx, &api.UpdateRoleInput{RoleName: &name, Description: &after.Description, MaxSessionDuration: session}); err != nil {
		return err
	}
	if err := r.s.bound(ctx, Role, name, after.PermissionsBoundary); err != nil {
		return err
	}
	if err := r.policies(ctx, name, before, after); err != nil {
		return err
	}
	row, err := principal(r.s.store.Snapshot(), account(ctx), Role, name)
	if err != nil {
		return err
	}
	tags := owned(ctx, after.Tags)
	if err := r.s.untag(ctx, Role, name, removedTags(row.Tags, tags)); err != nil {
		return err
	}
	return r.s.tag(ctx, Role, name, tagset.List[api.Tag](tags))
}

func (r roleResource) Delete(ctx context.Context, p *roleProperties) error {
	if err := r.policies(ctx, p.RoleName, p, &roleProperties{}); err != nil {
		return err
	}
	_, err := r.s.DeleteRole(ctx, &api.DeleteRoleInput{RoleName: &p.RoleName})
	return gone(err)
}
