package appmesh

import (
	"time"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Resource is a mesh or something in one; S is its spec as the API has it.
type Resource[S any] struct {
	Scope   arn.Scope
	Mesh    string
	Parent  string // the virtual router of a route, the virtual gateway of a gateway route
	Name    string // of a mesh too
	UID     string
	Version int64 // 1 at first, one more with each update
	Created time.Time
	Updated time.Time
	Token   string // clientToken of the last create or update
	Tags    map[string]string
	Spec    S
}

// What there is in a mesh, and the mesh itself.
type (
	Mesh           = Resource[api.MeshSpec]
	VirtualNode    = Resource[api.VirtualNodeSpec]
	VirtualService = Resource[api.VirtualServiceSpec]
	VirtualRouter  = Resource[api.VirtualRouterSpec]
	Route          = Resource[api.RouteSpec]
	VirtualGateway = Resource[api.VirtualGatewaySpec]
	GatewayRoute   = Resource[api.GatewayRouteSpec]
)

// ARN of the resource: "mesh/shop", "mesh/shop/virtualNode/order",
// "mesh/shop/virtualRouter/order/route/all", ...
func (r Resource[S]) ARN() string {
	at := "mesh/" + r.Mesh
	switch any(r.Spec).(type) {
	case api.VirtualNodeSpec:
		at += "/virtualNode/" + r.Name
	case api.VirtualServiceSpec:
		at += "/virtualService/" + r.Name
	case api.VirtualRouterSpec:
		at += "/virtualRouter/" + r.Name
	case api.RouteSpec:
		at += "/virtualRouter/" + r.Parent + "/route/" + r.Name
	case api.VirtualGatewaySpec:
		at += "/virtualGateway/" + r.Name
	case api.GatewayRouteSpec:
		at += "/virtualGateway/" + r.Parent + "/gatewayRoute/" + r.Name
	}
	return r.Scope.ARN("appmesh", at)
}

// key is account/region/mesh, and then the parent, if any, and the name.
func (r Resource[S]) key() string {
	switch any(r.Spec).(type) {
	case api.MeshSpec:
		return r.Scope.Key(r.Mesh)
	case api.RouteSpec, api.GatewayRouteSpec:
		return r.Scope.Key(r.Mesh, r.Parent, r.Name)
	}
	return r.Scope.Key(r.Mesh, r.Name)
}

func newTable[S any](kind string) *store.Table[Resource[S]] {
	return store.NewTable("appmesh/"+kind, Resource[S].key)
}

// The tables; every key begins with that of the mesh.
var (
	Meshes          = newTable[api.MeshSpec]("mesh")
	VirtualNodes    = newTable[api.VirtualNodeSpec]("virtual-node")
	VirtualServices = newTable[api.VirtualServiceSpec]("virtual-service")
	VirtualRouters  = newTable[api.VirtualRouterSpec]("virtual-router")
	Routes          = newTable[api.RouteSpec]("route")
	VirtualGateways = newTable[api.VirtualGatewaySpec]("virtual-gateway")
	GatewayRoutes   = newTable[api.GatewayRouteSpec]("gateway-route")
)
