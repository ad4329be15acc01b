package mesh

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
)

// proxyKey is whose configuration: all proxies with the same key have the same.
type proxyKey struct {
	gateway bool
	name    string // of the virtual node or gateway
	ingress string // what the proxy announced as slipway.ingress
	agent   agent
}

// agent is a kind of clients, by what it can do.
type agent int

const (
	plainAgent agent = iota
	envoyAgent       // tells TLS connections apart by the name that is asked for
	grpcAgent        // has no proxy, and certificates of its own
)

// agentOf reads a node's user agent.
func agentOf(name string) agent {
	switch {
	case name == "envoy":
		return envoyAgent
	case strings.HasPrefix(name, "gRPC "):
		return grpcAgent
	}
	return plainAgent
}

// config is what the proxies of one key are given, but for endpoints and
// secrets.
type config struct {
	listeners set
	named     set // listeners of proxyless clients, given to who asks for them by name
	routes    set
	clusters  set
	targets   map[string]target // where the endpoints of clusters are, by cluster
	identity  names
	read      map[string]bool
}

// target is a port of a virtual node.
type target struct {
	node string
	port int32
}

// names are what a certificate is issued for.
type names struct {
	namespace, service string
	dns                []string
}

// builder collects one configuration.
type builder struct {
	reading
	self    string
	agent   agent
	lds     map[string]*xdsapi.Listener
	named   map[string]*xdsapi.Listener
	rds     map[string]*xdsapi.RouteConfiguration
	cds     map[string]*xdsapi.Cluster
	targets map[string]target
	taken   map[netip.AddrPort]bool // by services of TCP
	logs    []*xdsapi.AccessLog
}

// build makes the configuration of a key; false when the mesh has no such node
// or gateway. shared holds what was packed before.
func build(m *Mesh, provided map[string][]string, key proxyKey, shared map[string]*resource) (*config, bool) {
	b := &builder{
		reading: reading{mesh: m, provided: provided, read: map[string]bool{}}, self: key.name, agent: key.agent,
		lds: map[string]*xdsapi.Listener{}, named: map[string]*xdsapi.Listener{}, rds: map[string]*xdsapi.RouteConfiguration{},
		cds: map[string]*xdsapi.Cluster{}, targets: map[string]target{}, taken: map[netip.AddrPort]bool{},
	}
	var identity names
	if key.gateway {
		spec, ok := b.gateway(key.name)
		if !ok {
			return nil, false
		}
		identity = names{namespace: m.Name, service: key.name}
		b.gatewayProxy(spec)
	} else {
		spec, ok := b.node(key.name)
		if !ok {
			return nil, false
		}
		identity = b.identityOf(key.name, spec)
		b.logs = accessLogs(spec.Logging)
		b.ingress(spec, pairsOf(key.ingress))
		b.egress(spec)
	}
	return &config{
		listeners: packed(shared, b.lds), named: packed(shared, b.named), routes: packed(shared, b.rds),
		clusters: packed(shared, b.cds), targets: b.targets, identity: identity, read: b.read,
	}, true
}

// identityOf is who a node's tasks are: found under the name of its discovery,
// and under those of the virtual services that it provides.
func (b *builder) identityOf(name string, spec api.VirtualNodeSpec) names {
	id := names{namespace: b.mesh.Name, service: name}
	dns := map[string]bool{}
	if found := discoveryName(spec); found != "" {
		dns[found] = true
		if _, parent, ok := strings.Cut(found, "."); ok {
			id.namespace = parent
		}
	}
	if d := value(spec.ServiceDiscovery).AwsCloudMap; d != nil {
		id.namespace = value(d.NamespaceName)
	}
	for _, s := range b.services(name) {
		dns[s] = true
	}
	id.dns = slices.Sorted(maps.Keys(dns))
	return id
}

// discoveryName is the name by which a node is found: service.namespace of
// Cloud Map, or the host name.
func discoveryName(spec api.VirtualNodeSpec) string {
	d := value(spec.ServiceDiscovery)
	switch {
	case d.AwsCloudMap != nil:
		return value(d.AwsCloudMap.ServiceName) + "." + value(d.AwsCloudMap.NamespaceName)
	case d.Dns != nil:
		return strings.TrimSuffix(value(d.Dns.Hostname), ".")
	}
	return ""
}

// listening are a node's listeners, those whose port another has taken left
// out: App Mesh refuses such nodes.
func listening(spec api.VirtualNodeSpec) (out []api.Listener) {
	seen := map[int32]bool{}
	for _, l := range spec.Listeners {
		if port := value(value(l.PortMapping).Port); !seen[port] && port > 0 {
			seen[port] = true
			out = append(out, l)
		}
	}
	return out
}
