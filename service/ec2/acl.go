package ec2

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// ACL is a network ACL: what may cross the border of its subnets, packet by
// packet. The network enforces it (node/vpc).
type ACL struct {
	Meta
	VPC          string
	Default      bool
	Entries      []Entry // inbound before outbound, in order of number
	Associations []Association
}

// ACLs holds network ACLs, keyed by scope and id.
var ACLs = store.NewTable("ec2/acl", func(a ACL) string { return a.key() },
	store.Index("vpc", func(a ACL) []string { return []string{a.Scope.Key(a.VPC)} }))

// maxACLs is how many ACLs a VPC may have. Source: "Amazon VPC quotas".
const maxACLs = 200

var aclKind = &kind[ACL]{
	table: ACLs, typ: "network-acl", prefix: "acl-", code: "InvalidNetworkAclID", noun: "networkAcl ID",
	meta: func(a *ACL) *Meta { return &a.Meta },
	fields: func(_ store.Reader, a ACL) map[string][]string {
		f := map[string][]string{
			"network-acl-id": one(a.ID), "vpc-id": one(a.VPC), "default": flag(a.Default), "owner-id": one(a.Scope.Account),
			"association.network-acl-id": one(a.ID), "association.association-id": nil, "association.subnet-id": nil,
		}
		for _, x := range a.Associations {
			f["association.association-id"] = append(f["association.association-id"], x.ID)
			f["association.subnet-id"] = append(f["association.subnet-id"], x.Subnet)
		}
		a.entryFields(f)
		return f
	},
}

// newACL lets nothing pass.
func newACL(ctx context.Context, vpcID string) ACL {
	return ACL{Meta: Meta{Scope: scopeOf(ctx), ID: awsapi.NewID(ctx, "acl-", 17)}, VPC: vpcID}
}

// newDefaultACL lets everything pass; it comes with a VPC.
func newDefaultACL(ctx context.Context, vpcID string) ACL {
	a := newACL(ctx, vpcID)
	a.Default, a.Entries = true, openEntries()
	return a
}

func openEntries() (out []Entry) {
	for _, egress := range []bool{false, true} {
		out = append(out, Entry{Number: 100, Egress: egress, Allow: true, Protocol: -1, Low: -1, High: -1, CIDR: "0.0.0.0/0"})
	}
	return out
}

// UnmarshalJSON reads a row. Those of engines that knew no entries have none,
// which is not the same as an empty list: what passed then passes now.
func (a *ACL) UnmarshalJSON(b []byte) error {
	type row ACL
	if err := json.Unmarshal(b, (*row)(a)); err != nil {
		return err
	}
	if a.Default && a.Entries == nil {
		a.Entries = openEntries()
	}
	return nil
}

func associateDefaultACL(tx *store.Tx, v VPC, subnet, id string) {
	for a := range ACLs.By(tx, "vpc", v.key()) {
		if a.Default {
			a.associate(tx, subnet, id)
			return
		}
	}
}

func (a ACL) associate(tx *store.Tx, subnet, id string) {
	a.Associations = append(slices.Clone(a.Associations), Association{ID: id, Subnet: subnet})
	ACLs.Put(tx, a)
}

func (a ACL) dissociate(tx *store.Tx, subnet string) {
	n := slices.IndexFunc(a.Associations, func(x Association) bool { return x.Subnet == subnet })
	if n >= 0 {
		a.Associations = slices.Delete(slices.Clone(a.Associations), n, n+1)
		ACLs.Put(tx, a)
	}
}

// CreateNetworkAcl makes an ACL without entries, which lets nothing pass.
func (s *Service) CreateNetworkAcl(ctx context.Context, in *ec2api.CreateNetworkAclInput) (*ec2api.CreateNetworkAclOutput, error) {
	tags, err := tagsFor(in.TagSpecifications, "network-acl")
	if err != nil {
		return nil, err
	}
	a := newACL(ctx, val(in.VpcId))
	a.Tags = tags
	return update(s, func(tx *store.Tx) (*ec2api.CreateNetworkAclOutput, error) {
		if old, err := ACLs.Get(tx, a.key()); err == nil {
			return &ec2api.CreateNetworkAclOutput{NetworkAcl: new(old.api()), ClientToken: in.ClientToken}, nil
		}
		v, err := vpcKind.get(tx, a.Scope, a.VPC)
		if err != nil {
			return nil, err
		}
		if len(slices.Collect(ACLs.By(tx, "vpc", v.key()))) >= maxACLs {
			return nil, fault("NetworkAclLimitExceeded", "The maximum number of network ACLs has been reached.")
		}
		ACLs.Put(tx, a)
		return &ec2api.CreateNetworkAclOutput{NetworkAcl: new(a.api()), ClientToken: in.ClientToken}, nil
	})
}

// DeleteNetworkAcl removes an ACL that no subnet has.
func (s *Service) DeleteNetworkAcl(ctx context.Context, in *ec2api.DeleteNetworkAclInput) (*ec2api.DeleteNetworkAclOutput, error) {
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.DeleteNetworkAclOutput, error) {
		a, err := aclKind.get(tx, scope, val(in.NetworkAclId))
		switch {
		case err != nil:
			return nil, err
		case a.Default:
			return nil, errInvalidParameter("cannot delete default network ACL %s", a.ID)
		case len(a.Associations) > 0:
			return nil, errDependency("networkAcl", a.ID)
		}
		ACLs.Delete(tx, a.key())
		return &ec2api.DeleteNetworkAclOutput{}, nil
	})
}

// ReplaceNetworkAclAssociation gives a subnet another ACL of its VPC.
func (s *Service) ReplaceNetworkAclAssociation(ctx context.Context, in *ec2api.ReplaceNetworkAclAssociationInput) (*ec2api.ReplaceNetworkAclAssociationOutput, error) {
	scope, id := scopeOf(ctx), awsapi.NewID(ctx, "aclassoc-", 17)
	return update(s, func(tx *store.Tx) (*ec2api.ReplaceNetworkAclAssociationOutput, error) {
		from, old, err := aclAssociation(tx, scope, val(in.AssociationId))
		if err != nil {
			return nil, err
		}
		to, err := aclKind.get(tx, scope, val(in.NetworkAclId))
		if err != nil {
			return nil, err
		}
		if to.VPC != from.VPC {
			return nil, errInvalidParameter("Network ACL %s and subnet %s belong to different networks", to.ID, old.Subnet)
		}
		from.dissociate(tx, old.Subnet)
		if to, err = ACLs.Get(tx, to.key()); err != nil { // it may be the same
			return nil, err
		}
		to.associate(tx, old.Subnet, id)
		return &ec2api.ReplaceNetworkAclAssociationOutput{NewAssociationId: &id}, nil
	})
}

func aclAssociation(r store.Reader, scope arn.Scope, id string) (ACL, Association, error) {
	for a := range aclKind.list(r, scope) {
		for _, x := range a.Associations {
			if x.ID == id {
				return a, x, nil
			}
		}
	}
	return ACL{}, Association{}, fault("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", id)
}

// aclOf is the ACL of a subnet.
func aclOf(r store.Reader, s Subnet) (ACL, Association) {
	for a := range ACLs.By(r, "vpc", s.Scope.Key(s.VPC)) {
		for _, x := range a.Associations {
			if x.Subnet == s.ID {
				return a, x
			}
		}
	}
	return ACL{}, Association{}
}

// DescribeNetworkAcls lists network ACLs.
func (s *Service) DescribeNetworkAcls(ctx context.Context, in *ec2api.DescribeNetworkAclsInput) (*ec2api.DescribeNetworkAclsOutput, error) {
	rows, next, err := aclKind.describe(s.store.Snapshot(), scopeOf(ctx), query{in.NetworkAclIds, in.Filters, in.MaxResults, in.NextToken})
	if err != nil {
		return nil, err
	}
	out := &ec2api.DescribeNetworkAclsOutput{NextToken: next}
	for _, a := range rows {
		out.NetworkAcls = append(out.NetworkAcls, a.api())
	}
	return out, nil
}

func (a ACL) api() ec2api.NetworkAcl {
	out := ec2api.NetworkAcl{NetworkAclId: &a.ID, VpcId: &a.VPC, IsDefault: &a.Default, OwnerId: &a.Scope.Account, Tags: apiTags(a.Tags)}
	for _, x := range a.Associations {
		out.Associations = append(out.Associations, ec2api.NetworkAclAssociation{NetworkAclAssociationId: &x.ID, NetworkAclId: &a.ID, SubnetId: &x.Subnet})
	}
	for _, egress := range []bool{true, false} {
		for _, e := range a.Entries {
			if e.Egress == egress {
				out.Entries = append(out.Entries, e.api())
			}
		}
		out.Entries = append(out.Entries, Entry{Number: lastNumber, Egress: egress, Protocol: -1, Low: -1, High: -1, CIDR: "0.0.0.0/0"}.api())
	}
	return out
}
