package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/manifest"
)

// routeOf finds the route by which a service is called: its name, and the router it belongs to. chosen says which if there are several.
func (p *platform) routeOf(ctx context.Context, s *manifest.Service, chosen string) (*appmeshapi.RouteData, error) {
	host := p.names.Host(s)
	vs, err := call[appmeshapi.DescribeVirtualServiceInput, appmeshapi.DescribeVirtualServiceOutput](ctx, p.client, "appmesh", "DescribeVirtualService",
		&appmeshapi.DescribeVirtualServiceInput{MeshName: new(p.names.Mesh()), VirtualServiceName: &host})
	if isCode(err, "NotFoundException") {
		return nil, fmt.Errorf("%s is not in mesh %s yet; deploy it with: slipway deploy", host, p.names.Mesh())
	}
	if err != nil {
		return nil, err
	}
	var router *appmeshapi.VirtualRouterServiceProvider
	if spec := vs.VirtualService.Spec; spec != nil && spec.Provider != nil {
		router = spec.Provider.VirtualRouter
	}
	if router == nil {
		return nil, fmt.Errorf("%s has no virtual router, whose weights could be shifted", host)
	}
	names, err := p.routeNames(ctx, router.VirtualRouterName)
	if err != nil {
		return nil, err
	}
	switch {
	case chosen != "" && !slices.Contains(names, chosen):
		return nil, usage("there is no route %s at %s (routes: %s)", chosen, *router.VirtualRouterName, strings.Join(names, ", "))
	case chosen == "" && len(names) > 1:
		return nil, usage("%s has several routes; choose one with --route (%s)", *router.VirtualRouterName, strings.Join(names, ", "))
	case len(names) == 0:
		return nil, fmt.Errorf("%s has no route", *router.VirtualRouterName)
	case chosen == "":
		chosen = names[0]
	}
	got, err := call[appmeshapi.DescribeRouteInput, appmeshapi.DescribeRouteOutput](ctx, p.client, "appmesh", "DescribeRoute",
		&appmeshapi.DescribeRouteInput{MeshName: new(p.names.Mesh()), VirtualRouterName: router.VirtualRouterName, RouteName: &chosen})
	if err != nil {
		return nil, err
	}
	return got.Route, nil
}

func (p *platform) routeNames(ctx context.Context, router *string) ([]string, error) {
	in := &appmeshapi.ListRoutesInput{MeshName: new(p.names.Mesh()), VirtualRouterName: router}
	var names []string
	for {
		list, err := call[appmeshapi.ListRoutesInput, appmeshapi.ListRoutesOutput](ctx, p.client, "appmesh", "ListRoutes", in)
		if err != nil {
			return nil, err
		}
		for _, r := range list.Routes {
			names = append(names, val(r.RouteName))
		}
		if list.NextToken == nil {
			return names, nil
		}
		in.NextToken = list.NextToken
	}
}

// nodeCalled finds the virtual node that a word means: its name, or a version, as v2 is payment-v2-node-dev of payment.
func (p *platform) nodeCalled(ctx context.Context, s *manifest.Service, word string) (string, error) {
	in := &appmeshapi.ListVirtualNodesInput{MeshName: new(p.names.Mesh())}
	var all []string
	for {
		list, err := call[appmeshapi.ListVirtualNodesInput, appmeshapi.ListVirtualNodesOutput](ctx, p.client, "appmesh", "ListVirtualNodes", in)
		if err != nil {
			return "", err
		}
		for _, n := range list.VirtualNodes {
			all = append(all, val(n.VirtualNodeName))
		}
		if list.NextToken == nil {
			break
		}
		in.NextToken = list.NextToken
	}
	for _, name := range []string{word, p.names.Node(s.Name + "-" + word), p.names.Node(word)} {
		if !slices.Contains(all, name) {
			continue
		}
		if other := p.member(name); other != name && other != s.Name {
			return "", usage("%s is the service %s, no version of %s", name, other, s.Name)
		}
		return name, nil
	}
	return "", usage("there is no virtual node %s in %s (nodes: %s)", word, p.names.Mesh(), strings.Join(all, ", "))
}

// setWeights puts weights on a route and leaves everything else of it as it is.
func (p *platform) setWeights(ctx context.Context, r *appmeshapi.RouteData, targets []appmeshapi.WeightedTarget) error {
	_, err := call[appmeshapi.UpdateRouteInput, appmeshapi.UpdateRouteOutput](ctx, p.client, "appmesh", "UpdateRoute", &appmeshapi.UpdateRouteInput{
		MeshName: r.MeshName, VirtualRouterName: r.VirtualRouterName, RouteName: r.RouteName, Spec: withTargets(*r.Spec, targets),
	})
	return err
}

// targetsOf are a route's weighted targets.
func targetsOf(spec *appmeshapi.RouteSpec) []appmeshapi.WeightedTarget {
	switch {
	case spec.HttpRoute != nil:
		return spec.HttpRoute.Action.WeightedTargets
	case spec.Http2Route != nil:
		return spec.Http2Route.Action.WeightedTargets
	case spec.GrpcRoute != nil:
		return spec.GrpcRoute.Action.WeightedTargets
	case spec.TcpRoute != nil:
		return spec.TcpRoute.Action.WeightedTargets
	}
	return nil
}

// withTargets is a spec with other targets; the one it is given stays as it is.
func withTargets(spec appmeshapi.RouteSpec, targets []appmeshapi.WeightedTarget) *appmeshapi.RouteSpec {
	switch {
	case spec.HttpRoute != nil:
		r := *spec.HttpRoute
		r.Action = &appmeshapi.HttpRouteAction{WeightedTargets: targets}
		spec.HttpRoute = &r
	case spec.Http2Route != nil:
		r := *spec.Http2Route
		r.Action = &appmeshapi.HttpRouteAction{WeightedTargets: targets}
		spec.Http2Route = &r
	case spec.GrpcRoute != nil:
		r := *spec.GrpcRoute
		r.Action = &appmeshapi.GrpcRouteAction{WeightedTargets: targets}
		spec.GrpcRoute = &r
	case spec.TcpRoute != nil:
		r := *spec.TcpRoute
		r.Action = &appmeshapi.TcpRouteAction{WeightedTargets: targets}
		spec.TcpRoute = &r
	}
	return &spec
}

// shares gives one node so many of 100 and divides the rest among the others as it was divided before; equally if it was not. Nodes that
// have nothing stay, with 0, so that the way back is short.
func shares(before []appmeshapi.WeightedTarget, to string, weight int32) ([]appmeshapi.WeightedTarget, error) {
	out := slices.Clone(before)
	at := slices.IndexFunc(out, func(t appmeshapi.WeightedTarget) bool { return val(t.VirtualNode) == to })
	if at < 0 {
		var port *int32
		if len(out) > 0 {
			port = out[0].Port
		}
		at, out = len(out), append(out, appmeshapi.WeightedTarget{VirtualNode: &to, Port: port})
	}
	sum, most := int32(0), -1 // of the others, and which of them has most
	for i, t := range out {
		if i != at {
			sum += val(t.Weight)
			if most < 0 || val(t.Weight) > val(out[most].Weight) {
				most = i
			}
		}
	}
	if most < 0 && weight < 100 {
		return nil, usage("%s is the route's only target; it cannot have less than all", to)
	}
	left := 100 - weight
	for i := range out {
		switch old := val(out[i].Weight); {
		case i == at:
			out[i].Weight = new(weight)
			continue
		case sum == 0:
			out[i].Weight = new((100 - weight) / int32(len(out)-1))
		default:
			out[i].Weight = new((100 - weight) * old / sum)
		}
		left -= *out[i].Weight
	}
	if most >= 0 { // what rounding leaves
		out[most].Weight = new(*out[most].Weight + left)
	}
	return out, nil
}

// weightsText is payment-node-dev 95, payment-v2-node-dev 5.
func weightsText(targets []appmeshapi.WeightedTarget) string {
	var out []string
	for _, t := range targets {
		out = append(out, fmt.Sprintf("%s %d", val(t.VirtualNode), val(t.Weight)))
	}
	return strings.Join(out, ", ")
}
