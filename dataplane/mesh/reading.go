package mesh

import (
	"maps"
	"reflect"
	"slices"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
)

// reading is a mesh that notes what is read of it.
type reading struct {
	mesh     *Mesh
	provided map[string][]string
	read     map[string]bool
}

func read[S any](r *reading, kind string, from map[string]S, name string) (S, bool) {
	r.read[kind+name] = true
	s, ok := from[name]
	return s, ok
}

// Kinds of what is read, the first part of its key.
const (
	kindMesh      = "mesh"
	kindNode      = "node/"
	kindService   = "service/"
	kindRouter    = "router/"
	kindRoutes    = "routes/"
	kindGateway   = "gateway/"
	kindGateRoute = "gateway-routes/"
	kindEndpoints = "endpoints/"
	kindProvided  = "provided/"
)

func (r *reading) spec() api.MeshSpec {
	r.read[kindMesh] = true
	return r.mesh.Spec
}

func (r *reading) node(name string) (api.VirtualNodeSpec, bool) {
	return read(r, kindNode, r.mesh.Nodes, name)
}

func (r *reading) service(name string) (api.VirtualServiceSpec, bool) {
	return read(r, kindService, r.mesh.Services, name)
}

func (r *reading) router(name string) (api.VirtualRouterSpec, bool) {
	return read(r, kindRouter, r.mesh.Routers, name)
}

func (r *reading) routes(router string) map[string]api.RouteSpec {
	found, _ := read(r, kindRoutes, r.mesh.Routes, router)
	return found
}

func (r *reading) gateway(name string) (api.VirtualGatewaySpec, bool) {
	return read(r, kindGateway, r.mesh.Gateways, name)
}

func (r *reading) gatewayRoutes(gateway string) map[string]api.GatewayRouteSpec {
	found, _ := read(r, kindGateRoute, r.mesh.GatewayRoutes, gateway)
	return found
}

func (r *reading) endpoints(node string) []Endpoint {
	found, _ := read(r, kindEndpoints, r.mesh.Endpoints, node)
	return found
}

// services are the virtual services that a node provides, itself or behind a
// router, in order.
func (r *reading) services(node string) []string {
	found, _ := read(r, kindProvided, r.provided, node)
	return found
}

// providers lists the virtual services that each node provides.
func providers(m *Mesh) map[string][]string {
	out := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(m.Services)) {
		p := value(m.Services[name].Provider)
		nodes := map[string]bool{}
		if p.VirtualNode != nil {
			nodes[value(p.VirtualNode.VirtualNodeName)] = true
		}
		if p.VirtualRouter != nil {
			for _, r := range m.Routes[value(p.VirtualRouter.VirtualRouterName)] {
				for _, t := range targetsOf(r) {
					nodes[value(t.VirtualNode)] = true
				}
			}
		}
		for n := range nodes {
			out[n] = append(out[n], name)
		}
	}
	return out
}

// changes are the keys of what differs between two states of a mesh.
func changes(a, b *Mesh, providedA, providedB map[string][]string) map[string]bool {
	out := map[string]bool{}
	if !reflect.DeepEqual(a.Spec, b.Spec) {
		out[kindMesh] = true
	}
	differ(out, kindNode, a.Nodes, b.Nodes)
	differ(out, kindService, a.Services, b.Services)
	differ(out, kindRouter, a.Routers, b.Routers)
	differ(out, kindRoutes, a.Routes, b.Routes)
	differ(out, kindGateway, a.Gateways, b.Gateways)
	differ(out, kindGateRoute, a.GatewayRoutes, b.GatewayRoutes)
	differ(out, kindEndpoints, a.Endpoints, b.Endpoints)
	differ(out, kindProvided, providedA, providedB)
	return out
}

func differ[S any](out map[string]bool, kind string, a, b map[string]S) {
	for name, x := range a {
		if y, ok := b[name]; !ok || !reflect.DeepEqual(x, y) {
			out[kind+name] = true
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			out[kind+name] = true
		}
	}
}
