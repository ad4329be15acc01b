package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/slipway-dev/slipway/dataplane/mesh"
	"github.com/slipway-dev/slipway/dataplane/pki"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/seal"
)

// shop is order, which calls payment, declared as the manifest is rendered:
// both hold each other to an exact name; retries, timeouts, ejection.
//
//go:embed shop.json
var shop []byte

var scope = arn.Scope{Account: "123456789012", Region: "us-east-1"}

// planeAddr is where the control plane of the shop answers.
const planeAddr = "127.0.0.1:15010"

// world is the namespace and what runs in it.
type world struct {
	settings
	dir     string
	proxy   string // program of the sidecar
	files   files  // certificates of the shop, for the others
	running []*process
	stop    context.CancelFunc
	lineup  []*contender // nil until it was started
}

// newWorld furnishes the namespace and serves the shop's configuration.
func newWorld(dir string, s settings) (*world, error) {
	if err := furnish(); err != nil {
		return nil, err
	}
	w := &world{settings: s, dir: dir, proxy: filepath.Join(dir, "slipway-proxy")}
	m, err := declared(shop)
	if err != nil {
		return nil, err
	}
	by, err := authority(filepath.Join(dir, "pki"), m)
	if err != nil {
		return nil, err
	}
	if w.files, err = certificates(dir, by); err != nil {
		return nil, err
	}
	var ctx context.Context
	ctx, w.stop = context.WithCancel(context.Background())
	if _, err := serve(ctx, planeAddr, m, by); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// serve serves a mesh's configuration until ctx ends.
func serve(ctx context.Context, addr string, m *mesh.Mesh, by *pki.Authority) (*mesh.Server, error) {
	server := mesh.New(mesh.Config{Who: anybody, Authority: func(*mesh.Mesh) (*pki.Authority, error) { return by, nil }})
	server.Put(m)
	l, err := net.Listen("tcp4", addr)
	if err != nil {
		return nil, err
	}
	go func() {
		if err := server.Serve(ctx, "vpc-bench", l); err != nil {
			fmt.Fprintln(os.Stderr, "bench/mesh:", err)
		}
	}()
	return server, nil
}

// declared reads a mesh as App Mesh's API writes its specs.
func declared(text []byte) (*mesh.Mesh, error) {
	m := &mesh.Mesh{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("read the mesh: %w", err)
	}
	m.ARN, m.UID, m.Created = scope.ARN("appmesh", "mesh/"+m.Name), "uid-"+m.Name, time.Now()
	return m, nil
}

func authority(dir string, m *mesh.Mesh) (*pki.Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	keys, err := seal.OpenKeyring(filepath.Join(dir, "master.key"))
	if err != nil {
		return nil, err
	}
	return pki.OpenAuthority(pki.Config{Dir: dir, Keys: keys, ID: m.UID, Mesh: m.Name, Created: m.Created})
}

// anybody takes each client for a task of its address.
func anybody(_ context.Context, _ string, ip netip.Addr) (mesh.Caller, error) {
	return mesh.Caller{Scope: scope, Intercepted: true, Task: ip.String(), TaskARN: scope.ARN("ecs", "task/bench/"+ip.String())}, nil
}

// close ends what runs.
func (w *world) close() {
	for _, p := range w.running {
		p.end()
	}
	w.stop()
}
