package appmesh

import (
	"context"
	"reflect"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// gatewayRoutes are the gateway routes of a virtual gateway.
var gatewayRoutes = &kind[api.GatewayRouteSpec]{
	word: "GatewayRoute", parent: "VirtualGateway", table: GatewayRoutes, most: gatewayRouteMost,
	check: checkGatewayRoute, within: gatewayRouteWithin,
	home: func(r store.Reader, v GatewayRoute) error {
		_, err := gateways.find(r, VirtualGateway{Scope: v.Scope, Mesh: v.Mesh, Name: v.Parent})
		return err
	},
}

// gatewayRouteWithin holds a gateway route to its gateway's listeners, to a
// service that exists, and to a match that no other route of the gateway has.
func gatewayRouteWithin(r store.Reader, v GatewayRoute) error {
	g, err := VirtualGateways.Get(r, v.Scope.Key(v.Mesh, v.Parent))
	if err != nil {
		return err
	}
	if err := enters(g, v.Spec); err != nil {
		return err
	}
	t := gatewayTarget(v.Spec)
	name := *t.VirtualService.VirtualServiceName
	to, err := VirtualServices.Get(r, v.Scope.Key(v.Mesh, name))
	if err != nil {
		return missing("VirtualService", name)
	}
	if err := serves(r, to, t.Port); err != nil {
		return err
	}
	for other := range GatewayRoutes.List(r, under(v)) {
		if other.Name != v.Name && reflect.DeepEqual(gatewayMatch(other.Spec), gatewayMatch(v.Spec)) && value(other.Spec.Priority) == value(v.Spec.Priority) {
			return invalid("GatewayRoute %s of VirtualGateway %s has the same match and the same priority", other.Name, v.Parent)
		}
	}
	return nil
}

// serves says whether a service's provider listens on a port; none is enough
// when it has one listener (App Mesh user guide, Gateway routes).
func serves(r store.Reader, to VirtualService, port *int32) error {
	listeners, err := listenersOf(r, to)
	if err != nil {
		return err
	}
	if port == nil {
		if len(listeners) > 1 {
			return invalid("A gateway route must define a target port if the provider of its Virtual Service has multiple listeners, as that of %s has", to.Name)
		}
		return nil
	}
	for _, l := range listeners {
		if *l.Port == *port {
			return nil
		}
	}
	return invalid("The provider of VirtualService %s has no listener on port %d", to.Name, *port)
}

// enters says whether a gateway has the listener that a route is for.
func enters(g VirtualGateway, spec api.GatewayRouteSpec) error {
	protocol, port := gatewayPort(spec)
	if port == nil && len(g.Spec.Listeners) > 1 {
		return invalid("Gateway Route must define a port match criteria if the Virtual Gateway has multiple listeners")
	}
	for _, l := range g.Spec.Listeners {
		m := l.PortMapping
		if port != nil && *m.Port != *port {
			continue
		}
		if m.Protocol != protocol {
			return invalid("A gateway route of the protocol %s cannot match the listener of VirtualGateway %s on port %d, which is %s", protocol, g.Name, *m.Port, m.Protocol)
		}
		return nil
	}
	return invalid("VirtualGateway %s has no listener on port %d", g.Name, value(port))
}

// gatewayPort is the protocol of a gateway route, and the port it matches.
func gatewayPort(spec api.GatewayRouteSpec) (api.VirtualGatewayPortProtocol, *int32) {
	switch {
	case spec.HttpRoute != nil:
		return api.VirtualGatewayPortProtocolHttp, spec.HttpRoute.Match.Port
	case spec.Http2Route != nil:
		return api.VirtualGatewayPortProtocolHttp2, spec.Http2Route.Match.Port
	}
	return api.VirtualGatewayPortProtocolGrpc, spec.GrpcRoute.Match.Port
}

// gatewayTarget is where a gateway route leads.
func gatewayTarget(spec api.GatewayRouteSpec) *api.GatewayRouteTarget {
	switch {
	case spec.HttpRoute != nil:
		return spec.HttpRoute.Action.Target
	case spec.Http2Route != nil:
		return spec.Http2Route.Action.Target
	}
	return spec.GrpcRoute.Action.Target
}

// gatewayMatch is what a gateway route matches.
func gatewayMatch(spec api.GatewayRouteSpec) any {
	switch {
	case spec.HttpRoute != nil:
		return *spec.HttpRoute.Match
	case spec.Http2Route != nil:
		return *spec.Http2Route.Match
	}
	return *spec.GrpcRoute.Match
}

// CreateGatewayRoute makes a route from a virtual gateway to a virtual service.
func (s *Service) CreateGatewayRoute(ctx context.Context, in *api.CreateGatewayRouteInput) (*api.CreateGatewayRouteOutput, error) {
	r, err := create(ctx, s, gatewayRoutes, in.MeshOwner, GatewayRoute{Mesh: *in.MeshName, Name: *in.GatewayRouteName, Parent: *in.VirtualGatewayName, Token: value(in.ClientToken), Spec: value(in.Spec)}, in.Tags)
	return &api.CreateGatewayRouteOutput{GatewayRoute: gatewayRouteData(r, active)}, err
}

// DescribeGatewayRoute tells about a gateway route.
func (s *Service) DescribeGatewayRoute(ctx context.Context, in *api.DescribeGatewayRouteInput) (*api.DescribeGatewayRouteOutput, error) {
	r, err := describe(ctx, s, gatewayRoutes, in.MeshOwner, GatewayRoute{Mesh: *in.MeshName, Name: *in.GatewayRouteName, Parent: *in.VirtualGatewayName})
	return &api.DescribeGatewayRouteOutput{GatewayRoute: gatewayRouteData(r, active)}, err
}

// UpdateGatewayRoute overwrites a gateway route's spec.
func (s *Service) UpdateGatewayRoute(ctx context.Context, in *api.UpdateGatewayRouteInput) (*api.UpdateGatewayRouteOutput, error) {
	r, err := update(ctx, s, gatewayRoutes, in.MeshOwner, GatewayRoute{Mesh: *in.MeshName, Name: *in.GatewayRouteName, Parent: *in.VirtualGatewayName, Token: value(in.ClientToken), Spec: value(in.Spec)})
	return &api.UpdateGatewayRouteOutput{GatewayRoute: gatewayRouteData(r, active)}, err
}

// DeleteGatewayRoute deletes a gateway route.
func (s *Service) DeleteGatewayRoute(ctx context.Context, in *api.DeleteGatewayRouteInput) (*api.DeleteGatewayRouteOutput, error) {
	r, err := remove(ctx, s, gatewayRoutes, in.MeshOwner, GatewayRoute{Mesh: *in.MeshName, Name: *in.GatewayRouteName, Parent: *in.VirtualGatewayName})
	return &api.DeleteGatewayRouteOutput{GatewayRoute: gatewayRouteData(r, deleted)}, err
}

// ListGatewayRoutes lists the gateway routes of a virtual gateway.
func (s *Service) ListGatewayRoutes(ctx context.Context, in *api.ListGatewayRoutesInput) (*api.ListGatewayRoutesOutput, error) {
	found, next, err := list(ctx, s, gatewayRoutes, in.MeshOwner, GatewayRoute{Mesh: *in.MeshName, Parent: *in.VirtualGatewayName}, in.NextToken, in.Limit)
	out := &api.ListGatewayRoutesOutput{GatewayRoutes: []api.GatewayRouteRef{}, NextToken: next}
	for _, r := range found {
		m := metadata(r)
		out.GatewayRoutes = append(out.GatewayRoutes, api.GatewayRouteRef{
			Arn: m.Arn, CreatedAt: m.CreatedAt, LastUpdatedAt: m.LastUpdatedAt, MeshName: &r.Mesh, GatewayRouteName: &r.Name, VirtualGatewayName: &r.Parent,
			MeshOwner: m.MeshOwner, ResourceOwner: m.ResourceOwner, Version: m.Version,
		})
	}
	return out, err
}

func gatewayRouteData(r GatewayRoute, status string) *api.GatewayRouteData {
	return &api.GatewayRouteData{
		MeshName: &r.Mesh, GatewayRouteName: &r.Name, VirtualGatewayName: &r.Parent, Metadata: metadata(r), Spec: &r.Spec,
		Status: &api.GatewayRouteStatus{Status: api.GatewayRouteStatusCode(status)},
	}
}
