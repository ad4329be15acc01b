package appmesh

import (
	"context"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// services are the virtual services of a mesh.
var services = &kind[api.VirtualServiceSpec]{
	word: "VirtualService", table: VirtualServices, most: serviceMost,
	check: checkService, within: serviceWithin, held: serviceHeld,
}

// checkService holds a service to one provider, or none yet.
func checkService(spec *api.VirtualServiceSpec) error {
	var c checker
	if p := spec.Provider; p != nil {
		c.exactly("spec.provider", choices{"virtualNode": p.VirtualNode != nil, "virtualRouter": p.VirtualRouter != nil})
	}
	return c.err()
}

// serviceWithin says whether the provider exists.
func serviceWithin(r store.Reader, v VirtualService) error {
	_, err := listenersOf(r, v)
	return err
}

// listenersOf are the listeners of a service's provider, none without one.
func listenersOf(r store.Reader, v VirtualService) ([]api.PortMapping, error) {
	var out []api.PortMapping
	switch p := v.Spec.Provider; {
	case p == nil:
	case p.VirtualNode != nil:
		n, err := VirtualNodes.Get(r, v.Scope.Key(v.Mesh, *p.VirtualNode.VirtualNodeName))
		if err != nil {
			return nil, missing("VirtualNode", *p.VirtualNode.VirtualNodeName)
		}
		for _, l := range n.Spec.Listeners {
			out = append(out, *l.PortMapping)
		}
	case p.VirtualRouter != nil:
		n, err := VirtualRouters.Get(r, v.Scope.Key(v.Mesh, *p.VirtualRouter.VirtualRouterName))
		if err != nil {
			return nil, missing("VirtualRouter", *p.VirtualRouter.VirtualRouterName)
		}
		for _, l := range n.Spec.Listeners {
			out = append(out, *l.PortMapping)
		}
	}
	return out, nil
}

// serviceHeld says which gateway routes name a service (observed words).
// Backends do not hold it: they are names only.
func serviceHeld(r store.Reader, v VirtualService) error {
	var by []string
	for route := range GatewayRoutes.List(r, v.Scope.Key(v.Mesh, "")) {
		if t := gatewayTarget(route.Spec); t != nil && *t.VirtualService.VirtualServiceName == v.Name {
			by = append(by, route.Name)
		}
	}
	if len(by) > 0 {
		return inUse("VirtualService %s is being referenced in the following: GATEWAY_ROUTE: %v", v.Name, by)
	}
	return nil
}

// CreateVirtualService makes a name that others send to, provided by a node or a router.
func (s *Service) CreateVirtualService(ctx context.Context, in *api.CreateVirtualServiceInput) (*api.CreateVirtualServiceOutput, error) {
	r, err := create(ctx, s, services, in.MeshOwner, VirtualService{Mesh: *in.MeshName, Name: *in.VirtualServiceName, Token: value(in.ClientToken), Spec: value(in.Spec)}, in.Tags)
	return &api.CreateVirtualServiceOutput{VirtualService: serviceData(r, active)}, err
}

// DescribeVirtualService tells about a virtual service.
func (s *Service) DescribeVirtualService(ctx context.Context, in *api.DescribeVirtualServiceInput) (*api.DescribeVirtualServiceOutput, error) {
	r, err := describe(ctx, s, services, in.MeshOwner, VirtualService{Mesh: *in.MeshName, Name: *in.VirtualServiceName})
	return &api.DescribeVirtualServiceOutput{VirtualService: serviceData(r, active)}, err
}

// UpdateVirtualService gives a virtual service another provider.
func (s *Service) UpdateVirtualService(ctx context.Context, in *api.UpdateVirtualServiceInput) (*api.UpdateVirtualServiceOutput, error) {
	r, err := update(ctx, s, services, in.MeshOwner, VirtualService{Mesh: *in.MeshName, Name: *in.VirtualServiceName, Token: value(in.ClientToken), Spec: value(in.Spec)})
	return &api.UpdateVirtualServiceOutput{VirtualService: serviceData(r, active)}, err
}

// DeleteVirtualService deletes a virtual service that no gateway route names.
func (s *Service) DeleteVirtualService(ctx context.Context, in *api.DeleteVirtualServiceInput) (*api.DeleteVirtualServiceOutput, error) {
	r, err := remove(ctx, s, services, in.MeshOwner, VirtualService{Mesh: *in.MeshName, Name: *in.VirtualServiceName})
	return &api.DeleteVirtualServiceOutput{VirtualService: serviceData(r, deleted)}, err
}

// ListVirtualServices lists the virtual services of a mesh.
func (s *Service) ListVirtualServices(ctx context.Context, in *api.ListVirtualServicesInput) (*api.ListVirtualServicesOutput, error) {
	found, next, err := list(ctx, s, services, in.MeshOwner, VirtualService{Mesh: *in.MeshName}, in.NextToken, in.Limit)
	out := &api.ListVirtualServicesOutput{VirtualServices: []api.VirtualServiceRef{}, NextToken: next}
	for _, r := range found {
		m := metadata(r)
		out.VirtualServices = append(out.VirtualServices, api.VirtualServiceRef{
			Arn: m.Arn, CreatedAt: m.CreatedAt, LastUpdatedAt: m.LastUpdatedAt, MeshName: &r.Mesh, VirtualServiceName: &r.Name,
			MeshOwner: m.MeshOwner, ResourceOwner: m.ResourceOwner, Version: m.Version,
		})
	}
	return out, err
}

func serviceData(r VirtualService, status string) *api.VirtualServiceData {
	return &api.VirtualServiceData{
		MeshName: &r.Mesh, VirtualServiceName: &r.Name, Metadata: metadata(r), Spec: &r.Spec,
		Status: &api.VirtualServiceStatus{Status: api.VirtualServiceStatusCode(status)},
	}
}
