package mesh

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
)

// manager wraps an HTTP connection manager.
func manager(m *xdsapi.HttpConnectionManager) *xdsapi.Filter {
	return filter(xdsapi.ManagerFilter, m)
}

func tcpProxy(m *xdsapi.TcpProxy) *xdsapi.Filter { return filter(xdsapi.TCPProxyFilter, m) }

func filter(name string, m proto.Message) *xdsapi.Filter {
	return &xdsapi.Filter{Name: name, ConfigType: &xdsapi.Filter_TypedConfig{TypedConfig: xdsapi.Pack(m)}}
}

// manager is the part that all connection managers have in common. HTTP ports
// take HTTP/2 too when it is spoken; ports of HTTP/2 and gRPC take nothing else.
func (b *builder) manager(direction string, port int32, protocol api.PortProtocol) *xdsapi.HttpConnectionManager {
	codec := xdsapi.HttpConnectionManager_AUTO
	if overHTTP2(protocol) {
		codec = xdsapi.HttpConnectionManager_HTTP2
	}
	return &xdsapi.HttpConnectionManager{
		CodecType: codec, StatPrefix: direction, AccessLog: b.logs,
		RouteSpecifier: &xdsapi.HttpConnectionManager_Rds{Rds: &xdsapi.Rds{ConfigSource: ads(), RouteConfigName: routesName(direction, port)}},
		HttpFilters:    []*xdsapi.HttpFilter{{Name: xdsapi.RouterFilter, ConfigType: &xdsapi.HttpFilter_TypedConfig{TypedConfig: xdsapi.Pack(&xdsapi.Router{})}}},
		UpgradeConfigs: []*xdsapi.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}},
		NormalizePath:  wrapperspb.Bool(true), MergeSlashes: true,
	}
}

func overHTTP2(protocol api.PortProtocol) bool {
	return protocol == api.PortProtocolHttp2 || protocol == api.PortProtocolGrpc
}

func originalDst() *xdsapi.ListenerFilter {
	return &xdsapi.ListenerFilter{Name: xdsapi.OriginalDstFilter, ConfigType: &xdsapi.ListenerFilter_TypedConfig{TypedConfig: xdsapi.Pack(&xdsapi.OriginalDst{})}}
}

// inspector tells TLS from plain text, by the first bytes, on some ports. On
// others nothing is waited for: there servers may speak first.
func inspector(ports ...int32) *xdsapi.ListenerFilter {
	slices.Sort(ports)
	var rules []*xdsapi.ListenerFilterChainMatchPredicate
	for _, p := range slices.Compact(ports) {
		rules = append(rules, &xdsapi.ListenerFilterChainMatchPredicate{Rule: &xdsapi.ListenerFilterChainMatchPredicate_DestinationPortRange{
			DestinationPortRange: &xdsapi.Int32Range{Start: p, End: p + 1},
		}})
	}
	on := rules[0]
	if len(rules) > 1 {
		on = &xdsapi.ListenerFilterChainMatchPredicate{Rule: &xdsapi.ListenerFilterChainMatchPredicate_OrMatch{
			OrMatch: &xdsapi.ListenerFilterChainMatchPredicate_MatchSet{Rules: rules},
		}}
	}
	return &xdsapi.ListenerFilter{
		Name: xdsapi.InspectorFilter, ConfigType: &xdsapi.ListenerFilter_TypedConfig{TypedConfig: xdsapi.Pack(&xdsapi.TlsInspector{})},
		FilterDisabled: &xdsapi.ListenerFilterChainMatchPredicate{Rule: &xdsapi.ListenerFilterChainMatchPredicate_NotMatch{NotMatch: on}},
	}
}

// ads names the stream that a resource came by as the source of another.
func ads() *xdsapi.ConfigSource {
	return &xdsapi.ConfigSource{
		ConfigSourceSpecifier: &xdsapi.ConfigSource_Ads{Ads: &xdsapi.AggregatedConfigSource{}}, ResourceApiVersion: xdsapi.ApiVersion_APIVERSION_V3,
	}
}

func address(host string, port int32) *xdsapi.Address {
	return &xdsapi.Address{Address: &xdsapi.Address_SocketAddress{SocketAddress: &xdsapi.SocketAddress{
		Address: host, PortSpecifier: &xdsapi.SocketAddress_PortValue{PortValue: uint32(port)},
	}}}
}

func number(n int32) *wrapperspb.UInt32Value { return wrapperspb.UInt32(uint32(n)) }

// duration is a time of App Mesh's; nil when none is given.
func duration(d *api.Duration) *durationpb.Duration {
	if d == nil {
		return nil
	}
	out := &durationpb.Duration{Seconds: value(d.Value)}
	if d.Unit == api.DurationUnitMs {
		out = &durationpb.Duration{Seconds: value(d.Value) / 1000, Nanos: int32(value(d.Value)%1000) * 1e6}
	}
	return out
}

// defaultTimeout is that of requests when none is given (App Mesh user guide,
// Routes, Timeouts: "The default is 15 seconds"), on both sides of a call.
var defaultTimeout = &durationpb.Duration{Seconds: 15}

func orDefault(d *api.Duration) *durationpb.Duration {
	if d == nil {
		return defaultTimeout
	}
	return duration(d)
}

// httpTimeoutOf is a listener's timeout, of whichever HTTP it speaks.
func httpTimeoutOf(t *api.ListenerTimeout) api.HttpTimeout {
	switch {
	case t == nil:
		return api.HttpTimeout{}
	case t.Http != nil:
		return *t.Http
	case t.Http2 != nil:
		return *t.Http2
	case t.Grpc != nil:
		return api.HttpTimeout(*t.Grpc)
	}
	return api.HttpTimeout{}
}
