package ec2

import (
	"context"
	"slices"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// ACL is the default network ACL of a VPC, which lets everything pass. Others
// cannot be made here: a rule that is stored but not enforced would deceive.
type ACL struct {
	Meta
	VPC          string
	Default      bool
	Associations []Association
}

// ACLs holds network ACLs, keyed by scope and id.
var ACLs = store.NewTable("ec2/acl", func(a ACL) string { return a.key() },
	store.Index("vpc", func(a ACL) []string { return []string{a.Scope.Key(a.VPC)} }))

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
		return f
	},
}

func newACL(ctx context.Context, vpcID string, isDefault bool) ACL {
	return ACL{Meta: Meta{Scope: scopeOf(ctx), ID: awsapi.NewID(ctx, "acl-", 17)}, VPC: vpcID, Default: isDefault}
}

func associateDefaultACL(tx *store.Tx, v VPC, subnet, id string) {
	for a := range ACLs.By(tx, "vpc", v.key()) {
		if a.Default {
			a.Associations = append(slices.Clone(a.Associations), Association{ID: id, Subnet: subnet})
			ACLs.Put(tx, a)
			return
		}
	}
}

func (a ACL) dissociate(tx *store.Tx, subnet string) {
	n := slices.IndexFunc(a.Associations, func(x Association) bool { return x.Subnet == subnet })
	if n >= 0 {
		a.Associations = slices.Delete(slices.Clone(a.Associations), n, n+1)
		ACLs.Put(tx, a)
	}
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
		for number, action := range map[int32]ec2api.RuleAction{100: "allow", 32767: "deny"} {
			out.Entries = append(out.Entries, ec2api.NetworkAclEntry{
				CidrBlock: new("0.0.0.0/0"), Egress: new(egress), Protocol: new("-1"), RuleAction: action, RuleNumber: new(number),
			})
		}
	}
	slices.SortStableFunc(out.Entries, func(a, b ec2api.NetworkAclEntry) int {
		if *a.Egress != *b.Egress {
			return map[bool]int{true: -1, false: 1}[*a.Egress]
		}
		return int(*a.RuleNumber - *b.RuleNumber)
	})
	return out
}
