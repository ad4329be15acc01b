package ec2

import (
	"context"
	"net/netip"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Subnet is an address range of a VPC in one Availability Zone.
type Subnet struct {
	Meta
	VPC, AZ     string
	CIDR        string
	MapPublicIP bool
}

// Subnets holds subnets, keyed by scope and id.
var Subnets = store.NewTable("ec2/subnet", func(s Subnet) string { return s.key() },
	store.Index("vpc", func(s Subnet) []string { return []string{s.Scope.Key(s.VPC)} }))

var subnetKind = &kind[Subnet]{
	table: Subnets, typ: "subnet", prefix: "subnet-", code: "InvalidSubnetID", noun: "subnet ID",
	meta: func(s *Subnet) *Meta { return &s.Meta },
	fields: func(r store.Reader, s Subnet) map[string][]string {
		id := zoneID(s.Scope.Region, s.AZ)
		return map[string][]string{
			"subnet-id": one(s.ID), "vpc-id": one(s.VPC), "availability-zone": one(s.AZ), "availabilityZone": one(s.AZ),
			"availability-zone-id": one(id), "availabilityZoneId": one(id), "cidr": one(s.CIDR), "cidrBlock": one(s.CIDR), "cidr-block": one(s.CIDR),
			"state": one("available"), "default-for-az": flag(false), "defaultForAz": flag(false), "map-public-ip-on-launch": flag(s.MapPublicIP),
			"owner-id": one(s.Scope.Account), "subnet-arn": one(s.arn()), "available-ip-address-count": number(s.Free(r)), "ipv6-native": flag(false),
		}
	},
}

func (s Subnet) arn() string { return s.Scope.ARN("ec2", "subnet/"+s.ID) }

// Free is the number of addresses that are neither reserved nor used.
func (s Subnet) Free(r store.Reader) int {
	return addressCount(netip.MustParsePrefix(s.CIDR)) - Interfaces.Count(r, "subnet", s.key())
}

// CreateSubnet makes a subnet inside of a block of its VPC, apart from others.
func (s *Service) CreateSubnet(ctx context.Context, in *ec2api.CreateSubnetInput) (*ec2api.CreateSubnetOutput, error) {
	if err := required("vpcId", val(in.VpcId), "cidrBlock", val(in.CidrBlock)); err != nil {
		return nil, err
	}
	block, err := netip.ParsePrefix(*in.CidrBlock)
	if err != nil || !block.Addr().Is4() {
		return nil, errCIDR(*in.CidrBlock, "cidrBlock")
	}
	if block.Bits() < 16 || block.Bits() > 28 || block != block.Masked() {
		return nil, fault("InvalidSubnet.Range", "The CIDR '%s' is invalid.", *in.CidrBlock)
	}
	scope := scopeOf(ctx)
	zone, err := zoneNamed(scope.Region, val(in.AvailabilityZone), val(in.AvailabilityZoneId))
	if err != nil {
		return nil, err
	}
	tags, err := tagsFor(in.TagSpecifications, "subnet")
	if err != nil {
		return nil, err
	}
	sub := Subnet{Meta: Meta{Scope: scope, ID: awsapi.NewID(ctx, "subnet-", 17), Tags: tags}, VPC: *in.VpcId, AZ: zone, CIDR: block.String()}
	association := awsapi.NewID(ctx, "aclassoc-", 17)
	return update(s, func(tx *store.Tx) (*ec2api.CreateSubnetOutput, error) {
		if old, err := Subnets.Get(tx, sub.key()); err == nil {
			return &ec2api.CreateSubnetOutput{Subnet: new(old.api(tx))}, nil
		}
		v, err := vpcKind.get(tx, scope, sub.VPC)
		if err != nil {
			return nil, err
		}
		if err := v.fits(tx, block); err != nil {
			return nil, err
		}
		Subnets.Put(tx, sub)
		associateDefaultACL(tx, v, sub.ID, association)
		return &ec2api.CreateSubnetOutput{Subnet: new(sub.api(tx))}, nil
	})
}

// fits tells whether a block lies in the VPC and overlaps no subnet.
func (v VPC) fits(r store.Reader, block netip.Prefix) error {
	inside := false
	for _, c := range v.CIDRs {
		p := netip.MustParsePrefix(c.Block)
		inside = inside || p.Bits() <= block.Bits() && p.Contains(block.Addr())
	}
	if !inside {
		return fault("InvalidSubnet.Range", "The CIDR '%s' is invalid.", block)
	}
	for other := range Subnets.By(r, "vpc", v.key()) {
		if netip.MustParsePrefix(other.CIDR).Overlaps(block) {
			return fault("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", block)
		}
	}
	return nil
}

// DeleteSubnet removes a subnet without interfaces.
func (s *Service) DeleteSubnet(ctx context.Context, in *ec2api.DeleteSubnetInput) (*ec2api.DeleteSubnetOutput, error) {
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.DeleteSubnetOutput, error) {
		sub, err := subnetKind.get(tx, scope, val(in.SubnetId))
		if err != nil {
			return nil, err
		}
		for range Interfaces.By(tx, "subnet", sub.key()) {
			return nil, errDependency("subnet", sub.ID)
		}
		for t := range RouteTables.By(tx, "vpc", scope.Key(sub.VPC)) {
			t.dissociate(tx, sub.ID)
		}
		for a := range ACLs.By(tx, "vpc", scope.Key(sub.VPC)) {
			a.dissociate(tx, sub.ID)
		}
		cursors.Delete(tx, sub.key())
		Subnets.Delete(tx, sub.key())
		return &ec2api.DeleteSubnetOutput{}, nil
	})
}

// DescribeSubnets lists subnets.
func (s *Service) DescribeSubnets(ctx context.Context, in *ec2api.DescribeSubnetsInput) (*ec2api.DescribeSubnetsOutput, error) {
	snap := s.store.Snapshot()
	rows, next, err := subnetKind.describe(snap, scopeOf(ctx), query{in.SubnetIds, in.Filters, in.MaxResults, in.NextToken})
	if err != nil {
		return nil, err
	}
	out := &ec2api.DescribeSubnetsOutput{NextToken: next}
	for _, sub := range rows {
		out.Subnets = append(out.Subnets, sub.api(snap))
	}
	return out, nil
}

// ModifySubnetAttribute sets whether interfaces get a public address. The other
// attributes concern IPv6 and Outposts, which do not exist here.
func (s *Service) ModifySubnetAttribute(ctx context.Context, in *ec2api.ModifySubnetAttributeInput) (*ec2api.ModifySubnetAttributeOutput, error) {
	if in.MapPublicIpOnLaunch == nil {
		return nil, errInvalidParameter("Only the attribute mapPublicIpOnLaunch can be modified.")
	}
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.ModifySubnetAttributeOutput, error) {
		sub, err := subnetKind.get(tx, scope, val(in.SubnetId))
		if err != nil {
			return nil, err
		}
		sub.MapPublicIP = val(in.MapPublicIpOnLaunch.Value)
		Subnets.Put(tx, sub)
		return &ec2api.ModifySubnetAttributeOutput{}, nil
	})
}

func (s Subnet) api(r store.Reader) ec2api.Subnet {
	return ec2api.Subnet{
		AvailabilityZoneId: opt(zoneID(s.Scope.Region, s.AZ)), OwnerId: &s.Scope.Account, AssignIpv6AddressOnCreation: new(false), Tags: apiTags(s.Tags),
		SubnetArn: new(s.arn()), EnableDns64: new(false), Ipv6Native: new(false),
		PrivateDnsNameOptionsOnLaunch: &ec2api.PrivateDnsNameOptionsOnLaunch{HostnameType: "ip-name", EnableResourceNameDnsARecord: new(false), EnableResourceNameDnsAAAARecord: new(false)},
		SubnetId:                      &s.ID, State: "available", VpcId: &s.VPC, CidrBlock: &s.CIDR, AvailableIpAddressCount: new(int32(s.Free(r))),
		AvailabilityZone: &s.AZ, DefaultForAz: new(false), MapPublicIpOnLaunch: &s.MapPublicIP, MapCustomerOwnedIpOnLaunch: new(false),
	}
}
