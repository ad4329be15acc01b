package main

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/dataplane/mesh"
)

// fleet is a mesh of any size: nodes that each provide a service and call
// others, over mutual TLS with exact names, found one by one.
type fleet struct {
	Nodes, Backends, Endpoints int // the latter two of each node
}

// splitEvery is how many services there are for each one whose calls are
// shared between its own node and the next one, by weights.
const splitEvery = 10

func nodeName(i int) string    { return fmt.Sprintf("node-%04d", i) }
func serviceName(i int) string { return fmt.Sprintf("service-%04d.dev.local", i) }

// called is the k-th of the services that a node calls.
func (f fleet) called(node, k int) int { return (node + 1 + k*max(1, f.Nodes/f.Backends/2)) % f.Nodes }

// callers are the nodes that call a service, by number.
func (f fleet) callers(service int) (out []int) {
	for i := range f.Nodes {
		for k := range f.Backends {
			if f.called(i, k) == service {
				out = append(out, i)
				break
			}
		}
	}
	return out
}

// targets are the nodes that a service's calls go to.
func (f fleet) targets(service int) []int {
	if service%splitEvery == 0 {
		return []int{service, (service + 1) % f.Nodes}
	}
	return []int{service}
}

// seers are the nodes that see where a node's endpoints are: those that call a
// service which goes to it.
func (f fleet) seers(node int) (out []int) {
	for service := range f.Nodes {
		if slices.Contains(f.targets(service), node) {
			out = append(out, f.callers(service)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// concerned are the nodes whose proxies a change has to reach.
func (f fleet) concerned(c change) []int {
	switch c.Kind {
	case "endpoint":
		return f.seers(c.Which)
	case "weight":
		return f.callers(c.Which)
	}
	all := make([]int, f.Nodes)
	for i := range all {
		all[i] = i
	}
	return all
}

func (f fleet) arn(node int) string {
	return scope.ARN("appmesh", "mesh/fleet/virtualNode/"+nodeName(node))
}

// endpoint is the address of a node's n-th task.
func (f fleet) endpoint(node, n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(64 + node/250), byte(node % 250), byte(n + 1)})
}

func (f fleet) where(node int) (out []mesh.Endpoint) {
	for n := range f.Endpoints {
		out = append(out, mesh.Endpoint{IP: f.endpoint(node, n), Zone: "us-east-1" + string(rune('a'+n%3))})
	}
	return out
}

// mesh declares it.
func (f fleet) mesh() *mesh.Mesh {
	m := &mesh.Mesh{
		ARN: scope.ARN("appmesh", "mesh/fleet"), Name: "fleet", UID: "uid-fleet", Created: time.Now(),
		Spec:  api.MeshSpec{EgressFilter: &api.EgressFilter{Type: api.EgressFilterTypeDropAll}},
		Nodes: map[string]api.VirtualNodeSpec{}, Services: map[string]api.VirtualServiceSpec{}, Routers: map[string]api.VirtualRouterSpec{},
		Routes: map[string]map[string]api.RouteSpec{}, Endpoints: map[string][]mesh.Endpoint{},
	}
	called := make([][]string, f.Nodes) // the nodes that may call each
	for service := range f.Nodes {
		for _, t := range f.targets(service) {
			for _, c := range f.callers(service) {
				called[t] = append(called[t], nodeName(c)+".dev.local")
			}
		}
	}
	for i := range f.Nodes {
		m.Nodes[nodeName(i)] = f.node(i, called[i])
		m.Services[serviceName(i)] = api.VirtualServiceSpec{Provider: &api.VirtualServiceProvider{
			VirtualRouter: &api.VirtualRouterServiceProvider{VirtualRouterName: new(nodeName(i))},
		}}
		m.Routers[nodeName(i)] = api.VirtualRouterSpec{Listeners: []api.VirtualRouterListener{{PortMapping: port()}}}
		m.Routes[nodeName(i)] = map[string]api.RouteSpec{"route": f.route(i, 50)}
		m.Endpoints[nodeName(i)] = f.where(i)
	}
	return m
}

func port() *api.PortMapping {
	return &api.PortMapping{Port: new(int32(servicePort)), Protocol: api.PortProtocolHttp}
}

func (f fleet) node(i int, callers []string) api.VirtualNodeSpec {
	spec := api.VirtualNodeSpec{
		ServiceDiscovery: &api.ServiceDiscovery{AwsCloudMap: &api.AwsCloudMapServiceDiscovery{NamespaceName: new("dev.local"), ServiceName: new(nodeName(i))}},
		Listeners: []api.Listener{{PortMapping: port(), Tls: &api.ListenerTls{
			Mode: api.ListenerTlsModeStrict, Certificate: &api.ListenerTlsCertificate{Sds: ownPair()},
			Validation: &api.ListenerTlsValidationContext{Trust: &api.ListenerTlsValidationContextTrust{Sds: trust()}, SubjectAlternativeNames: exactly(callers...)},
		}}},
	}
	for k := range f.Backends {
		service := f.called(i, k)
		var names []string
		for _, t := range f.targets(service) {
			names = append(names, nodeName(t)+".dev.local")
		}
		spec.Backends = append(spec.Backends, api.Backend{VirtualService: &api.VirtualServiceBackend{
			VirtualServiceName: new(serviceName(service)),
			ClientPolicy: &api.ClientPolicy{Tls: &api.ClientPolicyTls{
				Certificate: &api.ClientTlsCertificate{Sds: ownPair()},
				Validation:  &api.TlsValidationContext{Trust: &api.TlsValidationContextTrust{Sds: trust()}, SubjectAlternativeNames: exactly(names...)},
			}},
		}})
	}
	return spec
}

func ownPair() *api.ListenerTlsSdsCertificate {
	return &api.ListenerTlsSdsCertificate{SecretName: new("default")}
}

func trust() *api.TlsValidationContextSdsTrust {
	return &api.TlsValidationContextSdsTrust{SecretName: new("ROOTCA")}
}

func exactly(names ...string) *api.SubjectAlternativeNames {
	return &api.SubjectAlternativeNames{Match: &api.SubjectAlternativeNameMatchers{Exact: names}}
}

// route has so many of a hundred calls go to the service's own node, if it is
// one whose calls are shared.
func (f fleet) route(service int, weight int32) api.RouteSpec {
	var to []api.WeightedTarget
	for n, t := range f.targets(service) {
		share := weight
		if n > 0 {
			share = 100 - weight
		}
		to = append(to, api.WeightedTarget{VirtualNode: new(nodeName(t)), Weight: new(share)})
	}
	return api.RouteSpec{HttpRoute: &api.HttpRoute{
		Match: &api.HttpRouteMatch{Prefix: new("/")}, Action: &api.HttpRouteAction{WeightedTargets: to},
		RetryPolicy: &api.HttpRetryPolicy{MaxRetries: new(int64(2)), PerRetryTimeout: seconds(5), HttpRetryEvents: []string{"gateway-error", "stream-error"}},
		Timeout:     &api.HttpTimeout{PerRequest: seconds(15)},
	}}
}

func seconds(n int64) *api.Duration {
	return &api.Duration{Unit: api.DurationUnitS, Value: new(n)}
}

// shifted is the mesh with another weight, as the engine hands it over: maps
// made anew, specs that did not change shared.
func (f fleet) shifted(m *mesh.Mesh, service int, weight int32) *mesh.Mesh {
	next := *m
	next.Nodes, next.Services, next.Routers = maps.Clone(m.Nodes), maps.Clone(m.Services), maps.Clone(m.Routers)
	next.Routes, next.Endpoints = make(map[string]map[string]api.RouteSpec, len(m.Routes)), maps.Clone(m.Endpoints)
	for router, routes := range m.Routes {
		next.Routes[router] = maps.Clone(routes)
	}
	next.Routes[nodeName(service)]["route"] = f.route(service, weight)
	return &next
}
