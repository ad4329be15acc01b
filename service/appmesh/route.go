package appmesh

import (
	"context"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// routes are the routes of a virtual router.
var routes = &kind[api.RouteSpec]{
	word: "Route", parent: "VirtualRouter", table: Routes, most: routeMost,
	check: checkRoute, within: routeWithin,
	home: func(r store.Reader, v Route) error {
		_, err := routers.find(r, VirtualRouter{Scope: v.Scope, Mesh: v.Mesh, Name: v.Parent})
		return err
	},
}

// routeWithin holds a route to its router's listeners, and its targets to
// nodes that exist and listen on the ports named.
func routeWithin(r store.Reader, v Route) error {
	router, err := VirtualRouters.Get(r, v.Scope.Key(v.Mesh, v.Parent))
	if err != nil {
		return err
	}
	if err := listensFor(router, v.Spec); err != nil {
		return err
	}
	for _, t := range targetsOf(v.Spec) {
		n, err := VirtualNodes.Get(r, v.Scope.Key(v.Mesh, *t.VirtualNode))
		if err != nil {
			return missing("VirtualNode", *t.VirtualNode)
		}
		if err := portOf(n, t.Port); err != nil {
			return err
		}
	}
	return nil
}

// listensFor says whether a router has the listener that a route is for: of
// the route's protocol, on the port that it matches (App Mesh user guide,
// Routes). A router without listeners takes any route.
func listensFor(v VirtualRouter, spec api.RouteSpec) error {
	protocol, port := routePort(spec)
	listeners := v.Spec.Listeners
	if port == nil && len(listeners) > 1 {
		return invalid("Route must define a port match criteria if the Virtual Router has multiple listeners")
	}
	for _, l := range listeners {
		m := l.PortMapping
		if port != nil && *m.Port != *port {
			continue
		}
		if m.Protocol != protocol {
			return invalid("A route of the protocol %s cannot match the listener of VirtualRouter %s on port %d, which is %s", protocol, v.Name, *m.Port, m.Protocol)
		}
		return nil
	}
	if port != nil && len(listeners) > 0 {
		return invalid("VirtualRouter %s has no listener on port %d", v.Name, *port)
	}
	return nil
}

// routePort is the protocol of a route, and the port that it matches.
func routePort(spec api.RouteSpec) (api.PortProtocol, *int32) {
	switch {
	case spec.HttpRoute != nil:
		return api.PortProtocolHttp, spec.HttpRoute.Match.Port
	case spec.Http2Route != nil:
		return api.PortProtocolHttp2, spec.Http2Route.Match.Port
	case spec.GrpcRoute != nil:
		return api.PortProtocolGrpc, spec.GrpcRoute.Match.Port
	}
	return api.PortProtocolTcp, value(spec.TcpRoute.Match).Port
}

// targetsOf are a route's weighted targets.
func targetsOf(spec api.RouteSpec) []api.WeightedTarget {
	switch {
	case spec.HttpRoute != nil:
		return spec.HttpRoute.Action.WeightedTargets
	case spec.Http2Route != nil:
		return spec.Http2Route.Action.WeightedTargets
	case spec.GrpcRoute != nil:
		return spec.GrpcRoute.Action.WeightedTargets
	}
	return spec.TcpRoute.Action.WeightedTargets
}

// portOf says whether a node listens on a port; none is enough when it has one
// listener.
func portOf(n VirtualNode, port *int32) error {
	if port == nil {
		if len(n.Spec.Listeners) > 1 {
			return invalid("A target must define a port if the Virtual Node has multiple listeners, as %s has", n.Name)
		}
		return nil
	}
	for _, l := range n.Spec.Listeners {
		if *l.PortMapping.Port == *port {
			return nil
		}
	}
	return invalid("VirtualNode %s has no listener on port %d", n.Name, *port)
}

// CreateRoute makes a route of a virtual router to virtual nodes.
func (s *Service) CreateRoute(ctx context.Context, in *api.CreateRouteInput) (*api.CreateRouteOutput, error) {
	r, err := create(ctx, s, routes, in.MeshOwner, Route{Mesh: *in.MeshName, Name: *in.RouteName, Parent: *in.VirtualRouterName, Token: value(in.ClientToken), Spec: value(in.Spec)}, in.Tags)
	return &api.CreateRouteOutput{Route: routeData(r, active)}, err
}

// DescribeRoute tells about a route.
func (s *Service) DescribeRoute(ctx context.Context, in *api.DescribeRouteInput) (*api.DescribeRouteOutput, error) {
	r, err := describe(ctx, s, routes, in.MeshOwner, Route{Mesh: *in.MeshName, Name: *in.RouteName, Parent: *in.VirtualRouterName})
	return &api.DescribeRouteOutput{Route: routeData(r, active)}, err
}

// UpdateRoute overwrites a route's spec.
func (s *Service) UpdateRoute(ctx context.Context, in *api.UpdateRouteInput) (*api.UpdateRouteOutput, error) {
	r, err := update(ctx, s, routes, in.MeshOwner, Route{Mesh: *in.MeshName, Name: *in.RouteName, Parent: *in.VirtualRouterName, Token: value(in.ClientToken), Spec: value(in.Spec)})
	return &api.UpdateRouteOutput{Route: routeData(r, active)}, err
}

// DeleteRoute deletes a route.
func (s *Service) DeleteRoute(ctx context.Context, in *api.DeleteRouteInput) (*api.DeleteRouteOutput, error) {
	r, err := remove(ctx, s, routes, in.MeshOwner, Route{Mesh: *in.MeshName, Name: *in.RouteName, Parent: *in.VirtualRouterName})
	return &api.DeleteRouteOutput{Route: routeData(r, deleted)}, err
}

// ListRoutes lists the routes of a virtual router.
func (s *Service) ListRoutes(ctx context.Context, in *api.ListRoutesInput) (*api.ListRoutesOutput, error) {
	found, next, err := list(ctx, s, routes, in.MeshOwner, Route{Mesh: *in.MeshName, Parent: *in.VirtualRouterName}, in.NextToken, in.Limit)
	out := &api.ListRoutesOutput{Routes: []api.RouteRef{}, NextToken: next}
	for _, r := range found {
		m := metadata(r)
		out.Routes = append(out.Routes, api.RouteRef{
			Arn: m.Arn, CreatedAt: m.CreatedAt, LastUpdatedAt: m.LastUpdatedAt, MeshName: &r.Mesh, RouteName: &r.Name, VirtualRouterName: &r.Parent,
			MeshOwner: m.MeshOwner, ResourceOwner: m.ResourceOwner, Version: m.Version,
		})
	}
	return out, err
}

func routeData(r Route, status string) *api.RouteData {
	return &api.RouteData{
		MeshName: &r.Mesh, RouteName: &r.Name, VirtualRouterName: &r.Parent, Metadata: metadata(r), Spec: &r.Spec,
		Status: &api.RouteStatus{Status: api.RouteStatusCode(status)},
	}
}
