package ec2

import (
	"context"
	"fmt"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// natGatewayProps is AWS::EC2::NatGateway.
type natGatewayProps struct {
	NatGatewayId     string `cfn:"id,readOnly"` //nolint:revive // AWS's name
	SubnetId         string `cfn:"createOnly"`  //nolint:revive // AWS's name
	AllocationId     string `cfn:"createOnly"`  //nolint:revive // AWS's name
	ConnectivityType string `cfn:"createOnly"`
	PrivateIpAddress string `cfn:"createOnly"` //nolint:revive // AWS's name
	Tags             []cfn.Tag
	EniId            string `cfn:"readOnly"` //nolint:revive // AWS's name
}

type natGateways struct{ s *Service }

var (
	_ cfn.Updater[natGatewayProps] = natGateways{}
	_ cfn.Settler[natGatewayProps] = natGateways{}
	_ cfn.Remover[natGatewayProps] = natGateways{}
)

func (h natGateways) Create(ctx context.Context, p *natGatewayProps) error {
	out, err := h.s.CreateNatGateway(ctx, &ec2api.CreateNatGatewayInput{
		SubnetId: opt(p.SubnetId), AllocationId: opt(p.AllocationId), ConnectivityType: ec2api.ConnectivityType(p.ConnectivityType),
		PrivateIpAddress: opt(p.PrivateIpAddress), TagSpecifications: stackTags(ctx, "natgateway", p.Tags),
	})
	if err != nil {
		return err
	}
	p.NatGatewayId = *out.NatGateway.NatGatewayId
	p.EniId = *out.NatGateway.NatGatewayAddresses[0].NetworkInterfaceId
	return nil
}

func (h natGateways) Settled(ctx context.Context, p *natGatewayProps) (bool, error) {
	g, err := natKind.get(h.s.store.Snapshot(), scopeOf(ctx), p.NatGatewayId)
	if err != nil {
		return false, err
	}
	if g.State == "failed" {
		return false, fmt.Errorf("NatGateway %s is in state failed and hence failed to stabilize. Detailed failure message: %s", g.ID, g.FailureMessage)
	}
	return g.State == "available", nil
}

func (h natGateways) Read(ctx context.Context, p *natGatewayProps) error {
	g, err := natKind.get(h.s.store.Snapshot(), scopeOf(ctx), p.NatGatewayId)
	if err == nil && (g.State == "deleting" || g.State == "deleted") {
		err = natKind.errMissing(g.ID)
	}
	if err != nil {
		return err
	}
	p.SubnetId, p.AllocationId, p.ConnectivityType, p.EniId, p.Tags = g.Subnet, g.Allocation, g.Connectivity, g.Interface, cfnTags(g.Tags)
	return nil
}

func (h natGateways) Update(ctx context.Context, _, after *natGatewayProps) error {
	return setTags(ctx, h.s, natKind, after.NatGatewayId, after.Tags)
}

func (h natGateways) Delete(ctx context.Context, p *natGatewayProps) error {
	return ifThere(h.s.DeleteNatGateway(ctx, &ec2api.DeleteNatGatewayInput{NatGatewayId: &p.NatGatewayId}))
}

func (h natGateways) Remains(ctx context.Context, p *natGatewayProps) (bool, error) {
	g, err := natKind.get(h.s.store.Snapshot(), scopeOf(ctx), p.NatGatewayId)
	return err == nil && g.State != "deleted", nil
}
