package appmesh

import (
	"context"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// routers are the virtual routers of a mesh.
var routers = &kind[api.VirtualRouterSpec]{
	word: "VirtualRouter", table: VirtualRouters, most: routerMost,
	check: checkRouter, within: routerWithin, held: routerHeld,
}

// checkRouter tells a router's listeners apart by their ports.
func checkRouter(spec *api.VirtualRouterSpec) error {
	var c checker
	ports := portSet{}
	for i, l := range spec.Listeners {
		ports.add(&c, at("spec.listeners", i), *l.PortMapping.Port)
	}
	return c.err()
}

// routerWithin holds a router's routes to its listeners.
func routerWithin(r store.Reader, v VirtualRouter) error {
	for route := range Routes.List(r, v.Scope.Key(v.Mesh, v.Name, "")) {
		if err := listensFor(v, route.Spec); err != nil {
			return invalid("All Routes for this Virtual Router must fit its listeners, and Route %s does not: %s", route.Name, message(err))
		}
	}
	return nil
}

// routerHeld says who needs a router (the provider's words observed).
func routerHeld(r store.Reader, v VirtualRouter) error {
	for s := range VirtualServices.List(r, v.Scope.Key(v.Mesh, "")) {
		if p := s.Spec.Provider; p != nil && p.VirtualRouter != nil && *p.VirtualRouter.VirtualRouterName == v.Name {
			return inUse("VirtualRouter with name %s cannot be deleted because it is a VirtualService provider", v.Name)
		}
	}
	if some(Routes, r, v.Scope.Key(v.Mesh, v.Name, "")) {
		return inUse("VirtualRouter with name %s cannot be deleted because it has active Routes", v.Name)
	}
	return nil
}

// CreateVirtualRouter makes a virtual router, which holds routes.
func (s *Service) CreateVirtualRouter(ctx context.Context, in *api.CreateVirtualRouterInput) (*api.CreateVirtualRouterOutput, error) {
	r, err := create(ctx, s, routers, in.MeshOwner, VirtualRouter{Mesh: *in.MeshName, Name: *in.VirtualRouterName, Token: value(in.ClientToken), Spec: value(in.Spec)}, in.Tags)
	return &api.CreateVirtualRouterOutput{VirtualRouter: routerData(r, active)}, err
}

// DescribeVirtualRouter tells about a virtual router.
func (s *Service) DescribeVirtualRouter(ctx context.Context, in *api.DescribeVirtualRouterInput) (*api.DescribeVirtualRouterOutput, error) {
	r, err := describe(ctx, s, routers, in.MeshOwner, VirtualRouter{Mesh: *in.MeshName, Name: *in.VirtualRouterName})
	return &api.DescribeVirtualRouterOutput{VirtualRouter: routerData(r, active)}, err
}

// UpdateVirtualRouter overwrites a virtual router's listeners.
func (s *Service) UpdateVirtualRouter(ctx context.Context, in *api.UpdateVirtualRouterInput) (*api.UpdateVirtualRouterOutput, error) {
	r, err := update(ctx, s, routers, in.MeshOwner, VirtualRouter{Mesh: *in.MeshName, Name: *in.VirtualRouterName, Token: value(in.ClientToken), Spec: value(in.Spec)})
	return &api.UpdateVirtualRouterOutput{VirtualRouter: routerData(r, active)}, err
}

// DeleteVirtualRouter deletes a virtual router without routes that provides nothing.
func (s *Service) DeleteVirtualRouter(ctx context.Context, in *api.DeleteVirtualRouterInput) (*api.DeleteVirtualRouterOutput, error) {
	r, err := remove(ctx, s, routers, in.MeshOwner, VirtualRouter{Mesh: *in.MeshName, Name: *in.VirtualRouterName})
	return &api.DeleteVirtualRouterOutput{VirtualRouter: routerData(r, deleted)}, err
}

// ListVirtualRouters lists the virtual routers of a mesh.
func (s *Service) ListVirtualRouters(ctx context.Context, in *api.ListVirtualRoutersInput) (*api.ListVirtualRoutersOutput, error) {
	found, next, err := list(ctx, s, routers, in.MeshOwner, VirtualRouter{Mesh: *in.MeshName}, in.NextToken, in.Limit)
	out := &api.ListVirtualRoutersOutput{VirtualRouters: []api.VirtualRouterRef{}, NextToken: next}
	for _, r := range found {
		m := metadata(r)
		out.VirtualRouters = append(out.VirtualRouters, api.VirtualRouterRef{
			Arn: m.Arn, CreatedAt: m.CreatedAt, LastUpdatedAt: m.LastUpdatedAt, MeshName: &r.Mesh, VirtualRouterName: &r.Name,
			MeshOwner: m.MeshOwner, ResourceOwner: m.ResourceOwner, Version: m.Version,
		})
	}
	return out, err
}

func routerData(r VirtualRouter, status string) *api.VirtualRouterData {
	return &api.VirtualRouterData{
		MeshName: &r.Mesh, VirtualRouterName: &r.Name, Metadata: metadata(r), Spec: &r.Spec,
		Status: &api.VirtualRouterStatus{Status: api.VirtualRouterStatusCode(status)},
	}
}
