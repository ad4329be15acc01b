package xds

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	clusterpb "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corepb "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointpb "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerpb "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routepb "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/original_dst/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	hcmpb "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	tlspb "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	discoverypb "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"golang.org/x/tools/txtar"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/slipway-dev/slipway/dataplane/mesh"
)

// Envoy's own stub of the discovery service, with Envoy's own messages, gets
// the configuration of every proxy of every scenario, and all of it keeps the
// rules that Envoy holds messages to.
func TestEnvoyTakesEveryScenario(t *testing.T) {
	files, err := filepath.Glob("../../../dataplane/mesh/testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v %v", files, err)
	}
	w := newWorld(t)
	conn, err := grpc.NewClient("dns:///"+w.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := &mesh.Mesh{Name: "shop", ARN: scope.ARN("appmesh", "mesh/shop"), UID: "uid"}
		if err := json.Unmarshal(archive.Files[0].Data, m); err != nil {
			t.Fatal(err)
		}
		w.Put(m)
		var ids []string
		for name := range m.Nodes {
			ids = append(ids, "virtualNode/"+name)
		}
		for name := range m.Gateways {
			ids = append(ids, "virtualGateway/"+name)
		}
		for _, id := range ids {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+id, func(t *testing.T) {
				e := &envoy{t: t, node: &corepb.Node{Id: scope.ARN("appmesh", "mesh/shop/"+id), UserAgentName: "envoy"}}
				if e.stream, err = discoverypb.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(t.Context()); err != nil {
					t.Fatal(err)
				}
				e.follow()
			})
		}
	}
}

// envoy asks as Envoy does.
type envoy struct {
	t      *testing.T
	stream discoverypb.AggregatedDiscoveryService_StreamAggregatedResourcesClient
	node   *corepb.Node
}

const types = "type.googleapis.com/"

// get subscribes to names of a type, takes what comes, and unpacks it.
func (e *envoy) get(m proto.Message, names ...string) []proto.Message {
	e.t.Helper()
	url := types + string(m.ProtoReflect().Descriptor().FullName())
	ask := &discoverypb.DiscoveryRequest{TypeUrl: url, ResourceNames: names, Node: e.node}
	if err := e.stream.Send(ask); err != nil {
		e.t.Fatal(err)
	}
	r, err := e.stream.Recv()
	if err != nil {
		e.t.Fatal(err)
	}
	if r.GetTypeUrl() != url {
		e.t.Fatalf("got %s, want %s", r.GetTypeUrl(), url)
	}
	ask.ResponseNonce, ask.VersionInfo = r.GetNonce(), r.GetVersionInfo()
	if err := e.stream.Send(ask); err != nil {
		e.t.Fatal(err)
	}
	var out []proto.Message
	for _, a := range r.GetResources() {
		out = append(out, e.valid(a))
	}
	return out
}

// valid unpacks a message, and what it holds, and holds all of it to Envoy's rules.
func (e *envoy) valid(a *anypb.Any) proto.Message {
	e.t.Helper()
	m, err := a.UnmarshalNew()
	if err != nil {
		e.t.Fatal(err)
	}
	if err := m.(interface{ ValidateAll() error }).ValidateAll(); err != nil {
		e.t.Errorf("%s: %v", a.GetTypeUrl(), err)
	}
	if len(m.ProtoReflect().GetUnknown()) > 0 {
		e.t.Errorf("%s has fields that Envoy does not know", a.GetTypeUrl())
	}
	e.within(m.ProtoReflect())
	return m
}

// within looks for packed messages in a message.
func (e *envoy) within(m protoreflect.Message) {
	one := func(v protoreflect.Value) {
		if a, ok := v.Message().Interface().(*anypb.Any); ok {
			e.valid(a)
			return
		}
		e.within(v.Message())
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
			if f.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, each protoreflect.Value) bool { one(each); return true })
			}
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				one(v.List().Get(i))
			}
		default:
			one(v)
		}
		return true
	})
}

// follow asks for everything, and for what that names.
func (e *envoy) follow() {
	e.t.Helper()
	secrets := map[string]bool{}
	var located, routes []string
	for _, m := range e.get(&clusterpb.Cluster{}) {
		c := m.(*clusterpb.Cluster)
		if c.GetType() == clusterpb.Cluster_EDS {
			located = append(located, c.GetName())
		}
		if s := c.GetTransportSocket(); s != nil {
			t := &tlspb.UpstreamTlsContext{}
			e.unpack(s.GetTypedConfig(), t)
			named(secrets, t.GetCommonTlsContext())
		}
	}
	if len(located) > 0 {
		if got := e.get(&endpointpb.ClusterLoadAssignment{}, located...); len(got) != len(located) {
			e.t.Errorf("%d of %d assignments", len(got), len(located))
		}
	}
	seen := map[string]bool{}
	for _, m := range e.get(&listenerpb.Listener{}) {
		l := m.(*listenerpb.Listener)
		chains := l.GetFilterChains()
		if d := l.GetDefaultFilterChain(); d != nil {
			chains = append(chains, d)
		}
		for _, c := range chains {
			if s := c.GetTransportSocket(); s != nil {
				t := &tlspb.DownstreamTlsContext{}
				e.unpack(s.GetTypedConfig(), t)
				named(secrets, t.GetCommonTlsContext())
			}
			for _, f := range c.GetFilters() {
				if h := (&hcmpb.HttpConnectionManager{}); f.GetTypedConfig().MessageIs(h) {
					e.unpack(f.GetTypedConfig(), h)
					if name := h.GetRds().GetRouteConfigName(); !seen[name] {
						seen[name] = true
						routes = append(routes, name)
					}
				}
			}
		}
	}
	if len(routes) > 0 {
		if got := e.get(&routepb.RouteConfiguration{}, routes...); len(got) != len(routes) {
			e.t.Errorf("%d of %d tables of routes", len(got), len(routes))
		}
	}
	var names []string
	for name := range secrets {
		names = append(names, name)
	}
	if len(names) > 0 {
		if got := e.get(&tlspb.Secret{}, names...); len(got) != len(names) {
			e.t.Errorf("%d of %d secrets", len(got), len(names))
		}
	}
}

func (e *envoy) unpack(a *anypb.Any, m proto.Message) {
	e.t.Helper()
	if err := a.UnmarshalTo(m); err != nil {
		e.t.Fatal(err)
	}
}

// named collects the secrets that a context names.
func named(secrets map[string]bool, c *tlspb.CommonTlsContext) {
	for _, s := range c.GetTlsCertificateSdsSecretConfigs() {
		secrets[s.GetName()] = true
	}
	for _, s := range []*tlspb.SdsSecretConfig{c.GetValidationContextSdsSecretConfig(), c.GetCombinedValidationContext().GetValidationContextSdsSecretConfig()} {
		if s != nil {
			secrets[s.GetName()] = true
		}
	}
}
