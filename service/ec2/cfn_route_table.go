package ec2

import (
	"context"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// routeTableProps is AWS::EC2::RouteTable.
type routeTableProps struct {
	RouteTableId string `cfn:"id,readOnly"`         //nolint:revive // AWS's name
	VpcId        string `cfn:"required,createOnly"` //nolint:revive // AWS's name
	Tags         []cfn.Tag
}

type routeTables struct{ s *Service }

var _ cfn.Updater[routeTableProps] = routeTables{}

func (h routeTables) Create(ctx context.Context, p *routeTableProps) error {
	out, err := h.s.CreateRouteTable(ctx, &ec2api.CreateRouteTableInput{VpcId: &p.VpcId, TagSpecifications: stackTags(ctx, "route-table", p.Tags)})
	if err != nil {
		return err
	}
	p.RouteTableId = *out.RouteTable.RouteTableId
	return nil
}

func (h routeTables) Read(ctx context.Context, p *routeTableProps) error {
	t, err := routeTableKind.get(h.s.store.Snapshot(), scopeOf(ctx), p.RouteTableId)
	if err != nil {
		return err
	}
	p.VpcId, p.Tags = t.VPC, cfnTags(t.Tags)
	return nil
}

func (h routeTables) Update(ctx context.Context, _, after *routeTableProps) error {
	return setTags(ctx, h.s, routeTableKind, after.RouteTableId, after.Tags)
}

func (h routeTables) Delete(ctx context.Context, p *routeTableProps) error {
	return ifThere(h.s.DeleteRouteTable(ctx, &ec2api.DeleteRouteTableInput{RouteTableId: &p.RouteTableId}))
}
