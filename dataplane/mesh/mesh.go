// Package mesh is the control plane of service meshes: an xDS v3 management
// server. It makes Envoy's configuration of what App Mesh's API declares, and
// keeps every proxy of a mesh at it, over one aggregated stream each, in the
// state-of-the-world or the incremental variant.
//
// What is declared comes in whole, as App Mesh's own specs (Mesh). A proxy's
// configuration is built when it is first asked for, once for all proxies of
// its virtual node, and notes what it was made of: a change builds again what
// was made of what changed, and nothing else. Names are those that App Mesh
// gave its Envoys, so that what people know about their statistics stays true.
//
// Invariants: a client is who its connection is from, never who it says; it is
// given what its virtual node declared, and nothing of other nodes; every
// cluster that a route names was sent before the route, and is taken away
// after it; keys of certificates are nowhere but in memory and in the answer to
// their own task.
package mesh

import (
	"net/netip"
	"time"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
)

// Mesh is all that is declared in one mesh, and where its nodes are to be
// found. It is not changed once it was handed over; specs that did not change
// should keep their pointers, which makes comparing them cheap.
type Mesh struct {
	ARN     string // arn:aws:appmesh:us-east-1:123456789012:mesh/shop
	Name    string
	UID     string // a mesh made anew under the same name has another
	Created time.Time

	Spec          api.MeshSpec
	Nodes         map[string]api.VirtualNodeSpec
	Services      map[string]api.VirtualServiceSpec
	Routers       map[string]api.VirtualRouterSpec
	Routes        map[string]map[string]api.RouteSpec // by virtual router, by name
	Gateways      map[string]api.VirtualGatewaySpec
	GatewayRoutes map[string]map[string]api.GatewayRouteSpec // by virtual gateway, by name

	// Endpoints are where nodes are found, by virtual node: all those of Cloud Map, and those of DNS too where TCP is to be
	// told by its destination.
	Endpoints map[string][]Endpoint
}

// Endpoint is one task of a virtual node. Its ports are the node's listeners'.
type Endpoint struct {
	IP        netip.Addr
	Zone      string // "us-east-1a"
	Unhealthy bool
}

// value is what a pointer points to, and nothing when it points nowhere.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
