package iam

import (
	"context"
	"time"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

type managedProperties struct {
	PolicyArn         string `cfn:"id,readOnly"`
	ManagedPolicyName string `cfn:"createOnly"`
	Path              string `cfn:"createOnly"`
	Description       string `cfn:"createOnly"`
	PolicyDocument    any    `cfn:"required"`
	Roles             []string
	Users             []string
	Groups            []string
	PolicyID          string `json:"PolicyId" cfn:"readOnly"`
	DefaultVersionID  string `json:"DefaultVersionId" cfn:"readOnly"`

	AttachmentCount               int    `cfn:"readOnly"`
	PermissionsBoundaryUsageCount int    `cfn:"readOnly"`
	IsAttachable                  bool   `cfn:"readOnly"`
	CreateDate                    string `cfn:"readOnly"`
	UpdateDate                    string `cfn:"readOnly"`
}

func (p *managedProperties) holders() holders { return holders{p.Roles, p.Users, p.Groups} }

type managedResource struct{ s *Service }

func (r managedResource) Create(ctx context.Context, p *managedProperties) error {
	if p.ManagedPolicyName == "" {
		p.ManagedPolicyName = generated(ctx, 128)
	}
	text, err := document(p.PolicyDocument)
	if err != nil {
		return err
	}
	_, err = r.s.CreatePolicy(ctx, &api.CreatePolicyInput{
		PolicyName: &p.ManagedPolicyName, Path: optional(p.Path), Description: optional(p.Description),
		PolicyDocument: text, Tags: tagset.List[api.Tag](owned(ctx, nil)),
	})
	row, getErr := Policies.Get(r.s.store.Snapshot(), policyKey(account(ctx), p.ManagedPolicyName))
	if is(err, "EntityAlreadyExists") && getErr == nil && ours(ctx, row.Tags) {
		err = nil
	}
	if err != nil {
		return err
	}
	p.PolicyArn, p.PolicyID, p.DefaultVersionID, p.IsAttachable = row.ARN(), row.ID, row.Default, true
	p.CreateDate, p.UpdateDate, p.AttachmentCount = row.Created.Format(time.RFC3339), row.Updated.Format(time.RFC3339), len(p.Roles)+len(p.Users)+len(p.Groups)
	return p.holders().each(func(k Kind, name string) error { return r.s.attach(ctx, k, name, p.PolicyArn) })
}

func (r managedResource) Read(ctx context.Context, p *managedProperties) error {
	snap := r.s.store.Snapshot()
	row, ok := findPolicy(snap, account(ctx), p.PolicyArn)
	if !ok {
		return noSuchPolicy(p.PolicyArn)
	}
	v, _ := row.Version(row.Default)
	*p = managedProperties{
		PolicyArn: row.ARN(), ManagedPolicyName: row.Name, Path: row.Path, Description: row.Description,
		PolicyDocument: parsed(v.Document), PolicyID: row.ID, DefaultVersionID: row.Default, IsAttachable: true,
		CreateDate: row.Created.Format(time.RFC3339), UpdateDate: row.Updated.Format(time.RFC3339), AttachmentCount: attachments(snap, row.Account, row.ARN()),
	}
	for h := range Principals.By(snap, "policy", row.Account+" "+p.PolicyArn) {
		switch h.Kind {
		case Role:
			p.Roles = append(p.Roles, h.Name)
		case User:
			p.Users = append(p.Users, h.Name)
		case Group:
			p.Groups = append(p.Groups, h.Name)
		}
	}
	return nil
}

func (r managedResource) Update(ctx context.Context, before, after *managedProperties) error {
	text, err := document(after.PolicyDocument)
	if err != nil {
		return err
	}
	if err := r.makeRoom(ctx, after.PolicyArn); err != nil {
		return err
	}
	out, err := r.s.CreatePolicyVersion(ctx, &api.CreatePolicyVersionInput{PolicyArn: &after.PolicyArn, PolicyDocument: text, SetAsDefault: new(true)})
	if err != nil {
		return err
	}
	after.DefaultVersionID = *out.PolicyVersion.VersionId
	if err := after.holders().each(func(k Kind, name string) error { return r.s.attach(ctx, k, name, after.PolicyArn) }); err != nil {
		return err
	}
	return r.detach(ctx, after.PolicyArn, before.holders().minus(after.holders()))
}

// makeRoom deletes the oldest version that is not the default when no more fit.
func (r managedResource) makeRoom(ctx context.Context, arn string) error {
	return r.s.changePolicy(ctx, arn, func(_ *store.Tx, p Policy) (*Policy, error) {
		for i, v := range p.Versions {
			if len(p.Versions) >= versionsMost && v.ID != p.Default {
				p.Versions = append(append([]Version(nil), p.Versions[:i]...), p.Versions[i+1:]...)
				break
			}
		}
		return &p, nil
	})
}

func (r managedResource) Delete(ctx context.Context, p *managedProperties) error {
	if err := r.detach(ctx, p.PolicyArn, p.holders()); err != nil {
		return err
	}
	return gone(r.s.changePolicy(ctx, p.PolicyArn, func(tx *store.Tx, row Policy) (*Policy, error) {
		if attachments(tx, row.Account, row.ARN()) > 0 {
			return nil, conflict("Cannot delete a policy attached to entities.")
		}
		return nil, nil
	}))
}

func (r managedResource) detach(ctx context.Context, arn string, from holders) error {
	return from.each(func(k Kind, name string) error { return gone(r.s.detach(ctx, k, name, arn)) })
}
