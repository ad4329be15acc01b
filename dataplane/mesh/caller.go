package mesh

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"connectrpc.com/connect"

	"github.com/slipway-dev/slipway/kernel/arn"
)

// Caller is the task that a connection is from, as the network knows.
type Caller struct {
	Scope   arn.Scope
	Task    string // id
	TaskARN string
	IP      netip.Addr
	// Intercepted says that of the task's processes the proxy alone can reach the server. The keys of virtual nodes are given
	// to no other tasks: their applications would get them, too. Gateways' are: there is nothing beside a gateway's proxy.
	Intercepted bool
	// Allow says whether the task's role may have the configuration of a virtual node or gateway, by its ARN: nil, or an
	// error with the words of IAM. nil allows everything.
	Allow func(resource string) error
}

// ErrNoTask is what Config.Who answers for an address that no task has.
var ErrNoTask = errors.New("no task of the VPC has the address")

// place is whose configuration a client asks for: part of an ARN
// arn:aws:appmesh:<region>:<account>:mesh/<mesh>/virtualNode/<node>.
type place struct {
	mesh    string // ARN
	gateway bool
	name    string
	arn     string
}

// placeOf reads a node id. The short form that older images of App Mesh's
// Envoy take, "mesh/shop/virtualNode/order", is one of the caller's own scope.
func placeOf(id string, scope arn.Scope) (place, error) {
	if strings.HasPrefix(id, "mesh/") {
		id = scope.ARN("appmesh", id)
	}
	a, err := arn.Parse(id)
	parts := strings.Split(a.Resource, "/")
	if err != nil || a.Service != "appmesh" || len(parts) != 4 || parts[0] != "mesh" || parts[2] != "virtualNode" && parts[2] != "virtualGateway" {
		return place{}, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("node.id %q must be the ARN of a virtual node or gateway: set APPMESH_RESOURCE_ARN", id))
	}
	mesh := strings.TrimSuffix(id, "/"+parts[2]+"/"+parts[3])
	return place{mesh: mesh, gateway: parts[2] == "virtualGateway", name: parts[3], arn: id}, nil
}

// kind is the place's, in App Mesh's words.
func (p place) kind() string {
	if p.gateway {
		return "VirtualGateway"
	}
	return "VirtualNode"
}
