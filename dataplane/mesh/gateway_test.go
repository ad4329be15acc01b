package mesh_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/mesh"
	"github.com/slipway-dev/slipway/dataplane/pki"
	"github.com/slipway-dev/slipway/dataplane/sidecar"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/seal"
)

// inNetwork runs a test in a network of its own, where all ports are free: it
// starts the test's program once more. It says whether this is that run.
func inNetwork(t *testing.T) bool {
	const mark = "SLIPWAY_TEST_NETWORK"
	if os.Getenv(mark) != "" {
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.LinkSetUp(lo)
		}
		if err != nil {
			t.Fatal(err)
		}
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), mark+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

// A virtual gateway, served by the built-in proxy: requests from outside the
// mesh are rewritten, find the virtual service's routes, and reach its nodes by
// mutual TLS.
func TestGatewayServes(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	scope := arn.Scope{Account: "123456789012", Region: "us-east-1"}
	keys, err := seal.OpenKeyring(filepath.Join(t.TempDir(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	authority, err := pki.OpenAuthority(pki.Config{Dir: t.TempDir(), Keys: keys, ID: "uid", Mesh: "shop", Created: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"v1", "v2"} {
		node(t, authority, version, map[string]string{"v1": "127.0.0.2:8080", "v2": "127.0.0.3:8080"}[version])
	}
	server := mesh.New(mesh.Config{
		Who: func(context.Context, string, netip.Addr) (mesh.Caller, error) {
			return mesh.Caller{Scope: scope, Task: "0a1b"}, nil
		},
		Authority: func(*mesh.Mesh) (*pki.Authority, error) { return authority, nil },
	})
	m := &mesh.Mesh{Name: "shop", ARN: scope.ARN("appmesh", "mesh/shop"), UID: "uid"}
	if err := json.Unmarshal([]byte(gatewayMesh), m); err != nil {
		t.Fatal(err)
	}
	server.Put(m)
	l, err := net.Listen("tcp", "127.0.0.1:15010")
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := sidecar.New(sidecar.Config{Node: &xdsapi.Node{Id: "mesh/shop/virtualGateway/in"}, Endpoint: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- server.Serve(ctx, "vpc-1", l) }()
	go func() { done <- proxy.Run(ctx) }()
	defer func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}()
	for _, tc := range []struct{ host, path, want string }{
		{"shop.example", "/pay/orders?x=1", "v1 pay.dev.local /orders?x=1"},
		{"shop.example", "/pay", "v1 pay.dev.local /"},
		{"shop.example", "/pay/beta/orders", "v2 pay.dev.local /beta/orders"},
		{"shop.example:9000", "/old/a", "v1 pay.dev.local /new/a"},
		{"admin.shop.example", "/anything/else", "v2 pay.dev.local /beta"},
		{"shop.example", "/nowhere", "404"},
	} {
		if got := get(t, "http://127.0.0.1:9000"+tc.path, tc.host); got != tc.want {
			t.Errorf("%s%s: %q, want %q", tc.host, tc.path, got, tc.want)
		}
	}
	if p := server.Proxies(m.ARN); len(p) != 1 || p[0].Nack != "" || p[0].NotAfter.IsZero() {
		t.Errorf("%+v", p)
	}
	// from another address of the host, the gateway's own way to virtual services is closed
	if c, err := net.DialTimeout("tcp", "127.0.0.9:15001", time.Second); err == nil {
		_ = c.Close()
		t.Error("virtual services can be called past the gateway's routes")
	}
}

// node serves, and says who it is and what it was asked.
func node(t *testing.T, authority *pki.Authority, name, addr string) {
	c, err := authority.Issue(pki.Identity{Namespace: "dev.local", Service: name, Task: "x", DNS: []string{"pay.dev.local"}}, 0, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	slot := &pki.Slot{}
	slot.Put(c.TLS())
	side := pki.Side{Source: slot, Peer: &pki.Peer{Trust: authority, Names: []string{"spiffe://shop/ns/shop/svc/in/task/0a1b"}}}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", name, r.Host, r.URL.RequestURI())
	})}
	go func() { _ = s.Serve(tls.NewListener(l, side.Server())) }()
	t.Cleanup(func() { _ = s.Close() })
}

// get asks until the proxy has what it needs to answer.
func get(t *testing.T, url, host string) string {
	t.Helper()
	for {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		resp, err := http.DefaultClient.Do(r)
		if err != nil && strings.Contains(err.Error(), "refused") || err == nil && resp.StatusCode == http.StatusServiceUnavailable {
			continue // not yet
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Sprint(resp.StatusCode)
		}
		return string(body)
	}
}

const gatewayMesh = `{
  "Nodes": {
    "v1": {"serviceDiscovery": {"awsCloudMap": {"namespaceName": "dev.local", "serviceName": "v1"}}, "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}]},
    "v2": {"serviceDiscovery": {"awsCloudMap": {"namespaceName": "dev.local", "serviceName": "v2"}}, "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}]}},
  "Services": {"pay.dev.local": {"provider": {"virtualRouter": {"virtualRouterName": "pay"}}}},
  "Routers": {"pay": {"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]}},
  "Routes": {"pay": {
    "all": {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": [{"virtualNode": "v1", "weight": 1}]}}},
    "beta": {"httpRoute": {"match": {"prefix": "/beta"}, "action": {"weightedTargets": [{"virtualNode": "v2", "weight": 1}]}}}}},
  "Gateways": {"in": {"listeners": [{"portMapping": {"port": 9000, "protocol": "http"}}], "backendDefaults": {"clientPolicy": {"tls": {
    "certificate": {"sds": {"secretName": "default"}},
    "validation": {"trust": {"sds": {"secretName": "ROOTCA"}}, "subjectAlternativeNames": {"match": {"exact": ["pay.dev.local"]}}}}}}}},
  "GatewayRoutes": {"in": {
    "pay": {"httpRoute": {"match": {"prefix": "/pay"}, "action": {"target": {"virtualService": {"virtualServiceName": "pay.dev.local"}}}}},
    "old": {"httpRoute": {"match": {"prefix": "/old/"}, "action": {"target": {"virtualService": {"virtualServiceName": "pay.dev.local"}}, "rewrite": {"prefix": {"value": "/new/"}}}}},
    "admin": {"httpRoute": {"match": {"hostname": {"exact": "admin.shop.example"}, "path": {"regex": "/.*"}}, "action": {"target": {"virtualService": {"virtualServiceName": "pay.dev.local"}}, "rewrite": {"path": {"exact": "/beta"}}}}}}},
  "Endpoints": {"v1": [{"IP": "127.0.0.2", "Zone": "us-east-1a"}], "v2": [{"IP": "127.0.0.3", "Zone": "us-east-1a"}]}
}`
