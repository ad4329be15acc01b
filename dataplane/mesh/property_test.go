package mesh

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/anypb"
	"pgregory.net/rapid"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
)

// anything draws specs of which any part may be missing, odd, or a name or port
// that others have too.
func anything[S any](r *rapid.T, label string) S {
	of := func(values ...string) *rapid.Generator[any] { return rapid.SampledFrom(values).AsAny() }
	cfg := rapid.MakeConfig{
		Kinds: map[reflect.Kind]*rapid.Generator[any]{
			reflect.String: of("", "a", "b", "/", "/a", "a.local", "default", "server-error"),
			reflect.Int32:  rapid.Int32Range(-1, 4).AsAny(),
			reflect.Int64:  rapid.Int64Range(-1, 2000).AsAny(),
		},
		Types: map[reflect.Type]*rapid.Generator[any]{},
	}
	enum := func(v any, values ...string) {
		t := reflect.TypeOf(v)
		cfg.Types[t] = rapid.Map(rapid.SampledFrom(values), func(s string) any { return reflect.ValueOf(s).Convert(t).Interface() })
	}
	enum(api.PortProtocol(""), "http", "http2", "grpc", "tcp")
	enum(api.ListenerTlsMode(""), "STRICT", "PERMISSIVE", "DISABLED")
	enum(api.VirtualGatewayPortProtocol(""), "http", "http2", "grpc")
	enum(api.VirtualGatewayListenerTlsMode(""), "STRICT", "PERMISSIVE", "DISABLED")
	enum(api.EgressFilterType(""), "ALLOW_ALL", "DROP_ALL")
	enum(api.DefaultGatewayRouteRewrite(""), "ENABLED", "DISABLED")
	enum(api.DurationUnit(""), "s", "ms")
	return rapid.MakeCustom[S](cfg).Draw(r, label)
}

var few = []string{"a", "b"}

func someOf[S any](r *rapid.T, label string) map[string]S {
	out := map[string]S{}
	for _, name := range few {
		if rapid.Bool().Draw(r, label+" "+name) {
			out[name] = anything[S](r, label+" "+name)
		}
	}
	return out
}

// once leaves out the backends that name a virtual service again: the API refuses them.
func once(backends []api.Backend) []api.Backend {
	seen := map[string]bool{}
	return slices.DeleteFunc(backends, func(b api.Backend) bool {
		if b.VirtualService == nil {
			return false
		}
		name := value(b.VirtualService.VirtualServiceName)
		again := seen[name]
		seen[name] = true
		return again
	})
}

func anyMesh(r *rapid.T) *Mesh {
	m := &Mesh{
		ARN: scope.ARN("appmesh", "mesh/shop"), Name: "shop", UID: "uid-1", Spec: anything[api.MeshSpec](r, "mesh"),
		Nodes: someOf[api.VirtualNodeSpec](r, "node"), Services: someOf[api.VirtualServiceSpec](r, "service"),
		Routers: someOf[api.VirtualRouterSpec](r, "router"), Gateways: someOf[api.VirtualGatewaySpec](r, "gateway"),
		Routes: map[string]map[string]api.RouteSpec{}, GatewayRoutes: map[string]map[string]api.GatewayRouteSpec{}, Endpoints: map[string][]Endpoint{},
	}
	for name, node := range m.Nodes {
		node.Backends = once(node.Backends)
		m.Nodes[name] = node
	}
	for _, name := range few {
		m.Routes[name] = someOf[api.RouteSpec](r, "route of "+name)
		m.GatewayRoutes[name] = someOf[api.GatewayRouteSpec](r, "route of gateway "+name)
		for _, last := range rapid.SliceOfN(rapid.ByteRange(0, 5), 0, 4).Draw(r, "endpoints of "+name) {
			e := Endpoint{IP: netip.AddrFrom4([4]byte{10, 0, 0, last}), Zone: rapid.SampledFrom([]string{"", "z1a", "z1b"}).Draw(r, "zone")}
			m.Endpoints[name] = append(m.Endpoints[name], e)
		}
	}
	return m
}

// keys are those of all proxies that a mesh may have.
func keys() (out []proxyKey) {
	for _, name := range few {
		for _, agent := range []agent{plainAgent, envoyAgent, grpcAgent} {
			out = append(out, proxyKey{name: name, agent: agent, ingress: "15080=1,15081=2"})
		}
		out = append(out, proxyKey{gateway: true, name: name})
	}
	return out
}

// Whatever is declared, a configuration can be built, hangs together, and is the
// same when it is built again.
func TestConfigurationsHangTogether(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := anyMesh(r)
		for _, key := range keys() {
			c, ok := build(m, providers(m), key, map[string]*resource{})
			if !ok {
				continue
			}
			hangsTogether(r, c)
			again, _ := build(m, providers(m), key, nil)
			for _, pair := range [][2]set{{c.listeners, again.listeners}, {c.named, again.named}, {c.routes, again.routes}, {c.clusters, again.clusters}} {
				if pair[0].version() != pair[1].version() {
					r.Fatalf("%v: another configuration of the same mesh", key)
				}
			}
		}
	})
}

func decode[T any, M interface {
	*T
	protoMessage
}](r *rapid.T, body *anypb.Any) M {
	m := M(new(T))
	if err := xdsapi.Unpack(body, m); err != nil {
		r.Fatal(err)
	}
	return m
}

func hangsTogether(r *rapid.T, c *config) {
	for name, res := range c.clusters {
		cluster := decode[xdsapi.Cluster](r, res.body)
		_, located := c.targets[name]
		if cluster.GetName() != name || located != (cluster.GetType() == xdsapi.Cluster_EDS) {
			r.Fatalf("cluster %s: %v", name, cluster)
		}
	}
	exists := func(cluster string) {
		if c.clusters[cluster] == nil {
			r.Fatalf("there is no cluster %q", cluster)
		}
	}
	for name, res := range c.routes {
		domains := map[string]bool{}
		table := decode[xdsapi.RouteConfiguration](r, res.body)
		if table.GetName() != name {
			r.Fatalf("routes %s are named %s", name, table.GetName())
		}
		for _, host := range table.GetVirtualHosts() {
			for _, d := range host.GetDomains() {
				if domains[d] {
					r.Fatalf("%s has two hosts for %s", name, d)
				}
				domains[d] = true
			}
			for _, route := range host.GetRoutes() {
				a := route.GetRoute()
				if a.GetCluster() != "" {
					exists(a.GetCluster())
				}
				sum := uint32(0)
				for _, w := range a.GetWeightedClusters().GetClusters() {
					exists(w.GetName())
					sum += w.GetWeight().GetValue()
				}
				if a.GetCluster() == "" && sum == 0 {
					r.Fatalf("%s: a route to nowhere", name)
				}
			}
		}
	}
	for _, res := range c.listeners {
		l := decode[xdsapi.Listener](r, res.body)
		matches := map[string]bool{}
		chains := l.GetFilterChains()
		if len(chains) == 0 && l.GetDefaultFilterChain() == nil {
			r.Fatalf("listener %s takes nothing", l.GetName())
		}
		for _, chain := range chains {
			key := chain.GetFilterChainMatch().String()
			if matches[key] {
				r.Fatalf("listener %s has two chains for %s", l.GetName(), key)
			}
			matches[key] = true
			filters(r, c, chain.GetFilters())
		}
		filters(r, c, l.GetDefaultFilterChain().GetFilters())
	}
	for _, res := range c.named {
		manager := decode[xdsapi.HttpConnectionManager](r, decode[xdsapi.Listener](r, res.body).GetApiListener().GetApiListener())
		if name := manager.GetRds().GetRouteConfigName(); c.routes[name] == nil {
			r.Fatalf("there are no routes %q", name)
		}
	}
}

func filters(r *rapid.T, c *config, all []*xdsapi.Filter) {
	for _, f := range all {
		if f.GetName() == xdsapi.TCPProxyFilter {
			p := decode[xdsapi.TcpProxy](r, f.GetTypedConfig())
			to := []string{p.GetCluster()}
			if w := p.GetWeightedClusters().GetClusters(); w != nil {
				to = nil
				for _, each := range w {
					to = append(to, each.GetName())
				}
			}
			for _, name := range to {
				if c.clusters[name] == nil {
					r.Fatalf("there is no cluster %q", name)
				}
			}
			continue
		}
		if name := decode[xdsapi.HttpConnectionManager](r, f.GetTypedConfig()).GetRds().GetRouteConfigName(); c.routes[name] == nil {
			r.Fatalf("there are no routes %q", name)
		}
	}
}

// A book that follows a mesh through changes says what one says that sees the
// last state alone, though it builds again only what a change concerns.
func TestChangesReachAllTheyConcern(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := anyMesh(r)
		b := newBook(m, 0, nil)
		ask := func(b *book) map[string]string {
			out := map[string]string{}
			for _, key := range keys() {
				c, ok := b.config(key)
				if !ok {
					continue
				}
				endpoints := set{}
				for name := range c.targets {
					endpoints[name] = b.assignment(c, name)
				}
				id := key.name + string(rune('0'+int(key.agent)))
				if key.gateway {
					id = "gateway " + key.name
				}
				parts := []string{c.identity.namespace, c.identity.service}
				for _, s := range []set{c.listeners, c.named, c.routes, c.clusters, endpoints} {
					parts = append(parts, s.version())
				}
				out[id] = strings.Join(append(parts, c.identity.dns...), " ")
			}
			return out
		}
		for range rapid.IntRange(1, 4).Draw(r, "changes") {
			ask(b)
			next := *m
			other := anyMesh(r)
			pick := func(label string) bool { return rapid.IntRange(0, 3).Draw(r, label) == 0 }
			if pick("mesh") {
				next.Spec = other.Spec
			}
			next.Nodes = merged(r, "nodes", m.Nodes, other.Nodes)
			next.Services = merged(r, "services", m.Services, other.Services)
			next.Routers = merged(r, "routers", m.Routers, other.Routers)
			next.Routes = merged(r, "routes", m.Routes, other.Routes)
			next.Gateways = merged(r, "gateways", m.Gateways, other.Gateways)
			next.GatewayRoutes = merged(r, "gateway routes", m.GatewayRoutes, other.GatewayRoutes)
			if pick("endpoints alone") {
				name := rapid.SampledFrom(few).Draw(r, "node")
				b.endpoints(map[string][]Endpoint{name: other.Endpoints[name]})
				next.Endpoints = maps.Clone(m.Endpoints)
				next.Endpoints[name] = other.Endpoints[name]
				ask(b)
			} else {
				next.Endpoints = merged(r, "endpoints", m.Endpoints, other.Endpoints)
			}
			b.put(&next)
			m = &next
			got, want := ask(b), ask(newBook(m, 0, nil))
			if !maps.Equal(got, want) {
				for _, id := range slices.Sorted(maps.Keys(want)) {
					if got[id] != want[id] {
						r.Errorf("%s: %s, want %s", id, got[id], want[id])
					}
				}
				r.Fatal("a change did not reach all it concerns")
			}
		}
	})
}

// merged changes, adds and removes a few.
func merged[S any](r *rapid.T, label string, a, b map[string]S) map[string]S {
	out := maps.Clone(a)
	for _, name := range few {
		switch rapid.IntRange(0, 5).Draw(r, label+" "+name) {
		case 0:
			delete(out, name)
		case 1:
			if s, ok := b[name]; ok {
				out[name] = s
			}
		}
	}
	return out
}
