package mesh

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/pki"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/seal"
)

var scope = arn.Scope{Account: "123456789012", Region: "us-east-1"}

// shop reads a mesh as App Mesh's API writes its specs.
func shop(t testing.TB, doc string) *Mesh {
	t.Helper()
	m := &Mesh{}
	d := json.NewDecoder(bytes.NewReader([]byte(doc)))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		t.Fatal(err)
	}
	if m.Name == "" {
		m.Name = "shop"
	}
	m.ARN, m.UID = scope.ARN("appmesh", "mesh/"+m.Name), "uid-1"
	return m
}

// world is a server, and the network that clients reach it by.
type world struct {
	*Server
	t     testing.TB
	conns chan net.Conn
	log   *locked
	mu    sync.Mutex
	tasks map[string]Caller // by address
}

func newWorld(t testing.TB, life time.Duration) *world {
	w := &world{t: t, conns: make(chan net.Conn), log: &locked{}, tasks: map[string]Caller{}}
	keys, err := seal.OpenKeyring(filepath.Join(t.TempDir(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w.Server = New(Config{
		Who: func(_ context.Context, vpc string, ip netip.Addr) (Caller, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			c, ok := w.tasks[ip.String()]
			if !ok || vpc != "vpc-1" {
				return Caller{}, ErrNoTask
			}
			return c, nil
		},
		Authority: func(m *Mesh) (*pki.Authority, error) {
			return pki.OpenAuthority(pki.Config{Dir: dir, Keys: keys, ID: m.UID, Mesh: m.Name, Created: time.Now()})
		},
		Life: life, Log: slog.New(slog.NewTextHandler(w.log, nil)),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx, "vpc-1", pipes{w.conns, ctx}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w
}

type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// pipes is a listener whose connections are made in memory, from whichever
// address a client has.
type pipes struct {
	conns chan net.Conn
	ctx   context.Context
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ctx.Done():
		return nil, net.ErrClosed
	}
}
func (pipes) Close() error   { return nil }
func (pipes) Addr() net.Addr { return &net.TCPAddr{} }

type from struct {
	net.Conn
	addr net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.addr }

// transport connects as a task does.
func (w *world) transport(ip string) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	t := &http.Transport{Protocols: protocols, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case w.conns <- from{theirs, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 40000))}:
			return ours, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	w.t.Cleanup(t.CloseIdleConnections)
	return t
}

// task has a task run at an address.
func (w *world) task(id, ip string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tasks[ip] = Caller{Scope: scope, Intercepted: true, Task: id, TaskARN: scope.ARN("ecs", "task/dev/"+id)}
}

type protoMessage = proto.Message

// client is a proxy that does what the test says, in the state-of-the-world
// variant.
type client struct {
	t      testing.TB
	stream *connect.BidiStreamForClient[xdsapi.DiscoveryRequest, xdsapi.DiscoveryResponse]
	node   *xdsapi.Node
	last   map[string]*xdsapi.DiscoveryResponse
}

func (w *world) client(ip, node string) *client {
	ctx, cancel := context.WithCancel(context.Background())
	w.t.Cleanup(cancel)
	c := connect.NewClient[xdsapi.DiscoveryRequest, xdsapi.DiscoveryResponse](&http.Client{Transport: w.transport(ip)}, "http://mesh"+xdsapi.StreamPath, connect.WithGRPC())
	return &client{w.t, c.CallBidiStream(ctx), &xdsapi.Node{Id: node}, map[string]*xdsapi.DiscoveryResponse{}}
}

// nodeARN is the ARN of a virtual node of the mesh shop.
func nodeARN(name string) string { return scope.ARN("appmesh", "mesh/shop/virtualNode/"+name) }

// ask subscribes to names, of everything when there are none, and takes what
// was sent before.
func (c *client) ask(url string, names ...string) {
	c.t.Helper()
	last := c.last[url]
	c.send(&xdsapi.DiscoveryRequest{TypeUrl: url, ResourceNames: names, ResponseNonce: last.GetNonce(), VersionInfo: last.GetVersionInfo()})
}

func (c *client) send(r *xdsapi.DiscoveryRequest) {
	c.t.Helper()
	r.Node, c.node = c.node, nil
	if err := c.stream.Send(r); err != nil {
		c.t.Fatal(err)
	}
}

// get receives the next response, which must be of a type.
func (c *client) get(url string) *xdsapi.DiscoveryResponse {
	c.t.Helper()
	r, err := c.stream.Receive()
	if err != nil {
		c.t.Fatal(err)
	}
	if r.GetTypeUrl() != url {
		c.t.Fatalf("got %s, want %s", short(r.GetTypeUrl()), short(url))
	}
	c.last[url] = r
	return r
}

func (w *world) logged() string {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	return w.log.b.String()
}
