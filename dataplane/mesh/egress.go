package mesh

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"google.golang.org/protobuf/types/known/durationpb"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
)

// egress makes what a node's proxy does with its application's calls: to
// virtual services that the node declared as its backends, and to whatever else.
func (b *builder) egress(spec api.VirtualNodeSpec) {
	hosts := map[int32][]*xdsapi.VirtualHost{}
	var chains []*xdsapi.FilterChain
	for _, declared := range spec.Backends {
		v := declared.VirtualService
		if v == nil {
			continue
		}
		policy := v.ClientPolicy
		if policy == nil {
			policy = value(spec.BackendDefaults).ClientPolicy
		}
		name := value(v.VirtualServiceName)
		for _, e := range b.expand(backend{name, policy}) {
			if e.tcp != nil {
				chains = append(chains, b.tcpChains(name, e)...)
			}
			if e.tcp == nil || len(e.routes) > 0 {
				hosts[e.port] = append(hosts[e.port], host(name, e.port, e.routes))
				b.proxyless(name, e.port)
			}
		}
	}
	open := value(b.spec().EgressFilter).Type == api.EgressFilterTypeAllowAll
	for _, port := range slices.Sorted(maps.Keys(hosts)) {
		chains = append(chains, b.httpChain(port, append(hosts[port], b.elsewhere(open)...)))
	}
	b.egressListener(chains, open)
}

// egressListener closes with what is for nobody in the mesh: let through, or
// nothing but AWS's APIs (App Mesh user guide, Service meshes, Egress filter).
// Those are reached through ignored addresses here (ECS, EgressIgnoredIPs), so
// that a proxy that cannot tell them by name does without. A listener that would
// take nothing is left out: calls are refused.
func (b *builder) egressListener(chains []*xdsapi.FilterChain, open bool) {
	l := &xdsapi.Listener{
		Name: egressListener, Address: address("0.0.0.0", egressPort), ListenerFilters: []*xdsapi.ListenerFilter{originalDst()},
		FilterChains: chains, TrafficDirection: xdsapi.TrafficDirection_TRAFFICDIRECTION_OUTBOUND,
	}
	switch {
	case open:
		b.passthrough(passthroughCluster)
		l.DefaultFilterChain = &xdsapi.FilterChain{Name: "egress_passthrough", Filters: []*xdsapi.Filter{b.tcpFilter([]weighted{{passthroughCluster, 1}}, nil)}}
	case b.agent == envoyAgent:
		b.passthrough(awsCluster(b.mesh.Name))
		l.ListenerFilters = append(l.ListenerFilters, inspector(443))
		l.FilterChains = append(l.FilterChains, &xdsapi.FilterChain{
			Name:             "egress_amazonaws",
			FilterChainMatch: &xdsapi.FilterChainMatch{DestinationPort: number(443), ServerNames: []string{"*.amazonaws.com"}},
			Filters:          []*xdsapi.Filter{b.tcpFilter([]weighted{{awsCluster(b.mesh.Name), 1}}, nil)},
		})
	}
	if len(l.FilterChains) == 0 && l.DefaultFilterChain == nil {
		return
	}
	b.lds[egressListener] = l
}

// host is a virtual service at one port.
func host(name string, port int32, routes []*xdsapi.Route) *xdsapi.VirtualHost {
	return &xdsapi.VirtualHost{Name: name, Domains: []string{name, name + ":" + strconv.Itoa(int(port))}, Routes: routes}
}

// elsewhere are requests to hosts that are no virtual services.
func (b *builder) elsewhere(open bool) []*xdsapi.VirtualHost {
	name, domains, cluster := "amazonaws", []string{"*.amazonaws.com"}, awsCluster(b.mesh.Name)
	if open {
		name, domains, cluster = "passthrough", []string{"*"}, passthroughCluster
	}
	b.passthrough(cluster)
	a := &xdsapi.RouteAction{ClusterSpecifier: &xdsapi.RouteAction_Cluster{Cluster: cluster}, Timeout: &durationpb.Duration{}} // the caller's to choose
	return []*xdsapi.VirtualHost{{Name: name, Domains: domains, Routes: []*xdsapi.Route{{Match: everything(), Action: &xdsapi.Route_Route{Route: a}}}}}
}

// httpChain takes HTTP to one port, whatever the address: the host's name
// decides.
func (b *builder) httpChain(port int32, hosts []*xdsapi.VirtualHost) *xdsapi.FilterChain {
	name := routesName("egress", port)
	b.rds[name] = &xdsapi.RouteConfiguration{Name: name, VirtualHosts: hosts}
	return &xdsapi.FilterChain{
		Name:             "egress_" + strconv.Itoa(int(port)),
		FilterChainMatch: &xdsapi.FilterChainMatch{DestinationPort: number(port)},
		Filters:          []*xdsapi.Filter{manager(b.manager("egress", port, api.PortProtocolHttp))},
	}
}

// tcpChains take TCP to one port of a virtual service: to the addresses of its
// nodes, for TCP has no host's name. A service none of whose addresses is known
// has no chain, and an address and port belong to the first service that has them.
func (b *builder) tcpChains(service string, e exposed) []*xdsapi.FilterChain {
	var ranges []*xdsapi.CidrRange
	for _, node := range e.nodes {
		for _, at := range b.endpoints(node) {
			if to := netip.AddrPortFrom(at.IP, uint16(e.port)); at.IP.IsValid() && !b.taken[to] {
				b.taken[to] = true
				ranges = append(ranges, &xdsapi.CidrRange{AddressPrefix: at.IP.String(), PrefixLen: number(int32(at.IP.BitLen()))})
			}
		}
	}
	if len(ranges) == 0 {
		return nil
	}
	slices.SortFunc(ranges, func(x, y *xdsapi.CidrRange) int {
		return netip.MustParseAddr(x.AddressPrefix).Compare(netip.MustParseAddr(y.AddressPrefix))
	})
	return []*xdsapi.FilterChain{{
		Name:             fmt.Sprintf("egress_%d_%s", e.port, service),
		FilterChainMatch: &xdsapi.FilterChainMatch{DestinationPort: number(e.port), PrefixRanges: ranges},
		Filters:          []*xdsapi.Filter{b.tcpFilter(e.tcp, e.idle)},
	}}
}

func (b *builder) tcpFilter(to []weighted, idle *durationpb.Duration) *xdsapi.Filter {
	p := &xdsapi.TcpProxy{StatPrefix: "egress", IdleTimeout: idle, AccessLog: b.logs}
	if len(to) == 1 {
		p.ClusterSpecifier = &xdsapi.TcpProxy_Cluster{Cluster: to[0].cluster}
		return tcpProxy(p)
	}
	w := &xdsapi.TcpProxy_WeightedCluster{}
	for _, t := range to {
		if t.weight > 0 { // Envoy wants at least 1 here
			w.Clusters = append(w.Clusters, &xdsapi.TcpProxy_WeightedCluster_ClusterWeight{Name: t.cluster, Weight: uint32(t.weight)})
		}
	}
	p.ClusterSpecifier = &xdsapi.TcpProxy_WeightedClusters{WeightedClusters: w}
	return tcpProxy(p)
}
