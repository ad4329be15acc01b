package mesh

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
)

// gatewayMatched is what a gateway route takes.
type gatewayMatched struct {
	protocol api.PortProtocol
	host     string // a pattern, "*" for all
	port     *int32
	route    *xdsapi.RouteMatch
}

func gatewayMatch(r api.GatewayRouteSpec) gatewayMatched {
	if g := r.GrpcRoute; g != nil {
		m := value(g.Match)
		match := api.GrpcRouteMatch{ServiceName: m.ServiceName}
		for _, d := range m.Metadata {
			var by *api.GrpcRouteMetadataMatchMethod
			if d.Match != nil {
				by = new(api.GrpcRouteMetadataMatchMethod(*d.Match))
			}
			match.Metadata = append(match.Metadata, api.GrpcRouteMetadata{Name: d.Name, Invert: d.Invert, Match: by})
		}
		return gatewayMatched{api.PortProtocolGrpc, hostPattern(m.Hostname), m.Port, grpcMatch(match)}
	}
	protocol := api.PortProtocolHttp
	if r.HttpRoute == nil {
		protocol = api.PortProtocolHttp2
	}
	m := value(httpGatewayRoute(r).Match)
	match := api.HttpRouteMatch{Method: m.Method, Path: m.Path, Prefix: m.Prefix, QueryParameters: m.QueryParameters}
	for _, h := range m.Headers {
		match.Headers = append(match.Headers, api.HttpRouteHeader(h))
	}
	return gatewayMatched{protocol, hostPattern(m.Hostname), m.Port, httpMatch(match)}
}

func httpGatewayRoute(r api.GatewayRouteSpec) api.HttpGatewayRoute {
	if r.HttpRoute != nil {
		return *r.HttpRoute
	}
	return value(r.Http2Route)
}

func hostPattern(h *api.GatewayRouteHostnameMatch) string {
	switch m := value(h); {
	case m.Exact != nil:
		return strings.ToLower(*m.Exact)
	case m.Suffix != nil:
		return "*" + strings.ToLower(*m.Suffix)
	}
	return "*"
}

// gatewayTo is where a gateway route goes.
type gatewayTo struct {
	service   string
	port      *int32
	keepsHost bool // the host that was asked for
}

// host is how the target is named: its first port needs no telling.
func (to gatewayTo) host() string {
	if to.port == nil {
		return to.service
	}
	return to.service + ":" + strconv.Itoa(int(*to.port))
}

func gatewayTarget(r api.GatewayRouteSpec) gatewayTo {
	var target *api.GatewayRouteTarget
	var hostname *api.GatewayRouteHostnameRewrite
	if g := r.GrpcRoute; g != nil {
		target, hostname = value(g.Action).Target, value(value(g.Action).Rewrite).Hostname
	} else {
		a := value(httpGatewayRoute(r).Action)
		target, hostname = a.Target, value(a.Rewrite).Hostname
	}
	keeps := value(hostname).DefaultTargetHostname == api.DefaultGatewayRouteRewriteDisabled
	return gatewayTo{value(value(value(target).VirtualService).VirtualServiceName), value(target).Port, keeps}
}

// serviceHeader carries a virtual service's name from a gateway's route to the
// routes of the service when the host is not to be rewritten to it (dumps of
// App Mesh's Envoys).
const serviceHeader = "x-app-mesh-virtual-service"

// gatewayRouted turns requests into some for the target's virtual service. The
// host becomes the service's name, which is what its routes are found by,
// unless the route wants it to stay.
func (b *builder) gatewayRouted(name string, r api.GatewayRouteSpec, protocol api.PortProtocol) []*xdsapi.Route {
	to := gatewayTarget(r)
	a := &xdsapi.RouteAction{ClusterSpecifier: &xdsapi.RouteAction_Cluster{Cluster: b.redirect(protocol)}, Timeout: defaultTimeout}
	out := &xdsapi.Route{Name: name, Match: gatewayMatch(r).route, Action: &xdsapi.Route_Route{Route: a}}
	if to.keepsHost {
		out.RequestHeadersToAdd = []*xdsapi.HeaderValueOption{{
			Header: &xdsapi.HeaderValue{Key: serviceHeader, Value: to.host()}, AppendAction: xdsapi.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		}}
	} else {
		a.HostRewriteSpecifier = &xdsapi.RouteAction_HostRewriteLiteral{HostRewriteLiteral: to.host()}
	}
	prefix, rewrite := rewriting(r)
	if _, byExpression := out.Match.PathSpecifier.(*xdsapi.RouteMatch_SafeRegex); byExpression && rewrite != "" {
		a.RegexRewrite = &xdsapi.RegexMatchAndSubstitute{Pattern: expression("^/.*$"), Substitution: strings.ReplaceAll(rewrite, `\`, `\\`)}
		return []*xdsapi.Route{out}
	}
	a.PrefixRewrite = rewrite
	if prefix == "" || rewrite == "" || strings.HasSuffix(prefix, "/") || !strings.HasSuffix(rewrite, "/") {
		return []*xdsapi.Route{out}
	}
	// "/chat/room" with "/chat" taken for "/" is "/room", and not "//room"
	below := proto.CloneOf(out)
	below.Match.PathSpecifier = &xdsapi.RouteMatch_Prefix{Prefix: prefix + "/"}
	return []*xdsapi.Route{below, out}
}

// rewriting is the prefix that a route matches, and what takes the place of
// what was matched; empty for nothing. A prefix becomes "/" when it is not said
// otherwise (App Mesh user guide, Gateway routes, "By default, the gateway route
// rewrites").
func rewriting(r api.GatewayRouteSpec) (prefix, rewrite string) {
	if r.GrpcRoute != nil {
		return "", ""
	}
	h := httpGatewayRoute(r)
	m, w := value(h.Match), value(value(h.Action).Rewrite)
	switch {
	case w.Path != nil:
		return "", value(w.Path.Exact)
	case m.Prefix == nil || *m.Prefix == "/" && w.Prefix == nil:
		return "", ""
	case w.Prefix == nil:
		return *m.Prefix, "/"
	case w.Prefix.Value != nil:
		return *m.Prefix, *w.Prefix.Value
	case w.Prefix.DefaultPrefix == api.DefaultGatewayRouteRewriteDisabled:
		return "", ""
	}
	return *m.Prefix, "/"
}
