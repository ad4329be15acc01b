package iam

import (
	"context"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

const managedMost = 6144 // characters of a managed policy, white space not counted

// findPolicy finds a managed policy by ARN, the account's own or AWS's.
func findPolicy(r store.Reader, account, text string) (Policy, bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "policy/") {
		return Policy{}, false
	}
	if a.Account == "aws" {
		return awsPolicy(text)
	}
	p, err := Policies.Get(r, policyKey(a.Account, a.Name()))
	return p, err == nil && a.Account == account && p.ARN() == text
}

// changePolicy puts what fn makes of a customer's policy; nil deletes it.
func (s *Service) changePolicy(ctx context.Context, text string, fn func(*store.Tx, Policy) (*Policy, error)) error {
	return s.store.Update(func(tx *store.Tx) error {
		p, ok := findPolicy(tx, account(ctx), text)
		if !ok {
			return noSuchPolicy(text)
		}
		if p.Account == "aws" {
			return errAWSPolicy(text)
		}
		after, err := fn(tx, p)
		if err != nil {
			return err
		}
		if after == nil {
			Policies.Delete(tx, Policies.Key(p))
			return nil
		}
		Policies.Put(tx, *after)
		return nil
	})
}

// CreatePolicy makes a managed policy whose first version is the default.
func (s *Service) CreatePolicy(ctx context.Context, in *api.CreatePolicyInput) (*api.CreatePolicyOutput, error) {
	if err := checkManaged(*in.PolicyDocument, *in.PolicyName); err != nil {
		return nil, err
	}
	if err := checkPath(pathOr(in.Path)); err != nil {
		return nil, err
	}
	tags, err := retagged(ctx, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	p := Policy{
		Account: account(ctx), Name: *in.PolicyName, Path: pathOr(in.Path), ID: id(ctx, "ANPA"), Description: text(in.Description),
		Created: now(), Updated: now(), Default: "v1", Drawn: 1, Tags: tags,
		Versions: []Version{{ID: "v1", Document: *in.PolicyDocument, Created: now()}},
	}
	err = s.store.Update(func(tx *store.Tx) error {
		if Policies.Create(tx, p) != nil {
			return policyExists(p.Name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.CreatePolicyOutput{Policy: new(policyAnswer(s.store.Snapshot(), p.Account, p))}, nil
}

func checkManaged(document, name string) error {
	if err := checkPermissions(document); err != nil {
		return err
	}
	if weight(document) > managedMost {
		return tooBig(managedMost, "policy", name)
	}
	return nil
}

// GetPolicy tells about a managed policy, also one of AWS's.
func (s *Service) GetPolicy(ctx context.Context, in *api.GetPolicyInput) (*api.GetPolicyOutput, error) {
	snap := s.store.Snapshot()
	p, ok := findPolicy(snap, account(ctx), *in.PolicyArn)
	if !ok {
		return nil, noSuchPolicy(*in.PolicyArn)
	}
	return &api.GetPolicyOutput{Policy: new(policyAnswer(snap, account(ctx), p))}, nil
}

// ListPolicies lists the account's policies, AWS's, or both.
func (s *Service) ListPolicies(ctx context.Context, in *api.ListPoliciesInput) (*api.ListPoliciesOutput, error) {
	snap := s.store.Snapshot()
	var all []Policy
	if in.Scope != api.PolicyScopeTypeAws {
		all = slices.Collect(Policies.List(snap, global(account(ctx)).Key("policy", "")))
	}
	if in.Scope != api.PolicyScopeTypeLocal {
		all = append(all, awsPolicies()...)
	}
	all = slices.DeleteFunc(all, func(p Policy) bool {
		return !strings.HasPrefix(p.Path, pathOr(in.PathPrefix)) ||
			in.OnlyAttached != nil && *in.OnlyAttached && attachments(snap, account(ctx), p.ARN()) == 0
	})
	found, next, err := page(all, Policy.ARN, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &api.ListPoliciesOutput{Policies: []api.Policy{}, Marker: next, IsTruncated: new(next != nil)}
	for _, p := range found {
		a := policyAnswer(snap, account(ctx), p)
		a.Tags, a.Description = nil, nil
		out.Policies = append(out.Policies, a)
	}
	return out, nil
}

// DeletePolicy deletes a managed policy that nothing is attached to and that
// has only its default version.
func (s *Service) DeletePolicy(ctx context.Context, in *api.DeletePolicyInput) (*api.DeletePolicyOutput, error) {
	return nil, s.changePolicy(ctx, *in.PolicyArn, func(tx *store.Tx, p Policy) (*Policy, error) {
		if attachments(tx, p.Account, p.ARN()) > 0 {
			return nil, conflict("Cannot delete a policy attached to entities.")
		}
		if len(p.Versions) > 1 {
			return nil, conflict("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		return nil, nil
	})
}

// ListEntitiesForPolicy lists the roles, users and groups a policy is attached to.
func (s *Service) ListEntitiesForPolicy(ctx context.Context, in *api.ListEntitiesForPolicyInput) (*api.ListEntitiesForPolicyOutput, error) {
	snap := s.store.Snapshot()
	if _, ok := findPolicy(snap, account(ctx), *in.PolicyArn); !ok {
		return nil, noSuchPolicy(*in.PolicyArn)
	}
	var all []Principal
	for p := range Principals.By(snap, "policy", account(ctx)+" "+*in.PolicyArn) {
		if strings.HasPrefix(p.Path, pathOr(in.PathPrefix)) && wanted(in.EntityFilter, p.Kind) {
			all = append(all, p)
		}
	}
	found, next, err := page(all, Principals.Key, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &api.ListEntitiesForPolicyOutput{
		PolicyGroups: []api.PolicyGroup{}, PolicyUsers: []api.PolicyUser{}, PolicyRoles: []api.PolicyRole{},
		Marker: next, IsTruncated: new(next != nil),
	}
	for _, p := range found {
		switch p.Kind {
		case Role:
			out.PolicyRoles = append(out.PolicyRoles, api.PolicyRole{RoleName: &p.Name, RoleId: &p.ID})
		case User:
			out.PolicyUsers = append(out.PolicyUsers, api.PolicyUser{UserName: &p.Name, UserId: &p.ID})
		case Group:
			out.PolicyGroups = append(out.PolicyGroups, api.PolicyGroup{GroupName: &p.Name, GroupId: &p.ID})
		}
	}
	return out, nil
}

func wanted(filter api.EntityType, k Kind) bool {
	return filter == "" || strings.EqualFold(string(filter), string(k))
}

// attachments counts what a policy is attached to in the account.
func attachments(r store.Reader, account, policy string) int {
	n := 0
	for range Principals.By(r, "policy", account+" "+policy) {
		n++
	}
	return n
}

func policyAnswer(r store.Reader, account string, p Policy) api.Policy {
	return api.Policy{
		PolicyName: &p.Name, PolicyId: &p.ID, Arn: new(p.ARN()), Path: &p.Path, DefaultVersionId: &p.Default,
		AttachmentCount: new(int32(attachments(r, account, p.ARN()))), PermissionsBoundaryUsageCount: new(int32(0)),
		IsAttachable: new(true), Description: optional(p.Description), CreateDate: &p.Created, UpdateDate: &p.Updated, Tags: shown(p.Tags),
	}
}
