package mesh

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
)

// loopback is where a gateway's proxy calls virtual services by itself, as a
// node's proxy does for its application: one hop by gateway routes, which turn
// a request into one for a virtual service, and one by that service's routes.
// App Mesh's Envoys did the same; theirs could be called from outside, too.
const loopback = "127.0.0.1"

// gatewayProxy makes what a gateway's proxy does: listeners that bind their
// ports, and virtual services behind them.
func (b *builder) gatewayProxy(spec api.VirtualGatewaySpec) {
	b.logs = accessLogs(gatewayLogging(spec.Logging))
	all := b.gatewayRoutes(b.self)
	order := gatewayOrder(all)
	pools := map[api.PortProtocol]*xdsapi.CircuitBreakers_Thresholds{}
	for _, l := range spec.Listeners {
		m := value(l.PortMapping)
		protocol := api.PortProtocol(m.Protocol)
		pools[protocol] = gatewayPool(l.ConnectionPool)
		b.gatewayListener(l, protocol)
		name := routesName("ingress", value(m.Port))
		b.rds[name] = &xdsapi.RouteConfiguration{Name: name, IgnorePortInHostMatching: true, VirtualHosts: b.gatewayHosts(value(m.Port), protocol, all, order)}
	}
	for p, pool := range pools {
		name := b.redirect(p)
		b.cds[name] = localCluster(name, loopback, egressPort, p, pool)
	}
	b.behind(spec, all, order)
}

// redirect is the cluster of the gateway itself.
func (b *builder) redirect(protocol api.PortProtocol) string {
	return "cds_ingress_" + b.mesh.Name + "_" + b.self + "_self_redirect_" + string(protocol) + "_" + strconv.Itoa(egressPort)
}

func (b *builder) gatewayListener(l api.VirtualGatewayListener, protocol api.PortProtocol) {
	port := value(value(l.PortMapping).Port)
	hcm := b.manager("ingress", port, protocol)
	chain := &xdsapi.FilterChain{Name: "ingress_" + strconv.Itoa(int(port))}
	name := listenerName("ingress", "0.0.0.0", port)
	out := &xdsapi.Listener{
		Name: name, Address: address("0.0.0.0", port), TrafficDirection: xdsapi.TrafficDirection_TRAFFICDIRECTION_INBOUND, FilterChains: []*xdsapi.FilterChain{chain},
	}
	tls := gatewayTLS(l.Tls)
	if tls.Validation != nil {
		hcm.ForwardClientCertDetails = xdsapi.HttpConnectionManager_SANITIZE_SET
		hcm.SetCurrentClientCertDetails = &xdsapi.HttpConnectionManager_SetCurrentClientCertDetails{Dns: true, Uri: true}
	}
	chain.Filters = []*xdsapi.Filter{manager(hcm)}
	if encrypted(tls.Mode) {
		chain.TransportSocket = downstream(tls, protocol, outsiders)
	}
	if tls.Mode == api.ListenerTlsModePermissive {
		plain := &xdsapi.FilterChain{Name: chain.Name + "_raw_buffer", Filters: chain.Filters, FilterChainMatch: &xdsapi.FilterChainMatch{TransportProtocol: "raw_buffer"}}
		chain.Name += "_tls"
		chain.FilterChainMatch = &xdsapi.FilterChainMatch{TransportProtocol: "tls"}
		out.FilterChains = append(out.FilterChains, plain)
		out.ListenerFilters = []*xdsapi.ListenerFilter{inspector(port)}
	}
	b.lds[name] = out
}

// gatewayHosts are the hosts that a gateway's routes are for. A host has the
// routes of every pattern that it matches, so that their order alone decides.
func (b *builder) gatewayHosts(port int32, protocol api.PortProtocol, all map[string]api.GatewayRouteSpec, order []string) []*xdsapi.VirtualHost {
	routes := map[string][]*xdsapi.Route{}
	for _, name := range order {
		routes[gatewayMatch(all[name]).host] = nil
	}
	for _, name := range order {
		m := gatewayMatch(all[name])
		if m.protocol != protocol || m.port != nil && *m.port != port {
			continue
		}
		for domain := range routes {
			if covers(m.host, domain) {
				routes[domain] = append(routes[domain], b.gatewayRouted(name, all[name], protocol)...)
			}
		}
	}
	var out []*xdsapi.VirtualHost
	for _, domain := range slices.Sorted(maps.Keys(routes)) {
		out = append(out, &xdsapi.VirtualHost{Name: domain, Domains: []string{domain}, Routes: routes[domain]})
	}
	return out
}

// covers says whether all that matches one pattern of hosts matches another:
// patterns are "*", "*.shop.example" or "www.shop.example".
func covers(pattern, host string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(host, suffix)
	}
	return pattern == host
}

// behind makes the virtual services that a gateway's routes go to, as backends
// with the gateway's client policy.
func (b *builder) behind(spec api.VirtualGatewaySpec, all map[string]api.GatewayRouteSpec, order []string) {
	policy := gatewayPolicy(value(spec.BackendDefaults).ClientPolicy)
	var hosts []*xdsapi.VirtualHost
	others := &xdsapi.VirtualHost{Name: "default_backend", Domains: []string{"*"}} // whose host stayed
	stays := map[string]bool{}
	for _, r := range all {
		if to := gatewayTarget(r); to.keepsHost {
			stays[to.host()] = true
		}
	}
	seen := map[string]bool{}
	for _, name := range order {
		service := gatewayTarget(all[name]).service
		if seen[service] || service == "" {
			continue
		}
		seen[service] = true
		bare := service // what is for the service without a port is for its first
		for _, e := range b.expand(backend{service, policy}) {
			if len(e.routes) == 0 {
				continue // TCP has no place behind a gateway
			}
			at := service + ":" + strconv.Itoa(int(e.port))
			names := []string{at}
			if bare != "" {
				names = []string{bare, at}
				bare = ""
			}
			hosts = append(hosts, &xdsapi.VirtualHost{Name: at, Domains: names, Routes: e.routes})
			for _, name := range names {
				if stays[name] {
					others.Routes = append(others.Routes, byHeader(e.routes, name)...)
				}
			}
		}
	}
	if len(hosts) == 0 {
		return
	}
	if len(others.Routes) > 0 {
		hosts = append(hosts, others)
	}
	name := routesName("egress", egressPort)
	b.rds[name] = &xdsapi.RouteConfiguration{Name: name, VirtualHosts: hosts}
	name = listenerName("egress", loopback, egressPort)
	b.lds[name] = &xdsapi.Listener{
		Name: name, Address: address(loopback, egressPort), TrafficDirection: xdsapi.TrafficDirection_TRAFFICDIRECTION_OUTBOUND,
		FilterChains: []*xdsapi.FilterChain{{Name: "egress", Filters: []*xdsapi.Filter{manager(b.manager("egress", egressPort, api.PortProtocolHttp))}}},
	}
}

// byHeader are the routes of a service for requests that say by a header that
// they are for it. The header goes no further.
func byHeader(routes []*xdsapi.Route, service string) (out []*xdsapi.Route) {
	for _, r := range routes {
		c := proto.CloneOf(r)
		c.Match.Headers = append(c.Match.Headers, pseudo(serviceHeader, service))
		c.RequestHeadersToRemove = []string{serviceHeader}
		out = append(out, c)
	}
	return out
}

// gatewayOrder is routeOrder for gateway routes.
func gatewayOrder(all map[string]api.GatewayRouteSpec) []string {
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(
			cmp.Compare(priorityOf(all[a].Priority), priorityOf(all[b].Priority)),
			narrower(gatewayMatch(all[a]).route, gatewayMatch(all[b]).route), cmp.Compare(a, b),
		)
	})
}
