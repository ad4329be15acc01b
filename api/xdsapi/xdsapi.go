// Package xdsapi is the part of Envoy's xDS v3 API that the mesh speaks: the
// discovery protocol and its resources, the same on the wire as Envoy's. The
// messages are generated from Envoy's own, pruned (tools/xdsmodel), under
// names of our own, so that a program may hold both; Envoy's names appear in
// Any.type_url alone, by Pack and Unpack.
//
// Envoy's Go API costs 28 MB in a binary and half a minute of compiling; this
// costs one.
package xdsapi

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

//go:generate sh generate.sh

// Names of resource types: what streams subscribe to.
const (
	ListenerType = prefix + "envoy.config.listener.v3.Listener"
	RouteType    = prefix + "envoy.config.route.v3.RouteConfiguration"
	ClusterType  = prefix + "envoy.config.cluster.v3.Cluster"
	EndpointType = prefix + "envoy.config.endpoint.v3.ClusterLoadAssignment"
	SecretType   = prefix + "envoy.extensions.transport_sockets.tls.v3.Secret"
)

// Paths of the gRPC methods of envoy.service.discovery.v3.AggregatedDiscoveryService.
const (
	StreamPath = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
	DeltaPath  = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
)

// Keys of Cluster.typed_extension_protocol_options and names of well-known extensions.
const (
	HTTPOptionsKey    = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
	ManagerFilter     = "envoy.filters.network.http_connection_manager"
	TCPProxyFilter    = "envoy.filters.network.tcp_proxy"
	RouterFilter      = "envoy.filters.http.router"
	OriginalDstFilter = "envoy.filters.listener.original_dst"
	InspectorFilter   = "envoy.filters.listener.tls_inspector"
	TLSSocket         = "envoy.transport_sockets.tls"
	FileLog           = "envoy.access_loggers.file"
	PreviousHosts     = "envoy.retry_host_predicates.previous_hosts"
)

const prefix = "type.googleapis.com/"

// names are Envoy's of the messages that travel in an Any.
var names = map[string]string{
	"Listener":               "envoy.config.listener.v3.Listener",
	"RouteConfiguration":     "envoy.config.route.v3.RouteConfiguration",
	"Cluster":                "envoy.config.cluster.v3.Cluster",
	"ClusterLoadAssignment":  "envoy.config.endpoint.v3.ClusterLoadAssignment",
	"Secret":                 "envoy.extensions.transport_sockets.tls.v3.Secret",
	"HttpConnectionManager":  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
	"TcpProxy":               "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
	"Router":                 "envoy.extensions.filters.http.router.v3.Router",
	"OriginalDst":            "envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
	"TlsInspector":           "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
	"DownstreamTlsContext":   "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
	"UpstreamTlsContext":     "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
	"UpstreamHttpOptions":    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
	"FileAccessLog":          "envoy.extensions.access_loggers.file.v3.FileAccessLog",
	"PreviousHostsPredicate": "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
}

// TypeURL is the type_url of a message.
func TypeURL(m proto.Message) string {
	name := names[string(m.ProtoReflect().Descriptor().Name())]
	if name == "" {
		panic(fmt.Sprintf("xdsapi: %T does not travel in an Any", m))
	}
	return prefix + name
}

// Pack puts a message into an Any, the same bytes for the same message.
func Pack(m proto.Message) *anypb.Any {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("xdsapi: encode %T: %v", m, err)) // only text that is not UTF-8 does that
	}
	return &anypb.Any{TypeUrl: TypeURL(m), Value: b}
}

// Unpack reads an Any into a message of the type that it must hold.
func Unpack(a *anypb.Any, m proto.Message) error {
	if want := TypeURL(m); a.GetTypeUrl() != want {
		return fmt.Errorf("got a %s, want a %s", short(a.GetTypeUrl()), short(want))
	}
	if err := proto.Unmarshal(a.GetValue(), m); err != nil {
		return fmt.Errorf("decode %s: %w", short(a.GetTypeUrl()), err)
	}
	return nil
}

func short(url string) string { return strings.TrimPrefix(url, prefix) }
