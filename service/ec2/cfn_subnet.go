package ec2

import (
	"context"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// subnetProps is AWS::EC2::Subnet.
type subnetProps struct {
	SubnetId                string `cfn:"id,readOnly"`                   //nolint:revive // AWS's name
	VpcId                   string `cfn:"required,createOnly,attribute"` //nolint:revive // AWS's name
	CidrBlock               string `cfn:"createOnly,attribute"`
	AvailabilityZone        string `cfn:"createOnly,attribute"`
	AvailabilityZoneId      string `cfn:"createOnly"` //nolint:revive // AWS's name
	MapPublicIpOnLaunch     *bool  //nolint:revive // AWS's name
	Tags                    []cfn.Tag
	NetworkAclAssociationId string   `cfn:"readOnly"` //nolint:revive // AWS's name
	Ipv6CidrBlocks          []string `cfn:"readOnly"`
	// BlockPublicAccessStates says that VPC Block Public Access, which this engine has not, is off.
	BlockPublicAccessStates struct{ InternetGatewayBlockMode string } `cfn:"readOnly"`
}

type subnets struct{ s *Service }

var _ cfn.Updater[subnetProps] = subnets{}

func (h subnets) Create(ctx context.Context, p *subnetProps) error {
	out, err := h.s.CreateSubnet(ctx, &ec2api.CreateSubnetInput{
		VpcId: &p.VpcId, CidrBlock: opt(p.CidrBlock), AvailabilityZone: opt(p.AvailabilityZone), AvailabilityZoneId: opt(p.AvailabilityZoneId),
		TagSpecifications: stackTags(ctx, "subnet", p.Tags),
	})
	if err != nil {
		return err
	}
	p.SubnetId = *out.Subnet.SubnetId
	return h.apply(ctx, p)
}

func (h subnets) apply(ctx context.Context, p *subnetProps) error {
	_, err := h.s.ModifySubnetAttribute(ctx, &ec2api.ModifySubnetAttributeInput{
		SubnetId: &p.SubnetId, MapPublicIpOnLaunch: &ec2api.AttributeBooleanValue{Value: new(val(p.MapPublicIpOnLaunch))},
	})
	if err != nil {
		return err
	}
	return h.Read(ctx, p)
}

func (h subnets) Read(ctx context.Context, p *subnetProps) error {
	snap := h.s.store.Snapshot()
	sub, err := subnetKind.get(snap, scopeOf(ctx), p.SubnetId)
	if err != nil {
		return err
	}
	p.VpcId, p.CidrBlock, p.AvailabilityZone, p.AvailabilityZoneId = sub.VPC, sub.CIDR, sub.AZ, zoneID(sub.Scope.Region, sub.AZ)
	p.BlockPublicAccessStates.InternetGatewayBlockMode = "off"
	p.MapPublicIpOnLaunch, p.Tags = &sub.MapPublicIP, cfnTags(sub.Tags)
	for a := range ACLs.By(snap, "vpc", sub.Scope.Key(sub.VPC)) {
		for _, x := range a.Associations {
			if x.Subnet == sub.ID {
				p.NetworkAclAssociationId = x.ID
			}
		}
	}
	return nil
}

func (h subnets) Update(ctx context.Context, _, after *subnetProps) error {
	if err := setTags(ctx, h.s, subnetKind, after.SubnetId, after.Tags); err != nil {
		return err
	}
	return h.apply(ctx, after)
}

func (h subnets) Delete(ctx context.Context, p *subnetProps) error {
	return ifThere(h.s.DeleteSubnet(ctx, &ec2api.DeleteSubnetInput{SubnetId: &p.SubnetId}))
}
