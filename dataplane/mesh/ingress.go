package mesh

import (
	"slices"
	"strconv"
	"strings"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// pair is a port at which a proxy takes plain requests of load balancers, which
// have no client certificate, for one of its node's ports.
type pair struct{ at, to int32 }

// pairsOf reads what a proxy announced: "15080=8080,15081=8081". What cannot be
// read is left out.
func pairsOf(text string) (out []pair) {
	for part := range strings.SplitSeq(text, ",") {
		at, to, ok := strings.Cut(strings.TrimSpace(part), "=")
		a, err := strconv.ParseUint(at, 10, 16)
		b, err2 := strconv.ParseUint(to, 10, 16)
		if ok && err == nil && err2 == nil && a > 0 && b > 0 {
			out = append(out, pair{int32(a), int32(b)})
		}
	}
	return out
}

// ingress makes what a node's proxy takes for its application: the intercepted
// listener, and one for each pair.
func (b *builder) ingress(spec api.VirtualNodeSpec, pairs []pair) {
	var chains []*xdsapi.FilterChain
	var mixed []int32 // ports that take both TLS and plain text
	for _, l := range listening(spec) {
		m := value(l.PortMapping)
		b.local(l, m, slices.ContainsFunc(pairs, func(p pair) bool { return p.to == value(m.Port) }))
		switch tls := value(l.Tls); tls.Mode {
		case api.ListenerTlsModeStrict:
			chains = append(chains, b.ingressChain(l, m, ""))
			chains[len(chains)-1].TransportSocket = downstream(tls, m.Protocol, insiders)
		case api.ListenerTlsModePermissive: // told apart by the first bytes
			chains = append(chains, b.ingressChain(l, m, "tls"), b.ingressChain(l, m, "raw_buffer"))
			chains[len(chains)-2].TransportSocket = downstream(tls, m.Protocol, insiders)
			mixed = append(mixed, value(m.Port))
		default:
			chains = append(chains, b.ingressChain(l, m, ""))
		}
		for _, p := range pairs {
			if p.to == value(m.Port) {
				b.balancer(l, m, p)
			}
		}
	}
	if len(chains) == 0 {
		return
	}
	filters := []*xdsapi.ListenerFilter{originalDst()}
	if len(mixed) > 0 {
		filters = append(filters, inspector(mixed...))
	}
	b.lds[ingressListener] = &xdsapi.Listener{
		Name: ingressListener, Address: address("0.0.0.0", ingressPort), ListenerFilters: filters, FilterChains: chains,
		TrafficDirection: xdsapi.TrafficDirection_TRAFFICDIRECTION_INBOUND,
	}
}

// local makes the cluster of the application behind a listener, and the routes
// to it. balanced says that load balancers come, too: no response may say what
// the proxy tells them, see refusals.
func (b *builder) local(l api.Listener, m api.PortMapping, balanced bool) {
	name := clusterName("ingress", b.mesh.Name, b.self, m)
	b.cds[name] = localCluster(name, "127.0.0.1", value(m.Port), m.Protocol, poolOf(l.ConnectionPool))
	if m.Protocol == api.PortProtocolTcp {
		return
	}
	t := httpTimeoutOf(l.Timeout)
	action := &xdsapi.RouteAction{
		ClusterSpecifier: &xdsapi.RouteAction_Cluster{Cluster: name}, Timeout: orDefault(t.PerRequest), IdleTimeout: duration(t.Idle),
	}
	name = routesName("ingress", value(m.Port))
	b.rds[name] = &xdsapi.RouteConfiguration{Name: name, VirtualHosts: []*xdsapi.VirtualHost{{
		Name: "local", Domains: []string{"*"}, Routes: []*xdsapi.Route{{Match: everything(), Action: &xdsapi.Route_Route{Route: action}}},
	}}}
	if balanced {
		b.rds[name].ResponseHeadersToRemove = []string{proxy.RefusedField}
	}
}

// ingressChain is what is done with connections to one port, or with those
// among them that are of one transport.
func (b *builder) ingressChain(l api.Listener, m api.PortMapping, transport string) *xdsapi.FilterChain {
	name := "ingress_" + strconv.Itoa(int(value(m.Port)))
	if transport != "" {
		name += "_" + transport
	}
	return &xdsapi.FilterChain{
		Name: name, FilterChainMatch: &xdsapi.FilterChainMatch{DestinationPort: number(value(m.Port)), TransportProtocol: transport},
		Filters: []*xdsapi.Filter{b.ingressFilter(l, m, nil)},
	}
}

func (b *builder) ingressFilter(l api.Listener, m api.PortMapping, replies *xdsapi.LocalReplyConfig) *xdsapi.Filter {
	if m.Protocol == api.PortProtocolTcp {
		cluster := clusterName("ingress", b.mesh.Name, b.self, m)
		return tcpProxy(&xdsapi.TcpProxy{
			StatPrefix: "ingress", ClusterSpecifier: &xdsapi.TcpProxy_Cluster{Cluster: cluster}, AccessLog: b.logs,
			IdleTimeout: duration(value(value(l.Timeout).Tcp).Idle),
		})
	}
	hcm := b.manager("ingress", value(m.Port), m.Protocol)
	hcm.LocalReplyConfig = replies
	if value(l.Tls).Validation != nil {
		hcm.ForwardClientCertDetails = xdsapi.HttpConnectionManager_SANITIZE_SET
		hcm.SetCurrentClientCertDetails = &xdsapi.HttpConnectionManager_SetCurrentClientCertDetails{Dns: true, Uri: true}
	}
	return manager(hcm)
}

// refusals have a proxy mark its own answers to requests for which it had no
// connection to the application (UF: "Upstream connection failure"; Envoy,
// Access logging, Response flags): a load balancer may ask another task.
func refusals() *xdsapi.LocalReplyConfig {
	return &xdsapi.LocalReplyConfig{Mappers: []*xdsapi.ResponseMapper{{
		Filter: &xdsapi.AccessLogFilter{FilterSpecifier: &xdsapi.AccessLogFilter_ResponseFlagFilter{
			ResponseFlagFilter: &xdsapi.ResponseFlagFilter{Flags: []string{"UF"}},
		}},
		HeadersToAdd: []*xdsapi.HeaderValueOption{{
			Header:       &xdsapi.HeaderValue{Key: proxy.RefusedField, Value: "true"},
			AppendAction: xdsapi.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		}},
	}}}
}

// balancer makes the plain listener of a pair.
func (b *builder) balancer(l api.Listener, m api.PortMapping, p pair) {
	l.Tls = nil
	name := listenerName("balancer", "0.0.0.0", p.at)
	b.lds[name] = &xdsapi.Listener{
		Name: name, Address: address("0.0.0.0", p.at), TrafficDirection: xdsapi.TrafficDirection_TRAFFICDIRECTION_INBOUND,
		FilterChains: []*xdsapi.FilterChain{{Name: "balancer_" + strconv.Itoa(int(p.at)), Filters: []*xdsapi.Filter{b.ingressFilter(l, m, refusals())}}},
	}
}
