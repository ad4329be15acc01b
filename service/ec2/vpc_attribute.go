package ec2

import (
	"context"
	"net/netip"
	"slices"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// ModifyVpcAttribute changes one attribute of a VPC.
func (s *Service) ModifyVpcAttribute(ctx context.Context, in *ec2api.ModifyVpcAttributeInput) (*ec2api.ModifyVpcAttributeOutput, error) {
	given := 0
	for _, a := range []*ec2api.AttributeBooleanValue{in.EnableDnsSupport, in.EnableDnsHostnames, in.EnableNetworkAddressUsageMetrics} {
		if a != nil {
			given++
		}
	}
	if given != 1 {
		return nil, fault("InvalidParameterCombination", "Exactly one attribute must be specified.")
	}
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.ModifyVpcAttributeOutput, error) {
		v, err := vpcKind.get(tx, scope, val(in.VpcId))
		if err != nil {
			return nil, err
		}
		set := func(to *bool, from *ec2api.AttributeBooleanValue) {
			if from != nil {
				*to = val(from.Value)
			}
		}
		set(&v.DNSSupport, in.EnableDnsSupport)
		set(&v.DNSHostnames, in.EnableDnsHostnames)
		set(&v.UsageMetrics, in.EnableNetworkAddressUsageMetrics)
		VPCs.Put(tx, v)
		return &ec2api.ModifyVpcAttributeOutput{}, nil
	})
}

// DescribeVpcAttribute reads one attribute of a VPC.
func (s *Service) DescribeVpcAttribute(ctx context.Context, in *ec2api.DescribeVpcAttributeInput) (*ec2api.DescribeVpcAttributeOutput, error) {
	v, err := vpcKind.get(s.store.Snapshot(), scopeOf(ctx), val(in.VpcId))
	if err != nil {
		return nil, err
	}
	out := &ec2api.DescribeVpcAttributeOutput{VpcId: &v.ID}
	switch in.Attribute {
	case "enableDnsSupport":
		out.EnableDnsSupport = &ec2api.AttributeBooleanValue{Value: &v.DNSSupport}
	case "enableDnsHostnames":
		out.EnableDnsHostnames = &ec2api.AttributeBooleanValue{Value: &v.DNSHostnames}
	case "enableNetworkAddressUsageMetrics":
		out.EnableNetworkAddressUsageMetrics = &ec2api.AttributeBooleanValue{Value: &v.UsageMetrics}
	default:
		return nil, errInvalidParameter("Value (%s) for parameter attribute is invalid.", in.Attribute)
	}
	return out, nil
}

// AssociateVpcCidrBlock adds a secondary block of IPv4 addresses.
func (s *Service) AssociateVpcCidrBlock(ctx context.Context, in *ec2api.AssociateVpcCidrBlockInput) (*ec2api.AssociateVpcCidrBlockOutput, error) {
	if in.CidrBlock == nil {
		return nil, errMissingParameter("cidrBlock")
	}
	block, err := vpcBlock(*in.CidrBlock)
	if err != nil {
		return nil, err
	}
	scope := scopeOf(ctx)
	c := CIDR{AssociationID: awsapi.NewID(ctx, "vpc-cidr-assoc-", 17), Block: block.String()}
	return update(s, func(tx *store.Tx) (*ec2api.AssociateVpcCidrBlockOutput, error) {
		v, err := vpcKind.get(tx, scope, val(in.VpcId))
		if err != nil {
			return nil, err
		}
		out := &ec2api.AssociateVpcCidrBlockOutput{VpcId: &v.ID, CidrBlockAssociation: new(c.api("associating"))}
		for _, have := range v.CIDRs {
			if have == c {
				return out, nil
			}
			if netip.MustParsePrefix(have.Block).Overlaps(block) {
				return nil, fault("InvalidVpc.Conflict", "The CIDR '%s' conflicts with CIDR '%s' of the VPC.", c.Block, have.Block)
			}
		}
		if len(v.CIDRs) >= 5 {
			return nil, fault("CidrLimitExceeded", "This network '%s' has met its maximum number of allowed CIDRs: 5", v.ID)
		}
		v.CIDRs = append(slices.Clone(v.CIDRs), c)
		VPCs.Put(tx, v)
		return out, nil
	})
}

// DisassociateVpcCidrBlock removes a secondary block that no subnet uses.
func (s *Service) DisassociateVpcCidrBlock(ctx context.Context, in *ec2api.DisassociateVpcCidrBlockInput) (*ec2api.DisassociateVpcCidrBlockOutput, error) {
	scope, id := scopeOf(ctx), val(in.AssociationId)
	return update(s, func(tx *store.Tx) (*ec2api.DisassociateVpcCidrBlockOutput, error) {
		for v := range vpcKind.list(tx, scope) {
			n := slices.IndexFunc(v.CIDRs, func(c CIDR) bool { return c.AssociationID == id })
			if n < 0 {
				continue
			}
			c := v.CIDRs[n]
			if n == 0 {
				return nil, fault("OperationNotPermitted", "The vpc CIDR block with association ID %s may not be disassociated. It is the primary IPv4 CIDR block of the VPC", id)
			}
			for sub := range Subnets.By(tx, "vpc", v.key()) {
				if netip.MustParsePrefix(c.Block).Overlaps(netip.MustParsePrefix(sub.CIDR)) {
					return nil, fault("DependencyViolation", "The vpc CIDR block '%s' has dependencies and cannot be disassociated.", c.Block)
				}
			}
			v.CIDRs = slices.Delete(slices.Clone(v.CIDRs), n, n+1)
			VPCs.Put(tx, v)
			return &ec2api.DisassociateVpcCidrBlockOutput{VpcId: &v.ID, CidrBlockAssociation: new(c.api("disassociating"))}, nil
		}
		return nil, fault("InvalidVpcCidrBlockAssociationID.NotFound", "The vpc CIDR block association ID '%s' does not exist", id)
	})
}
