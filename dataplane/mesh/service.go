package mesh

import (
	"slices"

	"google.golang.org/protobuf/types/known/durationpb"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
)

// exposed is one port of a virtual service, as who calls it sees it.
type exposed struct {
	port   int32
	routes []*xdsapi.Route // tried in turn; none for TCP
	tcp    []weighted
	nodes  []string // that TCP goes to
	idle   *durationpb.Duration
}

// backend is a virtual service as somebody calls it.
type backend struct {
	service string
	policy  *api.ClientPolicy
}

// expand follows a virtual service to its nodes, and makes their clusters. What
// is not there, or provides nothing, exposes nothing.
func (b *builder) expand(by backend) []exposed {
	spec, _ := b.service(by.service)
	switch p := value(spec.Provider); {
	case p.VirtualNode != nil:
		return b.ofNode(by, value(p.VirtualNode.VirtualNodeName))
	case p.VirtualRouter != nil:
		return b.ofRouter(by, value(p.VirtualRouter.VirtualRouterName))
	}
	return nil
}

// ofNode exposes a node's listeners as they are.
func (b *builder) ofNode(by backend, node string) (out []exposed) {
	spec, _ := b.node(node)
	for _, l := range listening(spec) {
		m := value(l.PortMapping)
		to := []weighted{{b.remote(by, node, spec, l), 1}}
		e := exposed{port: value(m.Port)}
		if m.Protocol == api.PortProtocolTcp {
			e.tcp, e.nodes = to, []string{node}
		} else {
			e.routes = []*xdsapi.Route{{Match: everything(), Action: &xdsapi.Route_Route{Route: action(to)}}}
		}
		out = append(out, e)
	}
	return out
}

// ofRouter exposes a router's listeners, or, when it has none, the ports of its
// routes' targets.
func (b *builder) ofRouter(by backend, router string) (out []exposed) {
	spec, ok := b.router(router)
	if !ok {
		return nil
	}
	all := b.routes(router)
	order := routeOrder(all)
	for _, port := range b.portsOf(spec, all, order) {
		e := exposed{port: port}
		for _, name := range order {
			if p := routePort(all[name]); p == nil || *p == port {
				b.add(&e, name, all[name], by)
			}
		}
		out = append(out, e)
	}
	return out
}

func (b *builder) portsOf(spec api.VirtualRouterSpec, all map[string]api.RouteSpec, order []string) (ports []int32) {
	seen := map[int32]bool{}
	add := func(port int32) {
		if port > 0 && !seen[port] {
			seen[port] = true
			ports = append(ports, port)
		}
	}
	for _, l := range spec.Listeners {
		add(value(value(l.PortMapping).Port))
	}
	if len(ports) > 0 {
		return ports
	}
	for _, name := range order {
		if p := routePort(all[name]); p != nil {
			add(*p)
			continue
		}
		for _, t := range targetsOf(all[name]) {
			if _, l, ok := b.listenerOf(t); ok {
				add(value(value(l.PortMapping).Port))
			}
		}
	}
	return ports
}

// add adds a route to a port. Of routes of TCP the first counts: there is
// nothing to tell connections apart by.
func (b *builder) add(e *exposed, name string, r api.RouteSpec, by backend) {
	var to []weighted
	var nodes []string
	for _, t := range targetsOf(r) {
		if spec, l, ok := b.listenerOf(t); ok {
			node := value(t.VirtualNode)
			to = append(to, weighted{b.remote(by, node, spec, l), value(t.Weight)})
			nodes = append(nodes, node)
		}
	}
	switch {
	case !slices.ContainsFunc(to, func(w weighted) bool { return w.weight > 0 }):
	case r.TcpRoute == nil:
		e.routes = append(e.routes, routed(name, r, to))
	case e.tcp == nil:
		e.tcp, e.nodes, e.idle = to, nodes, idleOf(r)
	}
}

// listenerOf is the listener that a target names, or the node's only one.
func (b *builder) listenerOf(t api.WeightedTarget) (spec api.VirtualNodeSpec, l api.Listener, ok bool) {
	spec, _ = b.node(value(t.VirtualNode))
	for _, l := range listening(spec) {
		if t.Port == nil || *t.Port == value(value(l.PortMapping).Port) {
			return spec, l, true
		}
	}
	return spec, l, false
}
