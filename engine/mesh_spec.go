package engine

import (
	"strings"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/dataplane/mesh"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/appmesh"
	"github.com/slipway-dev/slipway/service/servicediscovery"
)

// discovery is the Cloud Map service by which a virtual node is found.
type discovery struct {
	namespace, service string
	attributes         map[string]string
}

// discoveryOf reads a node's. That of a host name is the Cloud Map service of
// the name, if it is one: TCP is told by its destination's address.
func discoveryOf(spec api.VirtualNodeSpec) (discovery, bool) {
	d := spec.ServiceDiscovery
	switch {
	case d == nil:
	case d.AwsCloudMap != nil:
		by := discovery{namespace: value(d.AwsCloudMap.NamespaceName), service: value(d.AwsCloudMap.ServiceName), attributes: map[string]string{}}
		for _, a := range d.AwsCloudMap.Attributes {
			by.attributes[value(a.Key)] = value(a.Value)
		}
		return by, true
	case d.Dns != nil:
		service, namespace, ok := strings.Cut(strings.TrimSuffix(value(d.Dns.Hostname), "."), ".")
		return discovery{namespace: namespace, service: service}, ok
	}
	return discovery{}, false
}

func (d discovery) endpoints(r store.Reader, scope arn.Scope) []mesh.Endpoint {
	found := servicediscovery.Endpoints(r, scope, d.namespace, d.service, d.attributes)
	out := make([]mesh.Endpoint, 0, len(found))
	for _, e := range found {
		out = append(out, mesh.Endpoint{IP: e.IP, Zone: e.Zone})
	}
	return out
}

// specOf is a mesh as its control plane takes it, and the nodes by the Cloud
// Map services that find them.
func specOf(r store.Reader, v appmesh.View) (*mesh.Mesh, map[string][]foundNode) {
	m := &mesh.Mesh{
		ARN: v.Mesh.ARN(), Name: v.Mesh.Name, UID: v.Mesh.UID, Created: v.Mesh.Created, Spec: v.Mesh.Spec,
		Nodes: specs(v.Nodes), Services: specs(v.Services), Routers: specs(v.Routers), Routes: children(v.Routes),
		Gateways: specs(v.Gateways), GatewayRoutes: children(v.GatewayRoutes), Endpoints: map[string][]mesh.Endpoint{},
	}
	found := map[string][]foundNode{}
	for name, n := range v.Nodes {
		by, ok := discoveryOf(n.Spec)
		if !ok {
			continue
		}
		m.Endpoints[name] = by.endpoints(r, v.Mesh.Scope)
		key := serviceKey(v.Mesh.Scope, by.namespace, by.service)
		found[key] = append(found[key], foundNode{node: name, by: by})
	}
	return m, found
}

func specs[S any](rows map[string]appmesh.Resource[S]) map[string]S {
	out := make(map[string]S, len(rows))
	for name, row := range rows {
		out[name] = row.Spec
	}
	return out
}

func children[S any](rows map[string][]appmesh.Resource[S]) map[string]map[string]S {
	out := make(map[string]map[string]S, len(rows))
	for parent, all := range rows {
		out[parent] = make(map[string]S, len(all))
		for _, row := range all {
			out[parent][row.Name] = row.Spec
		}
	}
	return out
}

// value is what p points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
