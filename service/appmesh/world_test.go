package appmesh

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

var here = arn.Scope{Account: "123456789012", Region: "eu-central-1"}

// world is the service behind a real endpoint, with a client that signs.
type world struct {
	t       *testing.T
	store   *store.Store
	service *Service
	client  *awsapi.Client
}

func newWorld(t *testing.T) *world {
	st, err := store.Open(store.Config{}, Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: st}
	w.service = New(Config{Store: st, StrictQuotas: true})
	cred := awsapi.Credential{AccessKey: "AKID", SecretKey: "s", Account: here.Account}
	mux := awsapi.NewMux(awsapi.Config{Credentials: func(string) (awsapi.Credential, bool) { return cred, true }}, w.service.API())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.client = awsapi.NewClient(awsapi.ClientConfig{Endpoint: server.URL, Region: here.Region, AccessKey: "AKID", SecretKey: "s"})
	return w
}

// call makes a call that answers.
func call[O, I any](w *world, op string, in *I) *O {
	w.t.Helper()
	out, err := awsapi.Call[I, O](w.t.Context(), w.client, "appmesh", op, in)
	if err != nil {
		w.t.Fatalf("%s: %v", op, err)
	}
	return out
}

// refused makes a call that is refused with a code, in words that say why.
func refused[O, I any](w *world, op string, in *I, code string, words ...string) {
	w.t.Helper()
	_, err := awsapi.Call[I, O](w.t.Context(), w.client, "appmesh", op, in)
	e, ok := errors.AsType[*awsapi.Error](err)
	if !ok || e.Code != code {
		w.t.Fatalf("%s: %v, want %s", op, err, code)
	}
	for _, word := range words {
		if !strings.Contains(e.Message, word) {
			w.t.Errorf("%s: %q does not say %q", op, e.Message, word)
		}
	}
}

func (w *world) mesh(name string) *api.MeshData {
	return call[api.CreateMeshOutput](w, "CreateMesh", &api.CreateMeshInput{MeshName: &name}).Mesh
}

// listener is one on a port, and nothing more.
func listener(port int32, protocol api.PortProtocol) api.Listener {
	return api.Listener{PortMapping: &api.PortMapping{Port: &port, Protocol: protocol}}
}

// nodeSpecOf is a node found by DNS that listens on ports, in HTTP.
func nodeSpecOf(ports ...int32) *api.VirtualNodeSpec {
	spec := &api.VirtualNodeSpec{ServiceDiscovery: &api.ServiceDiscovery{Dns: &api.DnsServiceDiscovery{Hostname: new("order.dev.local")}}}
	for _, p := range ports {
		spec.Listeners = append(spec.Listeners, listener(p, api.PortProtocolHttp))
	}
	return spec
}

func (w *world) node(name string, ports ...int32) *api.VirtualNodeData {
	return call[api.CreateVirtualNodeOutput](w, "CreateVirtualNode", &api.CreateVirtualNodeInput{MeshName: new("shop"), VirtualNodeName: &name, Spec: nodeSpecOf(ports...)}).VirtualNode
}

func routerSpecOf(ports ...int32) *api.VirtualRouterSpec {
	spec := &api.VirtualRouterSpec{}
	for _, p := range ports {
		spec.Listeners = append(spec.Listeners, api.VirtualRouterListener{PortMapping: &api.PortMapping{Port: &p, Protocol: api.PortProtocolHttp}})
	}
	return spec
}

func (w *world) router(name string, ports ...int32) *api.VirtualRouterData {
	return call[api.CreateVirtualRouterOutput](w, "CreateVirtualRouter", &api.CreateVirtualRouterInput{MeshName: new("shop"), VirtualRouterName: &name, Spec: routerSpecOf(ports...)}).VirtualRouter
}

// routeTo sends everything below / to nodes in equal parts.
func routeTo(nodes ...string) *api.RouteSpec {
	r := &api.HttpRoute{Match: &api.HttpRouteMatch{Prefix: new("/")}, Action: &api.HttpRouteAction{}}
	for _, n := range nodes {
		r.Action.WeightedTargets = append(r.Action.WeightedTargets, api.WeightedTarget{VirtualNode: &n, Weight: new(int32(1))})
	}
	return &api.RouteSpec{HttpRoute: r}
}

func (w *world) virtualService(name string, p *api.VirtualServiceProvider) *api.VirtualServiceData {
	return call[api.CreateVirtualServiceOutput](w, "CreateVirtualService", &api.CreateVirtualServiceInput{
		MeshName: new("shop"), VirtualServiceName: &name, Spec: &api.VirtualServiceSpec{Provider: p},
	}).VirtualService
}

func byNode(name string) *api.VirtualServiceProvider {
	return &api.VirtualServiceProvider{VirtualNode: &api.VirtualNodeServiceProvider{VirtualNodeName: &name}}
}

func byRouter(name string) *api.VirtualServiceProvider {
	return &api.VirtualServiceProvider{VirtualRouter: &api.VirtualRouterServiceProvider{VirtualRouterName: &name}}
}

func gatewaySpecOf(ports ...int32) *api.VirtualGatewaySpec {
	spec := &api.VirtualGatewaySpec{}
	for _, p := range ports {
		spec.Listeners = append(spec.Listeners, api.VirtualGatewayListener{PortMapping: &api.VirtualGatewayPortMapping{Port: &p, Protocol: "http"}})
	}
	return spec
}

func gatewayRouteTo(service, prefix string) *api.GatewayRouteSpec {
	return &api.GatewayRouteSpec{HttpRoute: &api.HttpGatewayRoute{
		Match:  &api.HttpGatewayRouteMatch{Prefix: &prefix},
		Action: &api.HttpGatewayRouteAction{Target: &api.GatewayRouteTarget{VirtualService: &api.GatewayRouteVirtualService{VirtualServiceName: &service}}},
	}}
}

// request is the context in which a stack's operation calls a handler; token
// names the piece of work.
func request(t *testing.T, logical, token string) context.Context {
	ctx := awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: here})
	return cfn.With(awsapi.WithToken(ctx, token), cfn.Request{
		StackID: "stack", StackName: "dev", LogicalID: logical, Token: token, Tags: map[string]string{cfn.TagStackID: "stack", cfn.TagLogicalID: logical},
	})
}
