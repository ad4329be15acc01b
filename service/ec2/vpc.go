package ec2

import (
	"context"
	"net/netip"
	"slices"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// VPC is a virtual private cloud.
type VPC struct {
	Meta
	CIDRs        []CIDR // the first is the primary one
	Tenancy      string
	DNSSupport   bool
	DNSHostnames bool
	UsageMetrics bool
}

// CIDR is an address block of a VPC.
type CIDR struct {
	AssociationID string
	Block         string
}

// VPCs holds VPCs, keyed by scope and id.
var VPCs = store.NewTable("ec2/vpc", func(v VPC) string { return v.key() },
	store.Index("id", func(v VPC) []string { return []string{v.ID} }))

var vpcKind = &kind[VPC]{
	table: VPCs, typ: "vpc", prefix: "vpc-", code: "InvalidVpcID", noun: "vpc ID",
	meta: func(v *VPC) *Meta { return &v.Meta },
	fields: func(_ store.Reader, v VPC) map[string][]string {
		var blocks, associations []string
		for _, c := range v.CIDRs {
			blocks, associations = append(blocks, c.Block), append(associations, c.AssociationID)
		}
		return map[string][]string{
			"vpc-id": one(v.ID), "cidr": one(v.CIDRs[0].Block), "cidr-block-association.cidr-block": blocks,
			"cidr-block-association.association-id": associations, "cidr-block-association.state": one("associated"),
			"state": one("available"), "is-default": flag(false), "isDefault": flag(false), "owner-id": one(v.Scope.Account), "dhcp-options-id": one(dhcpOptions(v.Scope)),
		}
	},
}

// CreateVpc makes a VPC with its default security group, main route table and
// default network ACL.
func (s *Service) CreateVpc(ctx context.Context, in *ec2api.CreateVpcInput) (*ec2api.CreateVpcOutput, error) {
	if err := required("cidrBlock", val(in.CidrBlock)); err != nil {
		return nil, err
	}
	block, err := vpcBlock(*in.CidrBlock)
	if err != nil {
		return nil, err
	}
	tags, err := tagsFor(in.TagSpecifications, "vpc")
	if err != nil {
		return nil, err
	}
	scope := scopeOf(ctx)
	v := VPC{
		Meta:    Meta{Scope: scope, ID: awsapi.NewID(ctx, "vpc-", 17), Tags: tags},
		CIDRs:   []CIDR{{awsapi.NewID(ctx, "vpc-cidr-assoc-", 17), block.String()}},
		Tenancy: string(in.InstanceTenancy), DNSSupport: true,
	}
	if v.Tenancy == "" {
		v.Tenancy = "default"
	}
	group := newGroup(ctx, v.ID, "default", "default VPC security group")
	rules := append(allowAllOut(ctx, group), Rule{
		Meta: Meta{Scope: scope, ID: awsapi.NewID(ctx, "sgr-", 17)}, Group: group.ID, Traffic: Traffic{Protocol: "-1", Low: -1, High: -1}, Peer: Peer{GroupID: group.ID},
	})
	table := RouteTable{Meta: Meta{Scope: scope, ID: awsapi.NewID(ctx, "rtb-", 17)}, VPC: v.ID, Associations: []Association{{ID: awsapi.NewID(ctx, "rtbassoc-", 17), Main: true}}}
	acl := newDefaultACL(ctx, v.ID)
	v, err = update(s, func(tx *store.Tx) (VPC, error) {
		if old, err := VPCs.Get(tx, v.key()); err == nil {
			return old, nil
		}
		if n := len(slices.Collect(vpcKind.list(tx, scope))); s.quotas.VPCs > 0 && n >= s.quotas.VPCs {
			return v, fault("VpcLimitExceeded", "The maximum number of VPCs has been reached.")
		}
		VPCs.Put(tx, v)
		Groups.Put(tx, group)
		for _, r := range rules {
			Rules.Put(tx, r)
		}
		RouteTables.Put(tx, table)
		ACLs.Put(tx, acl)
		return v, nil
	})
	if err != nil {
		return nil, err
	}
	return &ec2api.CreateVpcOutput{Vpc: new(v.api("pending"))}, nil
}

// vpcBlock reads a VPC's address block: /16 to /28, host bits cleared.
func vpcBlock(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		return p, errCIDR(s, "cidrBlock")
	}
	if p.Bits() < 16 || p.Bits() > 28 {
		return p, fault("InvalidVpc.Range", "The CIDR '%s' is invalid.", s)
	}
	return p.Masked(), nil
}

// DeleteVpc removes a VPC of which nothing is left but what came with it.
func (s *Service) DeleteVpc(ctx context.Context, in *ec2api.DeleteVpcInput) (*ec2api.DeleteVpcOutput, error) {
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.DeleteVpcOutput, error) {
		v, err := vpcKind.get(tx, scope, val(in.VpcId))
		if err != nil {
			return nil, err
		}
		if vpcInUse(tx, v) {
			return nil, errDependency("vpc", v.ID)
		}
		for g := range Groups.By(tx, "vpc", v.key()) {
			for r := range Rules.By(tx, "group", g.key()) {
				Rules.Delete(tx, r.key())
			}
			Groups.Delete(tx, g.key())
		}
		for t := range RouteTables.By(tx, "vpc", v.key()) {
			RouteTables.Delete(tx, t.key())
		}
		for a := range ACLs.By(tx, "vpc", v.key()) {
			ACLs.Delete(tx, a.key())
		}
		VPCs.Delete(tx, v.key())
		return &ec2api.DeleteVpcOutput{}, nil
	})
}

// vpcInUse tells whether anything is left that did not come with the VPC.
func vpcInUse(r store.Reader, v VPC) bool {
	for range Subnets.By(r, "vpc", v.key()) {
		return true
	}
	for g := range Groups.By(r, "vpc", v.key()) {
		if g.Name != "default" {
			return true
		}
	}
	for t := range RouteTables.By(r, "vpc", v.key()) {
		if !t.main() {
			return true
		}
	}
	for a := range ACLs.By(r, "vpc", v.key()) {
		if !a.Default {
			return true
		}
	}
	for range InternetGateways.By(r, "vpc", v.key()) {
		return true
	}
	for range Endpoints.By(r, "vpc", v.key()) {
		return true
	}
	return false
}

// DescribeVpcs lists VPCs.
func (s *Service) DescribeVpcs(ctx context.Context, in *ec2api.DescribeVpcsInput) (*ec2api.DescribeVpcsOutput, error) {
	rows, next, err := vpcKind.describe(s.store.Snapshot(), scopeOf(ctx), query{in.VpcIds, in.Filters, in.MaxResults, in.NextToken})
	if err != nil {
		return nil, err
	}
	out := &ec2api.DescribeVpcsOutput{NextToken: next}
	for _, v := range rows {
		out.Vpcs = append(out.Vpcs, v.api("available"))
	}
	return out, nil
}

func (v VPC) api(state ec2api.VpcState) ec2api.Vpc {
	out := ec2api.Vpc{
		OwnerId: &v.Scope.Account, InstanceTenancy: ec2api.Tenancy(v.Tenancy), IsDefault: new(false), Tags: apiTags(v.Tags),
		VpcId: &v.ID, State: state, CidrBlock: &v.CIDRs[0].Block, DhcpOptionsId: new(dhcpOptions(v.Scope)),
	}
	for _, c := range v.CIDRs {
		out.CidrBlockAssociationSet = append(out.CidrBlockAssociationSet, c.api("associated"))
	}
	return out
}

func (c CIDR) api(state ec2api.VpcCidrBlockStateCode) ec2api.VpcCidrBlockAssociation {
	return ec2api.VpcCidrBlockAssociation{AssociationId: &c.AssociationID, CidrBlock: &c.Block, CidrBlockState: &ec2api.VpcCidrBlockState{State: state}}
}

// defaultGroup is the security group that came with a VPC.
func defaultGroup(r store.Reader, scope arn.Scope, vpcID string) SecurityGroup {
	for g := range Groups.By(r, "vpc", scope.Key(vpcID)) {
		if g.Name == "default" {
			return g
		}
	}
	return SecurityGroup{}
}
