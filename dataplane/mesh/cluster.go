package mesh

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
)

// connectTime is how long a connection may take to be made: Envoy's default.
// App Mesh had 250 ms for the application and 1 s for peers, which a task with
// half a processor misses whenever it is throttled.
const connectTime = 5 * time.Second

// localCluster is the application itself.
func localCluster(name, host string, port int32, protocol api.PortProtocol, pool *xdsapi.CircuitBreakers_Thresholds) *xdsapi.Cluster {
	return &xdsapi.Cluster{
		Name: name, ClusterDiscoveryType: kind(xdsapi.Cluster_STATIC), ConnectTimeout: durationpb.New(connectTime),
		LoadAssignment: oneAddress(name, host, port), TypedExtensionProtocolOptions: protocolOptions(protocol, false),
		CircuitBreakers: &xdsapi.CircuitBreakers{Thresholds: []*xdsapi.CircuitBreakers_Thresholds{pool}},
	}
}

// remote makes the cluster of a node's port as a backend, and says its name.
func (b *builder) remote(by backend, node string, spec api.VirtualNodeSpec, l api.Listener) string {
	m := value(l.PortMapping)
	name := clusterName("egress", b.mesh.Name, node, m)
	socket := upstream(by.policy, l, discoveryName(spec), b.agent)
	if have := b.cds[name]; have != nil && !proto.Equal(have.TransportSocket, socket) {
		name += "_" + by.service // the same node, spoken to in two ways
	}
	if b.cds[name] != nil {
		return name
	}
	c := &xdsapi.Cluster{
		Name: name, ConnectTimeout: durationpb.New(connectTime), TransportSocket: socket,
		TypedExtensionProtocolOptions: protocolOptions(m.Protocol, socket != nil), OutlierDetection: outliers(l.OutlierDetection),
		HealthChecks:    healthChecks(l.HealthCheck, discoveryName(spec)+":"+strconv.Itoa(int(value(m.Port))), value(m.Port)),
		CircuitBreakers: &xdsapi.CircuitBreakers{Thresholds: []*xdsapi.CircuitBreakers_Thresholds{unlimited()}},
	}
	if dns := value(spec.ServiceDiscovery).Dns; dns != nil {
		b.byName(c, *dns, value(m.Port))
	} else {
		c.ClusterDiscoveryType = kind(xdsapi.Cluster_EDS)
		c.EdsClusterConfig = &xdsapi.Cluster_EdsClusterConfig{EdsConfig: ads()}
		b.targets[name] = target{node, value(m.Port)}
	}
	b.cds[name] = c
	return name
}

// byName has a cluster found by DNS: as the one that a name stands for at the
// time, which is App Mesh's default, or as all addresses that it has.
func (b *builder) byName(c *xdsapi.Cluster, dns api.DnsServiceDiscovery, port int32) {
	c.ClusterDiscoveryType = kind(xdsapi.Cluster_LOGICAL_DNS)
	if dns.ResponseType == api.DnsResponseTypeEndpoints {
		c.ClusterDiscoveryType = kind(xdsapi.Cluster_STRICT_DNS)
	}
	host := value(dns.Hostname)
	if _, err := netip.ParseAddr(host); err != nil && !strings.HasSuffix(host, ".") {
		host += "." // as it is, without search domains
	}
	c.LoadAssignment = oneAddress(c.Name, host, port)
	prefer := dns.IpPreference
	if prefer == "" {
		prefer = value(b.spec().ServiceDiscovery).IpPreference
	}
	if prefer == "" || prefer == api.IpPreferenceIPv4Only {
		c.DnsLookupFamily = xdsapi.Cluster_V4_ONLY
	}
}

// passthrough makes a cluster whose connections go where they were going.
func (b *builder) passthrough(name string) {
	b.cds[name] = &xdsapi.Cluster{
		Name: name, ClusterDiscoveryType: kind(xdsapi.Cluster_ORIGINAL_DST), LbPolicy: xdsapi.Cluster_CLUSTER_PROVIDED,
		ConnectTimeout:  durationpb.New(connectTime),
		CircuitBreakers: &xdsapi.CircuitBreakers{Thresholds: []*xdsapi.CircuitBreakers_Thresholds{unlimited()}},
	}
}

func kind(k xdsapi.Cluster_DiscoveryType) *xdsapi.Cluster_Type { return &xdsapi.Cluster_Type{Type: k} }

func oneAddress(cluster, host string, port int32) *xdsapi.ClusterLoadAssignment {
	return &xdsapi.ClusterLoadAssignment{ClusterName: cluster, Endpoints: []*xdsapi.LocalityLbEndpoints{{LbEndpoints: []*xdsapi.LbEndpoint{{
		HostIdentifier: &xdsapi.LbEndpoint_Endpoint{Endpoint: &xdsapi.Endpoint{Address: address(host, port)}},
	}}}}}
}

// protocolOptions makes connections speak HTTP/2 where the listener does, and
// within TLS also to a listener of HTTP whose proxy agrees to it by ALPN.
func protocolOptions(protocol api.PortProtocol, tls bool) map[string]*anypb.Any {
	options := &xdsapi.UpstreamHttpOptions{}
	switch {
	case overHTTP2(protocol):
		options.UpstreamProtocolOptions = &xdsapi.UpstreamHttpOptions_ExplicitHttpConfig_{ExplicitHttpConfig: &xdsapi.UpstreamHttpOptions_ExplicitHttpConfig{
			ProtocolConfig: &xdsapi.UpstreamHttpOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: &xdsapi.Http2ProtocolOptions{}},
		}}
	case protocol == api.PortProtocolHttp && tls:
		options.UpstreamProtocolOptions = &xdsapi.UpstreamHttpOptions_AutoConfig{AutoConfig: &xdsapi.UpstreamHttpOptions_AutoHttpConfig{
			HttpProtocolOptions: &xdsapi.Http1ProtocolOptions{}, Http2ProtocolOptions: &xdsapi.Http2ProtocolOptions{},
		}}
	default:
		return nil
	}
	return map[string]*anypb.Any{xdsapi.HTTPOptionsKey: xdsapi.Pack(options)}
}

// unlimited are App Mesh's circuit breakers when none are asked for (App Mesh
// user guide, Envoy defaults, Default circuit breaker).
func unlimited() *xdsapi.CircuitBreakers_Thresholds {
	most := func() *wrapperspb.UInt32Value { return number(math.MaxInt32) }
	return &xdsapi.CircuitBreakers_Thresholds{MaxConnections: most(), MaxPendingRequests: most(), MaxRequests: most(), MaxRetries: most()}
}

// poolOf limits what reaches the application, as its listener's connection pool says.
func poolOf(p *api.VirtualNodeConnectionPool) *xdsapi.CircuitBreakers_Thresholds {
	out := unlimited()
	set := func(field **wrapperspb.UInt32Value, n *int32) {
		if n != nil {
			*field = number(*n)
		}
	}
	if p == nil {
		return out
	}
	if h := p.Http; h != nil {
		set(&out.MaxConnections, h.MaxConnections)
		set(&out.MaxPendingRequests, h.MaxPendingRequests)
	}
	if p.Http2 != nil {
		set(&out.MaxRequests, p.Http2.MaxRequests)
	}
	if p.Grpc != nil {
		set(&out.MaxRequests, p.Grpc.MaxRequests)
	}
	if p.Tcp != nil {
		set(&out.MaxConnections, p.Tcp.MaxConnections)
	}
	return out
}

// outliers ejects a node's tasks for consecutive errors of theirs alone.
func outliers(o *api.OutlierDetection) *xdsapi.OutlierDetection {
	if o == nil {
		return nil
	}
	return &xdsapi.OutlierDetection{
		Consecutive_5Xx: wrapperspb.UInt32(uint32(value(o.MaxServerErrors))), EnforcingConsecutive_5Xx: number(100), EnforcingSuccessRate: number(0),
		Interval: duration(o.Interval), BaseEjectionTime: duration(o.BaseEjectionDuration), MaxEjectionPercent: number(value(o.MaxEjectionPercent)),
	}
}

// healthChecks are made by a node's clients.
func healthChecks(h *api.HealthCheckPolicy, host string, port int32) []*xdsapi.HealthCheck {
	if h == nil {
		return nil
	}
	millis := func(n *int64) *durationpb.Duration { return durationpb.New(time.Duration(value(n)) * time.Millisecond) }
	out := &xdsapi.HealthCheck{
		Timeout: millis(h.TimeoutMillis), Interval: millis(h.IntervalMillis), AltPort: number(port),
		HealthyThreshold: number(value(h.HealthyThreshold)), UnhealthyThreshold: number(value(h.UnhealthyThreshold)),
	}
	switch h.Protocol {
	case api.PortProtocolHttp, api.PortProtocolHttp2:
		check := &xdsapi.HealthCheck_HttpHealthCheck{Host: host, Path: value(h.Path)}
		if h.Protocol == api.PortProtocolHttp2 {
			check.CodecClientType = xdsapi.CodecClientType_CODECCLIENTTYPE_HTTP2
		}
		out.HealthChecker = &xdsapi.HealthCheck_HttpHealthCheck_{HttpHealthCheck: check}
	case api.PortProtocolGrpc:
		out.HealthChecker = &xdsapi.HealthCheck_GrpcHealthCheck_{GrpcHealthCheck: &xdsapi.HealthCheck_GrpcHealthCheck{}}
	default:
		out.HealthChecker = &xdsapi.HealthCheck_TcpHealthCheck_{TcpHealthCheck: &xdsapi.HealthCheck_TcpHealthCheck{}}
	}
	return []*xdsapi.HealthCheck{out}
}
