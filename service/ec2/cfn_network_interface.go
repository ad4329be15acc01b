package ec2

import (
	"context"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// networkInterfaceProps is AWS::EC2::NetworkInterface.
type networkInterfaceProps struct {
	Id                      string `cfn:"id,readOnly"` //nolint:revive // AWS's name
	Description             string
	GroupSet                []string
	PrivateIpAddress        string `cfn:"createOnly"`          //nolint:revive // AWS's name
	SubnetId                string `cfn:"required,createOnly"` //nolint:revive // AWS's name
	Tags                    []cfn.Tag
	PrimaryPrivateIpAddress string `cfn:"readOnly"` //nolint:revive // AWS's name
	VpcId                   string `cfn:"readOnly"` //nolint:revive // AWS's name
	// SecondaryPrivateIpAddresses is empty: interfaces have one address here.
	SecondaryPrivateIpAddresses []string `cfn:"readOnly"` //nolint:revive // AWS's name
}

type networkInterfaces struct{ s *Service }

var _ cfn.Updater[networkInterfaceProps] = networkInterfaces{}

func (h networkInterfaces) Create(ctx context.Context, p *networkInterfaceProps) error {
	out, err := h.s.CreateNetworkInterface(ctx, &ec2api.CreateNetworkInterfaceInput{
		SubnetId: &p.SubnetId, Description: opt(p.Description), Groups: p.GroupSet, PrivateIpAddress: opt(p.PrivateIpAddress),
		TagSpecifications: stackTags(ctx, "network-interface", p.Tags),
	})
	if err != nil {
		return err
	}
	p.Id = *out.NetworkInterface.NetworkInterfaceId
	return h.Read(ctx, p)
}

func (h networkInterfaces) Read(ctx context.Context, p *networkInterfaceProps) error {
	i, err := interfaceKind.get(h.s.store.Snapshot(), scopeOf(ctx), p.Id)
	if err != nil {
		return err
	}
	p.Description, p.GroupSet, p.SubnetId, p.PrimaryPrivateIpAddress, p.VpcId, p.Tags = i.Description, i.Groups, i.Subnet, i.IP, i.VPC, cfnTags(i.Tags)
	p.SecondaryPrivateIpAddresses = []string{}
	return nil
}

func (h networkInterfaces) Update(ctx context.Context, _, after *networkInterfaceProps) error {
	_, err := h.s.ModifyNetworkInterfaceAttribute(ctx, &ec2api.ModifyNetworkInterfaceAttributeInput{
		NetworkInterfaceId: &after.Id, Description: &ec2api.AttributeValue{Value: &after.Description}, Groups: after.GroupSet,
	})
	if err != nil {
		return err
	}
	return setTags(ctx, h.s, interfaceKind, after.Id, after.Tags)
}

func (h networkInterfaces) Delete(ctx context.Context, p *networkInterfaceProps) error {
	return ifThere(h.s.DeleteNetworkInterface(ctx, &ec2api.DeleteNetworkInterfaceInput{NetworkInterfaceId: &p.Id}))
}
