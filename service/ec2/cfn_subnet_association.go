package ec2

import (
	"context"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// subnetAssociationProps is AWS::EC2::SubnetRouteTableAssociation.
type subnetAssociationProps struct {
	Id           string `cfn:"id,readOnly"`         //nolint:revive // AWS's name
	SubnetId     string `cfn:"required,createOnly"` //nolint:revive // AWS's name
	RouteTableId string `cfn:"required"`            //nolint:revive // AWS's name
}

type subnetAssociations struct{ s *Service }

var _ cfn.Updater[subnetAssociationProps] = subnetAssociations{}

func (h subnetAssociations) Create(ctx context.Context, p *subnetAssociationProps) error {
	out, err := h.s.AssociateRouteTable(ctx, &ec2api.AssociateRouteTableInput{SubnetId: &p.SubnetId, RouteTableId: &p.RouteTableId})
	if err != nil {
		return err
	}
	p.Id = *out.AssociationId
	return nil
}

func (h subnetAssociations) Read(ctx context.Context, p *subnetAssociationProps) error {
	t, a, err := findAssociation(h.s.store.Snapshot(), scopeOf(ctx), p.Id)
	if err != nil {
		return err
	}
	p.SubnetId, p.RouteTableId = a.Subnet, t.ID
	return nil
}

// Update moves the subnet to another table; the association gets a new id.
func (h subnetAssociations) Update(ctx context.Context, _, after *subnetAssociationProps) error {
	out, err := h.s.ReplaceRouteTableAssociation(ctx, &ec2api.ReplaceRouteTableAssociationInput{AssociationId: &after.Id, RouteTableId: &after.RouteTableId})
	if err != nil {
		return err
	}
	after.Id = *out.NewAssociationId
	return nil
}

func (h subnetAssociations) Delete(ctx context.Context, p *subnetAssociationProps) error {
	return ifThere(h.s.DisassociateRouteTable(ctx, &ec2api.DisassociateRouteTableInput{AssociationId: &p.Id}))
}
