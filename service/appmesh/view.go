package appmesh

import (
	"strings"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// View is all of one mesh at one moment, what its proxies are configured from.
type View struct {
	Mesh     Mesh
	Nodes    map[string]VirtualNode    // by name
	Services map[string]VirtualService // by name
	Routers  map[string]VirtualRouter  // by name
	Routes   map[string][]Route        // by router, in the order of their names
	Gateways map[string]VirtualGateway // by name
	// GatewayRoutes are by gateway, in the order of their names.
	GatewayRoutes map[string][]GatewayRoute
}

// Read reads a mesh whole; false when there is none of that name.
func Read(r store.Reader, scope arn.Scope, mesh string) (View, bool) {
	m, err := Meshes.Get(r, scope.Key(mesh))
	if err != nil {
		return View{}, false
	}
	within := scope.Key(mesh, "")
	return View{
		Mesh:  m,
		Nodes: byName(VirtualNodes, r, within), Services: byName(VirtualServices, r, within),
		Routers: byName(VirtualRouters, r, within), Routes: byParent(Routes, r, within),
		Gateways: byName(VirtualGateways, r, within), GatewayRoutes: byParent(GatewayRoutes, r, within),
	}, true
}

func byName[S any](t *store.Table[Resource[S]], r store.Reader, within string) map[string]Resource[S] {
	out := map[string]Resource[S]{}
	for row := range t.List(r, within) {
		out[row.Name] = row
	}
	return out
}

func byParent[S any](t *store.Table[Resource[S]], r store.Reader, within string) map[string][]Resource[S] {
	out := map[string][]Resource[S]{}
	for row := range t.List(r, within) {
		out[row.Parent] = append(out[row.Parent], row)
	}
	return out
}

// MeshKey is the key in Meshes of the mesh that a change of the store is
// about; false for a change of other tables. The mesh may be gone.
func MeshKey(c store.Change) (string, bool) {
	if !strings.HasPrefix(c.Table, "appmesh/") {
		return "", false
	}
	parts := strings.SplitN(c.Key, "/", 4)
	return strings.Join(parts[:3], "/"), true
}
