package ec2

import (
	"context"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// vpcProps is AWS::EC2::VPC.
type vpcProps struct {
	VpcId                 string `cfn:"id,readOnly"` //nolint:revive // AWS's name
	CidrBlock             string `cfn:"createOnly,attribute"`
	EnableDnsHostnames    *bool
	EnableDnsSupport      *bool
	InstanceTenancy       string `cfn:"createOnly"`
	Tags                  []cfn.Tag
	CidrBlockAssociations []string `cfn:"readOnly"`
	DefaultNetworkAcl     string   `cfn:"readOnly"`
	DefaultSecurityGroup  string   `cfn:"readOnly"`
	Ipv6CidrBlocks        []string `cfn:"readOnly"`
}

type vpcs struct{ s *Service }

var _ cfn.Updater[vpcProps] = vpcs{}

func (h vpcs) Create(ctx context.Context, p *vpcProps) error {
	in := &ec2api.CreateVpcInput{InstanceTenancy: ec2api.Tenancy(p.InstanceTenancy), TagSpecifications: stackTags(ctx, "vpc", p.Tags)}
	if p.CidrBlock != "" {
		in.CidrBlock = &p.CidrBlock
	}
	out, err := h.s.CreateVpc(ctx, in)
	if err != nil {
		return err
	}
	p.VpcId = *out.Vpc.VpcId
	return h.apply(ctx, p)
}

// apply sets the attributes and fills in what Read tells.
func (h vpcs) apply(ctx context.Context, p *vpcProps) error {
	for _, in := range []*ec2api.ModifyVpcAttributeInput{
		{VpcId: &p.VpcId, EnableDnsSupport: &ec2api.AttributeBooleanValue{Value: new(p.EnableDnsSupport == nil || *p.EnableDnsSupport)}},
		{VpcId: &p.VpcId, EnableDnsHostnames: &ec2api.AttributeBooleanValue{Value: new(val(p.EnableDnsHostnames))}},
	} {
		if _, err := h.s.ModifyVpcAttribute(ctx, in); err != nil {
			return err
		}
	}
	return h.Read(ctx, p)
}

func (h vpcs) Read(ctx context.Context, p *vpcProps) error {
	snap := h.s.store.Snapshot()
	v, err := vpcKind.get(snap, scopeOf(ctx), p.VpcId)
	if err != nil {
		return err
	}
	p.CidrBlock, p.InstanceTenancy, p.Tags = v.CIDRs[0].Block, v.Tenancy, cfnTags(v.Tags)
	p.EnableDnsSupport, p.EnableDnsHostnames = &v.DNSSupport, &v.DNSHostnames
	p.CidrBlockAssociations = nil
	for _, c := range v.CIDRs {
		p.CidrBlockAssociations = append(p.CidrBlockAssociations, c.AssociationID)
	}
	p.DefaultSecurityGroup = defaultGroup(snap, v.Scope, v.ID).ID
	for a := range ACLs.By(snap, "vpc", v.key()) {
		p.DefaultNetworkAcl = a.ID
	}
	return nil
}

func (h vpcs) Update(ctx context.Context, _, after *vpcProps) error {
	if err := setTags(ctx, h.s, vpcKind, after.VpcId, after.Tags); err != nil {
		return err
	}
	return h.apply(ctx, after)
}

func (h vpcs) Delete(ctx context.Context, p *vpcProps) error {
	return ifThere(h.s.DeleteVpc(ctx, &ec2api.DeleteVpcInput{VpcId: &p.VpcId}))
}
