package engine

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/engineapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/mesh"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/seal"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/appmesh"
	"github.com/slipway-dev/slipway/service/iam"
	"github.com/slipway-dev/slipway/service/servicediscovery"
)

var home = arn.Scope{Account: "123456789012", Region: "us-east-1"}

// meshWorld is the control plane over a store, with its loops running, and a
// VPC that is the loopback network.
type meshWorld struct {
	t *testing.T
	*Engine
	addr string
}

func newMeshWorld(t *testing.T) *meshWorld {
	st, err := store.Open(store.Config{}, tables()...)
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{store: st, log: slog.New(slog.DiscardHandler), node: &node{agent: agent.New(agent.Config{Store: st, Log: slog.New(slog.DiscardHandler)})}}
	dir := t.TempDir()
	keys, err := seal.OpenKeyring(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	m := &meshes{engine: e, dir: filepath.Join(dir, "pki"), keys: keys, known: map[string]knownMesh{}, found: map[string][]foundNode{}}
	m.server = mesh.New(mesh.Config{Who: m.who, Authority: m.authority})
	e.meshes = m
	ctx, cancel := context.WithCancel(context.Background())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{}, 3)
	run := func(fn func()) { go func() { fn(); ended <- struct{}{} }() }
	for _, each := range m.loops() {
		run(func() { _ = each.Run(ctx, st, e.log) })
	}
	run(func() { m.service().Serve(ctx, "vpc-1", l) })
	t.Cleanup(func() {
		cancel()
		for range 3 {
			<-ended
		}
	})
	return &meshWorld{t, e, l.Addr().String()}
}

func (w *meshWorld) put(fn func(tx *store.Tx)) {
	w.t.Helper()
	if err := w.store.Update(func(tx *store.Tx) error { fn(tx); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

func specOfJSON[S any](t *testing.T, doc string) (s S) {
	t.Helper()
	if err := json.Unmarshal([]byte(doc), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// declare puts a mesh in which order calls payment.
func (w *meshWorld) declare(uid string) {
	w.put(func(tx *store.Tx) {
		appmesh.Meshes.Put(tx, appmesh.Mesh{Scope: home, Mesh: "shop", Name: "shop", UID: uid, Created: time.Now()})
		appmesh.VirtualNodes.Put(tx, appmesh.VirtualNode{Scope: home, Mesh: "shop", Name: "order", UID: "o", Spec: specOfJSON[api.VirtualNodeSpec](w.t,
			`{"backends":[{"virtualService":{"virtualServiceName":"payment.dev.local"}}]}`)})
		appmesh.VirtualNodes.Put(tx, appmesh.VirtualNode{Scope: home, Mesh: "shop", Name: "payment", UID: "p", Spec: specOfJSON[api.VirtualNodeSpec](w.t,
			`{"listeners":[{"portMapping":{"port":8080,"protocol":"http"}}],"serviceDiscovery":{"awsCloudMap":{"namespaceName":"dev.local","serviceName":"payment"}}}`)})
		appmesh.VirtualServices.Put(tx, appmesh.VirtualService{Scope: home, Mesh: "shop", Name: "payment.dev.local", UID: "s", Spec: specOfJSON[api.VirtualServiceSpec](w.t,
			`{"provider":{"virtualNode":{"virtualNodeName":"payment"}}}`)})
	})
}

func (w *meshWorld) register(id, ip string) {
	w.put(func(tx *store.Tx) {
		servicediscovery.Instances.Put(tx, servicediscovery.Instance{Scope: home, Service: "srv-1", ID: id, Attributes: map[string]string{"AWS_INSTANCE_IPV4": ip, "AVAILABILITY_ZONE": "us-east-1a"}})
	})
}

// task puts a task at the client's address, with a role of a policy.
func (w *meshWorld) task(policy string) {
	w.put(func(tx *store.Tx) {
		iam.Principals.Put(tx, iam.Principal{Account: home.Account, Kind: iam.Role, Name: "order", Path: "/", ID: "AROA", Inline: map[string]string{"p": policy}})
		agent.Tasks.Put(tx, agent.Task{
			ARN: home.ARN("ecs", "task/dev/0a1b"), Scope: home, ID: "0a1b", VPC: "vpc-1", IP: "127.0.0.1", TaskRoleARN: home.GlobalARN("iam", "role/order"), Proxy: &agent.Proxy{},
		})
	})
}

type adsStream = connect.BidiStreamForClient[xdsapi.DeltaDiscoveryRequest, xdsapi.DeltaDiscoveryResponse]

// stream opens a stream for the node order, and asks for a type.
func (w *meshWorld) stream(url string, names ...string) *adsStream {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	ctx, cancel := context.WithCancel(context.Background())
	w.t.Cleanup(func() { cancel(); transport.CloseIdleConnections() })
	s := connect.NewClient[xdsapi.DeltaDiscoveryRequest, xdsapi.DeltaDiscoveryResponse](
		&http.Client{Transport: transport}, "http://"+w.addr+xdsapi.DeltaPath, connect.WithGRPC(),
	).CallBidiStream(ctx)
	node := &xdsapi.Node{Id: home.ARN("appmesh", "mesh/shop/virtualNode/order")}
	if err := s.Send(&xdsapi.DeltaDiscoveryRequest{Node: node, TypeUrl: url, ResourceNamesSubscribe: names}); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// refusal is how a stream ends, once it is refused for the reason wanted: what
// was put is seen by the loops a little later.
func (w *meshWorld) refused(code connect.Code, why string) {
	w.t.Helper()
	for {
		_, err := w.stream(xdsapi.ClusterType).Receive()
		if connect.CodeOf(err) == code && strings.Contains(err.Error(), why) {
			return
		}
		if w.t.Context().Err() != nil || err == nil {
			w.t.Fatalf("%v, want %s: %s", err, code, why)
		}
	}
}

const allowStream = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"appmesh:StreamAggregatedResources","Resource":"arn:aws:appmesh:us-east-1:123456789012:mesh/shop/virtualNode/order"}]}`

// A task's proxy is refused until there is all that it needs: the task, the
// permission, the mesh. Then it gets its endpoints, and every change of them.
func TestMeshFollowsTheStore(t *testing.T) {
	w := newMeshWorld(t)
	w.refused(connect.CodeUnauthenticated, "no task has the address 127.0.0.1")
	w.task(strings.Replace(allowStream, "order", "payment", 1))
	w.refused(connect.CodePermissionDenied, "User: arn:aws:sts::123456789012:assumed-role/order/0a1b is not authorized to perform: appmesh:StreamAggregatedResources on resource: arn:aws:appmesh:us-east-1:123456789012:mesh/shop/virtualNode/order because no identity-based policy")
	w.task(allowStream)
	w.refused(connect.CodeNotFound, "there is no mesh")
	w.put(func(tx *store.Tx) {
		appmesh.Meshes.Put(tx, appmesh.Mesh{Scope: home, Mesh: "shop", Name: "shop", UID: "uid-1", Created: time.Now()})
	})
	w.refused(connect.CodeNotFound, "there is no VirtualNode order in mesh shop")

	w.declare("uid-1")
	w.put(func(tx *store.Tx) {
		servicediscovery.Namespaces.Put(tx, servicediscovery.Namespace{Scope: home, ID: "ns-1", Name: "dev.local", Type: servicediscovery.HTTP})
		servicediscovery.Services.Put(tx, servicediscovery.Registry{Scope: home, ID: "srv-1", Name: "payment", Namespace: "ns-1"})
	})
	const cluster = "cds_egress_shop_payment_http_8080"
	var s *adsStream
	var r *xdsapi.DeltaDiscoveryResponse
	for err := error(connect.NewError(connect.CodeNotFound, nil)); connect.CodeOf(err) == connect.CodeNotFound; {
		s = w.stream(xdsapi.EndpointType, cluster)
		r, err = s.Receive()
		if err != nil && connect.CodeOf(err) != connect.CodeNotFound {
			t.Fatal(err)
		}
	}
	for want := range 3 {
		for ; ; r = w.next(s) {
			got := r.GetResources()
			if len(got) == 0 { // there was no such cluster yet
				continue
			}
			a := &xdsapi.ClusterLoadAssignment{}
			if err := xdsapi.Unpack(got[0].GetResource(), a); err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, zone := range a.GetEndpoints() {
				n += len(zone.GetLbEndpoints())
			}
			w.ack(s, r)
			if n == want {
				break
			}
		}
		w.register("task-"+string(rune('a'+want)), "10.0.3."+string(rune('1'+want)))
	}

	w.put(func(tx *store.Tx) {
		agent.Tasks.Put(tx, agent.Task{ARN: home.ARN("ecs", "task/dev/2c3d"), Scope: home, ID: "2c3d", VPC: "vpc-1", IP: "10.0.3.1", Containers: []agent.Container{
			{Name: "app"}, {Name: "envoy", Environment: map[string]string{"APPMESH_RESOURCE_ARN": "mesh/shop/virtualNode/payment"}},
		}})
	})
	state := w.state()
	if len(state.Nodes) != 2 || state.Nodes[0].Name != "order" || !state.Nodes[0].Connected || state.Nodes[0].Task != "0a1b" || state.Nodes[1].Connected || state.Nodes[1].Name != "payment" || state.Edges == nil {
		t.Errorf("%+v", state)
	}
	w.put(func(tx *store.Tx) { appmesh.Meshes.Delete(tx, "123456789012/us-east-1/shop") })
	for {
		if _, err := s.Receive(); err != nil {
			if connect.CodeOf(err) != connect.CodeNotFound {
				t.Error(err)
			}
			break
		}
	}
}

func (w *meshWorld) next(s *adsStream) *xdsapi.DeltaDiscoveryResponse {
	w.t.Helper()
	r, err := s.Receive()
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *meshWorld) ack(s *adsStream, r *xdsapi.DeltaDiscoveryResponse) {
	w.t.Helper()
	if err := s.Send(&xdsapi.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *meshWorld) state() (out engineapi.MeshState) {
	w.t.Helper()
	r := httptest.NewRequestWithContext(awsapi.WithCaller(w.t.Context(), awsapi.Caller{Scope: home}), http.MethodGet, engineapi.MeshPath+"?mesh=shop", nil)
	out, err := w.meshes.state(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// A mesh made anew under the same name has an authority of its own, and the
// one before is gone.
func TestAuthoritiesGoWithTheirMeshes(t *testing.T) {
	w := newMeshWorld(t)
	w.task(allowStream)
	files := func() []string {
		w.meshes.mu.Lock() // a mesh is forgotten in steps under it
		defer w.meshes.mu.Unlock()
		found, err := filepath.Glob(filepath.Join(w.meshes.dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	issue := func() {
		for {
			r, err := w.stream(xdsapi.SecretType, "default", "ROOTCA").Receive()
			if err == nil && len(r.GetResources()) == 2 {
				return
			}
			if err != nil && connect.CodeOf(err) != connect.CodeNotFound {
				t.Fatal(err)
			}
		}
	}
	w.declare("uid-1")
	issue()
	first := files()
	w.put(func(tx *store.Tx) { appmesh.Meshes.Delete(tx, "123456789012/us-east-1/shop") })
	w.refused(connect.CodeNotFound, "there is no mesh")
	if now := files(); len(now) != 0 {
		t.Errorf("%v is left", now)
	}
	w.declare("uid-2")
	issue()
	if now := files(); len(first) != 1 || len(now) != 1 || now[0] == first[0] {
		t.Errorf("%v, before %v", now, first)
	}
}
