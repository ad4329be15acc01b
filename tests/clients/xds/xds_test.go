// Package xds lets clients that are not ours speak to the mesh's control plane:
// gRPC's own xDS client, which needs no proxy, and Envoy's API, whose rules
// each resource has to keep. It is a module of its own, so that gRPC's tree
// weighs on nobody who builds Slipway.
package xds

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	xdscreds "google.golang.org/grpc/credentials/xds"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/xds"

	"github.com/slipway-dev/slipway/dataplane/mesh"
	"github.com/slipway-dev/slipway/dataplane/pki"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/seal"
)

var scope = arn.Scope{Account: "123456789012", Region: "us-east-1"}

// world is a control plane on the loopback network.
type world struct {
	*mesh.Server
	t         *testing.T
	addr      string
	authority *pki.Authority
}

func newWorld(t *testing.T) *world {
	keys, err := seal.OpenKeyring(filepath.Join(t.TempDir(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	authority, err := pki.OpenAuthority(pki.Config{Dir: t.TempDir(), Keys: keys, ID: "uid", Mesh: "shop", Created: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	s := mesh.New(mesh.Config{
		Who: func(_ context.Context, _ string, ip netip.Addr) (mesh.Caller, error) {
			return mesh.Caller{Scope: scope, Task: "0a1b", Intercepted: true}, nil
		},
		Authority: func(*mesh.Mesh) (*pki.Authority, error) { return authority, nil },
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, "vpc-1", l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &world{s, t, l.Addr().String(), authority}
}

// put declares a mesh, written as App Mesh's specs.
func (w *world) put(format string, args ...any) {
	w.t.Helper()
	m := &mesh.Mesh{Name: "shop", ARN: scope.ARN("appmesh", "mesh/shop"), UID: "uid"}
	if err := json.Unmarshal(fmt.Appendf(nil, format, args...), m); err != nil {
		w.t.Fatal(err)
	}
	w.Put(m)
}

// dial makes gRPC's client of a virtual service, as a task of the node web.
func (w *world) dial(target, providers string, with credentials.TransportCredentials) healthpb.HealthClient {
	w.t.Helper()
	resolver, err := xds.NewXDSResolverWithConfigForTesting(fmt.Appendf(nil, `{
		"xds_servers": [{"server_uri": %q, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}],
		"node": {"id": "arn:aws:appmesh:us-east-1:123456789012:mesh/shop/virtualNode/web"}, "certificate_providers": {%s}}`, w.addr, providers))
	if err != nil {
		w.t.Fatal(err)
	}
	conn, err := grpc.NewClient("xds:///"+target, grpc.WithResolvers(resolver), grpc.WithTransportCredentials(with))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	return healthpb.NewHealthClient(conn)
}

// backends are gRPC servers at one port of several addresses.
type backends struct {
	port  int
	mu    sync.Mutex
	calls map[string]int // by address
}

type health struct {
	healthpb.UnimplementedHealthServer
	at string
	of *backends
}

func (h health) Check(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	h.of.calls[h.at]++
	_ = grpc.SetHeader(ctx, metadata.Pairs("at", h.at))
	return &healthpb.HealthCheckResponse{}, nil
}

func serve(t *testing.T, with credentials.TransportCredentials, hosts ...string) *backends {
	b := &backends{calls: map[string]int{}}
	for _, host := range hosts {
		l, err := net.Listen("tcp", net.JoinHostPort(host, fmt.Sprint(b.port)))
		if err != nil {
			t.Fatal(err)
		}
		b.port = l.Addr().(*net.TCPAddr).Port
		s := grpc.NewServer(grpc.Creds(with))
		healthpb.RegisterHealthServer(s, health{at: host, of: b})
		go func() { _ = s.Serve(l) }()
		t.Cleanup(s.Stop)
	}
	return b
}

// call calls once, and says which address answered.
func call(t *testing.T, c healthpb.HealthClient, md ...string) string {
	t.Helper()
	var header metadata.MD
	ctx := metadata.AppendToOutgoingContext(t.Context(), md...)
	for {
		_, err := c.Check(ctx, &healthpb.HealthCheckRequest{}, grpc.Header(&header), grpc.WaitForReady(true))
		if err == nil {
			return header.Get("at")[0]
		}
		// gRPC takes new routes a moment before the clusters that they name (ClientConn.applyServiceConfigAndBalancer).
		if !strings.Contains(err.Error(), "unknown cluster selected for RPC") {
			t.Fatal(err)
		}
	}
}

const twoNodes = `{"Nodes": {
  "web": {"backends": [{"virtualService": {"virtualServiceName": "payment.dev.local"}}]},
  "v1": {"serviceDiscovery": {"awsCloudMap": {"namespaceName": "dev.local", "serviceName": "v1"}}, "listeners": [{"portMapping": {"port": %[1]d, "protocol": "grpc"}}]},
  "v2": {"serviceDiscovery": {"awsCloudMap": {"namespaceName": "dev.local", "serviceName": "v2"}}, "listeners": [{"portMapping": {"port": %[1]d, "protocol": "grpc"}}]}},
  "Endpoints": {"v1": [{"IP": "127.0.0.2", "Zone": "us-east-1a"}, {"IP": "127.0.0.3", "Zone": "us-east-1b"}], "v2": [{"IP": "127.0.0.4", "Zone": "us-east-1a"}]},`

// gRPC's client finds a virtual service by its name, calls all its endpoints,
// and follows them when they change, and when the service moves to another node.
// No server that is not there is called meanwhile.
func TestClientWithoutProxy(t *testing.T) {
	w := newWorld(t)
	b := serve(t, insecure.NewCredentials(), "127.0.0.2", "127.0.0.3", "127.0.0.4")
	by := func(node string) {
		w.put(twoNodes+`"Services": {"payment.dev.local": {"provider": {"virtualNode": {"virtualNodeName": %[2]q}}}}}`, b.port, node)
	}
	by("v1")
	c := w.dial(fmt.Sprintf("payment.dev.local:%d", b.port), "", insecure.NewCredentials())
	reaches := func(want ...string) {
		t.Helper()
		seen := map[string]bool{}
		for last := 0; ; {
			at := call(t, c)
			expected := false
			for _, host := range want {
				expected = expected || host == at
			}
			if !expected { // it has not heard of the change yet
				clear(seen)
				last = 0
				continue
			}
			seen[at] = true
			if last++; len(seen) == len(want) && last >= 20 {
				return
			}
		}
	}
	reaches("127.0.0.2", "127.0.0.3")
	w.Endpoints(scope.ARN("appmesh", "mesh/shop"), map[string][]mesh.Endpoint{"v1": {{IP: netip.MustParseAddr("127.0.0.3"), Zone: "us-east-1b"}}})
	reaches("127.0.0.3")
	by("v2")
	reaches("127.0.0.4")
	by("v1")
	reaches("127.0.0.2", "127.0.0.3")
	p := w.Proxies(scope.ARN("appmesh", "mesh/shop"))
	if len(p) != 1 || p[0].Nack != "" {
		t.Errorf("%+v", p)
	}
}

// Routes of gRPC work as they do in a proxy: by service, method and metadata,
// with weights.
func TestRoutesWithoutProxy(t *testing.T) {
	w := newWorld(t)
	b := serve(t, insecure.NewCredentials(), "127.0.0.2", "127.0.0.3", "127.0.0.4")
	w.put(twoNodes+`"Services": {"payment.dev.local": {"provider": {"virtualRouter": {"virtualRouterName": "r"}}}},
		"Routers": {"r": {"listeners": [{"portMapping": {"port": 80, "protocol": "grpc"}}]}},
		"Routes": {"r": {
			"gold": {"grpcRoute": {"match": {"serviceName": "grpc.health.v1.Health", "methodName": "Check", "metadata": [{"name": "tier", "match": {"exact": "gold"}}]}, "action": {"weightedTargets": [{"virtualNode": "v2", "weight": 1}]}}},
			"all": {"grpcRoute": {"match": {"serviceName": "grpc.health.v1.Health"}, "action": {"weightedTargets": [{"virtualNode": "v1", "weight": 75}, {"virtualNode": "v2", "weight": 25}]}}}}}}`, b.port)
	c := w.dial("payment.dev.local", "", insecure.NewCredentials())
	for range 20 {
		if at := call(t, c, "tier", "gold"); at != "127.0.0.4" {
			t.Fatalf("gold went to %s", at)
		}
	}
	clear(b.calls)
	const n = 2000
	for range n {
		call(t, c)
	}
	if v2 := b.calls["127.0.0.4"]; v2 < n/5 || v2 > n*3/10 {
		t.Errorf("%d of %d calls went to v2, want a quarter", v2, n)
	}
}

// What a node did not declare is not there for it.
func TestUndeclaredBackends(t *testing.T) {
	w := newWorld(t)
	w.put(twoNodes+`"Services": {"other.dev.local": {"provider": {"virtualNode": {"virtualNodeName": "v1"}}}}}`, 8080)
	c := w.dial("other.dev.local:8080", "", insecure.NewCredentials())
	if _, err := c.Check(t.Context(), &healthpb.HealthCheckRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("%v", err)
	}
}

// A client without a proxy proves who it is, and holds servers to their names,
// with certificates of its own: those that it knows under the names of secrets.
func TestMutualTLSWithoutProxy(t *testing.T) {
	w := newWorld(t)
	issue := func(service string) pki.Certificate {
		c, err := w.authority.Issue(pki.Identity{Namespace: "dev.local", Service: service, Task: "0a1b", DNS: []string{service + ".dev.local"}}, 0, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	server := func(service string) credentials.TransportCredentials {
		slot := &pki.Slot{}
		slot.Put(issue(service).TLS())
		return credentials.NewTLS(pki.Side{Source: slot, Peer: &pki.Peer{Trust: w.authority, Names: []string{"web.dev.local"}}, Next: []string{"h2"}}.Server())
	}
	dir := t.TempDir()
	chain, key, err := issue("web").PEM()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"chain.pem": chain, "key.pem": key, "ca.pem": w.authority.PEM()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	providers := fmt.Sprintf(`"default": {"plugin_name": "file_watcher", "config": {"certificate_file": %q, "private_key_file": %q}},
		"ROOTCA": {"plugin_name": "file_watcher", "config": {"ca_certificate_file": %q}}`, dir+"/chain.pem", dir+"/key.pem", dir+"/ca.pem")
	with, err := xdscreds.NewClientCredentials(xdscreds.ClientOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		t.Fatal(err)
	}
	for service, good := range map[string]bool{"payment": true, "impostor": false} {
		b := serve(t, server(service), "127.0.0.2")
		w.put(`{"Nodes": {
			"web": {"backends": [{"virtualService": {"virtualServiceName": "payment.dev.local", "clientPolicy": {"tls": {
				"certificate": {"sds": {"secretName": "default"}},
				"validation": {"trust": {"sds": {"secretName": "ROOTCA"}}, "subjectAlternativeNames": {"match": {"exact": ["payment.dev.local"]}}}}}}}]},
			"payment": {"serviceDiscovery": {"awsCloudMap": {"namespaceName": "dev.local", "serviceName": "payment"}}, "listeners": [{"portMapping": {"port": %d, "protocol": "grpc"},
				"tls": {"mode": "STRICT", "certificate": {"sds": {"secretName": "default"}}}}]}},
			"Services": {"payment.dev.local": {"provider": {"virtualNode": {"virtualNodeName": "payment"}}}},
			"Endpoints": {"payment": [{"IP": "127.0.0.2", "Zone": "us-east-1a"}]}}`, b.port)
		c := w.dial(fmt.Sprintf("payment.dev.local:%d", b.port), providers, with)
		_, err := c.Check(t.Context(), &healthpb.HealthCheckRequest{})
		if good && err != nil || !good && (status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "do not match any of the accepted SANs")) {
			t.Errorf("%s: %v", service, err)
		}
	}
}
