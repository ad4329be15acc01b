package synth

import (
	"slices"
	"time"

	"github.com/slipway-dev/slipway/manifest"
)

// defaultTimeout is what App Mesh gives a request that no route says anything of. Source: "HttpTimeout" in the App Mesh API reference.
const defaultTimeout = 15 * time.Second

// route renders the name that a service is called by in the mesh, and the one route behind it, whose weights a later version can share.
func (r *renderer) route(s *manifest.Service) {
	id := manifest.Camel(s.Name)
	r.add(id+"Router", "AWS::AppMesh::VirtualRouter", Object{
		meshName(),
		{"VirtualRouterName", r.names.Router(s.Name)},
		{"Spec", Object{{"Listeners", []Object{{{"PortMapping", Object{{"Port", s.Port}, {"Protocol", s.Protocol}}}}}}}},
	})
	router := Field{"VirtualRouterName", attribute(id+"Router", "VirtualRouterName")}
	r.add(id+"Route", "AWS::AppMesh::Route", Object{
		meshName(), router, {"RouteName", r.names.Route(s.Name)}, {"Spec", routeSpec(s, attribute(id+"Node", "VirtualNodeName"))},
	})
	r.add(id+"VirtualService", "AWS::AppMesh::VirtualService", Object{
		meshName(),
		{"VirtualServiceName", r.names.Host(s)},
		{"Spec", Object{{"Provider", Object{{"VirtualRouter", Object{router}}}}}},
	})
}

// routeSpec sends everything to a service's node, trying again what failed.
func routeSpec(s *manifest.Service, node Object) Object {
	target := Field{"Action", Object{{"WeightedTargets", []Object{{{"VirtualNode", node}, {"Weight", 100}}}}}}
	switch s.Protocol {
	case manifest.TCP:
		return Object{{"TcpRoute", Object{target, {"Timeout", timeout(s)}}}}
	case manifest.GRPC:
		return Object{{"GrpcRoute", Object{{"Match", Object{}}, target, {"RetryPolicy", retries(s)}, {"Timeout", timeout(s)}}}}
	}
	kind := map[string]string{manifest.HTTP: "HttpRoute", manifest.HTTP2: "Http2Route"}[s.Protocol]
	return Object{{kind, Object{{"Match", Object{{"Prefix", "/"}}}, target, {"RetryPolicy", retries(s)}, {"Timeout", timeout(s)}}}}
}

// timeout is how long a call may take, or how long a connection of TCP may be idle; 0 is any time.
func timeout(s *manifest.Service) Object {
	if s.Protocol == manifest.TCP {
		return Object{{"Idle", span(s.Timeout)}}
	}
	return Object{{"PerRequest", span(s.Timeout)}}
}

// Which list of a retry policy an event belongs to. Source: "HttpRetryPolicy" and "GrpcRetryPolicy" in the App Mesh API reference.
var (
	httpEvents = []string{"server-error", "gateway-error", "client-error", "stream-error"}
	tcpEvents  = []string{"connection-error"}
)

// retries is a retry policy. With none at all App Mesh tries twice more, so that no retries have to be said.
func retries(s *manifest.Service) Object {
	var http, tcp, grpc []string
	for _, event := range s.Retries.On {
		switch {
		case slices.Contains(httpEvents, event):
			http = append(http, event)
		case slices.Contains(tcpEvents, event):
			tcp = append(tcp, event)
		default:
			grpc = append(grpc, event)
		}
	}
	if len(s.Retries.On) == 0 { // for no retries at all an event has to be named too
		tcp = tcpEvents
	}
	return Object{
		{"MaxRetries", s.Retries.Max},
		{"PerRetryTimeout", span(s.Retries.PerTryTimeout)},
		{"GrpcRetryEvents", listOrNil(grpc)},
		{"HttpRetryEvents", listOrNil(http)},
		{"TcpRetryEvents", listOrNil(tcp)},
	}
}
