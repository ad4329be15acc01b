package ec2

import (
	"context"
	"encoding/json"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// subnetAssociationProps is AWS::EC2::SubnetRouteTableAssociation. A subnet has only one association, so that a replacement takes the place of the one it
// replaces, and gives it back when it is undone; what is given back has another id than before, and is known by its subnet and table.
type subnetAssociationProps struct {
	Id           string `cfn:"id,readOnly"`         //nolint:revive // AWS's name
	SubnetId     string `cfn:"required,createOnly"` //nolint:revive // AWS's name
	RouteTableId string `cfn:"required,createOnly"` //nolint:revive // AWS's name
}

type subnetAssociations struct{ s *Service }

func (h subnetAssociations) Create(ctx context.Context, p *subnetAssociationProps) error {
	if old, ok := beside(ctx); ok && old.SubnetId == p.SubnetId {
		if a, err := h.find(ctx, &old); err == nil {
			p.Id, err = h.move(ctx, a, p.RouteTableId)
			return err
		}
	}
	out, err := h.s.AssociateRouteTable(ctx, &ec2api.AssociateRouteTableInput{SubnetId: &p.SubnetId, RouteTableId: &p.RouteTableId})
	if err != nil {
		return err
	}
	p.Id = *out.AssociationId
	return nil
}

// beside is the association that this one replaces, or that stays when this one goes.
func beside(ctx context.Context) (p subnetAssociationProps, ok bool) {
	req, _ := cfn.From(ctx)
	if json.Unmarshal(req.Beside.State, &p) != nil {
		return p, false
	}
	p.Id = req.Beside.ID
	return p, true
}

// find is the association with an id, or else the one of its subnet with its table.
func (h subnetAssociations) find(ctx context.Context, p *subnetAssociationProps) (Association, error) {
	return associationOf(h.s.store.Snapshot(), scopeOf(ctx), p)
}

func associationOf(r store.Reader, scope arn.Scope, p *subnetAssociationProps) (Association, error) {
	_, a, err := findAssociation(r, scope, p.Id)
	if err == nil {
		return a, nil
	}
	if t, missing := routeTableKind.get(r, scope, p.RouteTableId); missing == nil {
		for _, a := range t.Associations {
			if a.Subnet == p.SubnetId && a.Subnet != "" {
				return a, nil
			}
		}
	}
	return Association{}, err
}

func (h subnetAssociations) move(ctx context.Context, a Association, table string) (string, error) {
	out, err := h.s.ReplaceRouteTableAssociation(ctx, &ec2api.ReplaceRouteTableAssociationInput{AssociationId: &a.ID, RouteTableId: &table})
	if err != nil {
		return "", err
	}
	return *out.NewAssociationId, nil
}

func (h subnetAssociations) Read(ctx context.Context, p *subnetAssociationProps) error {
	a, err := h.find(ctx, p)
	if err != nil {
		return err
	}
	t, _, err := findAssociation(h.s.store.Snapshot(), scopeOf(ctx), a.ID)
	p.SubnetId, p.RouteTableId = a.Subnet, t.ID
	return err
}

func (h subnetAssociations) Delete(ctx context.Context, p *subnetAssociationProps) error {
	a, err := h.find(ctx, p)
	if err != nil {
		return nil //nolint:nilerr // gone already
	}
	if stays, ok := beside(ctx); ok && stays.SubnetId == p.SubnetId {
		_, err := h.move(ctx, a, stays.RouteTableId)
		return err
	}
	return ifThere(h.s.DisassociateRouteTable(ctx, &ec2api.DisassociateRouteTableInput{AssociationId: &a.ID}))
}
