package appmesh

import (
	"context"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// gateways are the virtual gateways of a mesh.
var gateways = &kind[api.VirtualGatewaySpec]{
	word: "VirtualGateway", table: VirtualGateways, most: gatewayMost,
	check: checkGateway, within: gatewayWithin, held: gatewayHeld,
}

// gatewayWithin holds a gateway's routes to its listeners.
func gatewayWithin(r store.Reader, g VirtualGateway) error {
	for route := range GatewayRoutes.List(r, g.Scope.Key(g.Mesh, g.Name, "")) {
		if err := enters(g, route.Spec); err != nil {
			return invalid("All Gateway Routes for this Virtual Gateway must fit its listeners, and GatewayRoute %s does not: %s", route.Name, message(err))
		}
	}
	return nil
}

func gatewayHeld(r store.Reader, g VirtualGateway) error {
	if some(GatewayRoutes, r, g.Scope.Key(g.Mesh, g.Name, "")) {
		return inUse("VirtualGateway with name %s cannot be deleted because it has active GatewayRoutes", g.Name)
	}
	return nil
}

// CreateVirtualGateway makes a virtual gateway, the way into a mesh.
func (s *Service) CreateVirtualGateway(ctx context.Context, in *api.CreateVirtualGatewayInput) (*api.CreateVirtualGatewayOutput, error) {
	r, err := create(ctx, s, gateways, in.MeshOwner, VirtualGateway{Mesh: *in.MeshName, Name: *in.VirtualGatewayName, Token: value(in.ClientToken), Spec: value(in.Spec)}, in.Tags)
	return &api.CreateVirtualGatewayOutput{VirtualGateway: gatewayData(r, active)}, err
}

// DescribeVirtualGateway tells about a virtual gateway.
func (s *Service) DescribeVirtualGateway(ctx context.Context, in *api.DescribeVirtualGatewayInput) (*api.DescribeVirtualGatewayOutput, error) {
	r, err := describe(ctx, s, gateways, in.MeshOwner, VirtualGateway{Mesh: *in.MeshName, Name: *in.VirtualGatewayName})
	return &api.DescribeVirtualGatewayOutput{VirtualGateway: gatewayData(r, active)}, err
}

// UpdateVirtualGateway overwrites a virtual gateway's spec.
func (s *Service) UpdateVirtualGateway(ctx context.Context, in *api.UpdateVirtualGatewayInput) (*api.UpdateVirtualGatewayOutput, error) {
	r, err := update(ctx, s, gateways, in.MeshOwner, VirtualGateway{Mesh: *in.MeshName, Name: *in.VirtualGatewayName, Token: value(in.ClientToken), Spec: value(in.Spec)})
	return &api.UpdateVirtualGatewayOutput{VirtualGateway: gatewayData(r, active)}, err
}

// DeleteVirtualGateway deletes a virtual gateway without gateway routes.
func (s *Service) DeleteVirtualGateway(ctx context.Context, in *api.DeleteVirtualGatewayInput) (*api.DeleteVirtualGatewayOutput, error) {
	r, err := remove(ctx, s, gateways, in.MeshOwner, VirtualGateway{Mesh: *in.MeshName, Name: *in.VirtualGatewayName})
	return &api.DeleteVirtualGatewayOutput{VirtualGateway: gatewayData(r, deleted)}, err
}

// ListVirtualGateways lists the virtual gateways of a mesh.
func (s *Service) ListVirtualGateways(ctx context.Context, in *api.ListVirtualGatewaysInput) (*api.ListVirtualGatewaysOutput, error) {
	found, next, err := list(ctx, s, gateways, in.MeshOwner, VirtualGateway{Mesh: *in.MeshName}, in.NextToken, in.Limit)
	out := &api.ListVirtualGatewaysOutput{VirtualGateways: []api.VirtualGatewayRef{}, NextToken: next}
	for _, r := range found {
		m := metadata(r)
		out.VirtualGateways = append(out.VirtualGateways, api.VirtualGatewayRef{
			Arn: m.Arn, CreatedAt: m.CreatedAt, LastUpdatedAt: m.LastUpdatedAt, MeshName: &r.Mesh, VirtualGatewayName: &r.Name,
			MeshOwner: m.MeshOwner, ResourceOwner: m.ResourceOwner, Version: m.Version,
		})
	}
	return out, err
}

func gatewayData(r VirtualGateway, status string) *api.VirtualGatewayData {
	return &api.VirtualGatewayData{
		MeshName: &r.Mesh, VirtualGatewayName: &r.Name, Metadata: metadata(r), Spec: &r.Spec,
		Status: &api.VirtualGatewayStatus{Status: api.VirtualGatewayStatusCode(status)},
	}
}
