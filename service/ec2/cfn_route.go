package ec2

import (
	"context"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// routeProps is AWS::EC2::Route. Its id is "<route table>|<destination>".
type routeProps struct {
	Id                      string `cfn:"id,kept"`             //nolint:revive // AWS's name
	RouteTableId            string `cfn:"required,createOnly"` //nolint:revive // AWS's name
	DestinationCidrBlock    string `cfn:"createOnly"`
	DestinationPrefixListId string `cfn:"createOnly"` //nolint:revive // AWS's name
	GatewayId               string //nolint:revive // AWS's name
	NatGatewayId            string //nolint:revive // AWS's name
	NetworkInterfaceId      string //nolint:revive // AWS's name
	VpcEndpointId           string //nolint:revive // AWS's name
	VpcPeeringConnectionId  string //nolint:revive // AWS's name
	TransitGatewayId        string //nolint:revive // AWS's name
	InstanceId              string //nolint:revive // AWS's name
	CidrBlock               string `cfn:"readOnly"`
}

type routes struct{ s *Service }

var _ cfn.Updater[routeProps] = routes{}

func (h routes) Create(ctx context.Context, p *routeProps) error {
	_, err := h.s.CreateRoute(ctx, &ec2api.CreateRouteInput{
		RouteTableId: &p.RouteTableId, DestinationCidrBlock: opt(p.DestinationCidrBlock), DestinationPrefixListId: opt(p.DestinationPrefixListId),
		GatewayId: opt(p.GatewayId), NatGatewayId: opt(p.NatGatewayId), NetworkInterfaceId: opt(p.NetworkInterfaceId), VpcEndpointId: opt(p.VpcEndpointId),
		VpcPeeringConnectionId: opt(p.VpcPeeringConnectionId), TransitGatewayId: opt(p.TransitGatewayId), InstanceId: opt(p.InstanceId),
	})
	if err != nil {
		return err
	}
	p.Id, p.CidrBlock = p.RouteTableId+"|"+p.DestinationCidrBlock+p.DestinationPrefixListId, p.DestinationCidrBlock
	return nil
}

func (h routes) Read(ctx context.Context, p *routeProps) error {
	table, destination, _ := strings.Cut(p.Id, "|")
	t, err := routeTableKind.get(h.s.store.Snapshot(), scopeOf(ctx), table)
	if err != nil {
		return err
	}
	canonical, err := destinationOf(opt(destination), nil, nil)
	if strings.HasPrefix(destination, "pl-") || err != nil {
		canonical = destination
	}
	n := slices.IndexFunc(t.Routes, func(r Route) bool { return r.Destination == canonical })
	if n < 0 {
		return store.ErrNotFound
	}
	p.GatewayId, p.NatGatewayId, p.NetworkInterfaceId, p.VpcEndpointId = "", "", "", ""
	switch target := t.Routes[n].Target; {
	case strings.HasPrefix(target, "nat-"):
		p.NatGatewayId = target
	case strings.HasPrefix(target, "eni-"):
		p.NetworkInterfaceId = target
	case strings.HasPrefix(target, "vpce-"):
		p.VpcEndpointId = target
	default:
		p.GatewayId = target
	}
	p.RouteTableId = table
	return nil
}

func (h routes) Update(ctx context.Context, _, p *routeProps) error {
	_, err := h.s.ReplaceRoute(ctx, &ec2api.ReplaceRouteInput{
		RouteTableId: &p.RouteTableId, DestinationCidrBlock: opt(p.DestinationCidrBlock), DestinationPrefixListId: opt(p.DestinationPrefixListId),
		GatewayId: opt(p.GatewayId), NatGatewayId: opt(p.NatGatewayId), NetworkInterfaceId: opt(p.NetworkInterfaceId), VpcEndpointId: opt(p.VpcEndpointId),
		VpcPeeringConnectionId: opt(p.VpcPeeringConnectionId), TransitGatewayId: opt(p.TransitGatewayId), InstanceId: opt(p.InstanceId),
	})
	return err
}

func (h routes) Delete(ctx context.Context, p *routeProps) error {
	return ifThere(h.s.DeleteRoute(ctx, &ec2api.DeleteRouteInput{
		RouteTableId: &p.RouteTableId, DestinationCidrBlock: opt(p.DestinationCidrBlock), DestinationPrefixListId: opt(p.DestinationPrefixListId),
	}))
}
