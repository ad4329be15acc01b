package servicediscovery

import (
	"net/netip"
	"strconv"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Endpoint is an instance as a mesh sees it.
type Endpoint struct {
	InstanceID string
	IP         netip.Addr
	Port       uint16 // 0: registered without one
	Zone       string // availability zone, empty if it is not told
}

// Endpoints are the healthy instances of a service that have all of the
// attributes, and an IPv4 address, by their ids in order: what a virtual node with
// AWS Cloud Map service discovery has (AwsCloudMapServiceDiscovery in the App Mesh
// API reference). None for a name that nobody has. The answer changes with rows
// of Namespaces, Services and Instances only.
func Endpoints(r store.Reader, sc arn.Scope, namespaceName, serviceName string, attributes map[string]string) []Endpoint {
	_, g, _ := named(r, sc, namespaceName, serviceName)
	if g.ID == "" {
		return nil
	}
	var out []Endpoint
	for i := range Instances.List(r, g.Scope.Key("instance", g.ID, "")) { // in the order of ids
		ip, err := netip.ParseAddr(i.Attributes[AttributeIPv4])
		if err != nil || g.Custom && i.Unhealthy || !carries(i, attributes) {
			continue
		}
		port, _ := strconv.ParseUint(i.Attributes[AttributePort], 10, 16) // none is 0
		out = append(out, Endpoint{InstanceID: i.ID, IP: ip, Port: uint16(port), Zone: i.Attributes[AttributeZone]})
	}
	return out
}
