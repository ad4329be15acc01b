package proxy_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/dataplane/pki"
	"github.com/slipway-dev/slipway/dataplane/proxy"
	"github.com/slipway-dev/slipway/kernel/seal"
)

// goes makes connections from a loopback address look as if they had been
// redirected on their way to dst, and returns a client whose connections come
// from there.
func (w *world) goes(from, dst string) *http.Client {
	w.origins.Store(netip.MustParseAddr(from), netip.MustParseAddrPort(dst))
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return w.dialFrom(ctx, from) }}
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second, CheckRedirect: noRedirect.CheckRedirect}
}

// dialFrom connects to the socket ":15001" from a loopback address.
func (w *world) dialFrom(ctx context.Context, from string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	return d.DialContext(ctx, "tcp", w.addrs[":15001"])
}

// fetch is a GET's status and body.
func fetch(t testing.TB, c *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// eventually waits for what the other side of a connection still has to do.
func eventually(t testing.TB, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("it does not come to that")
		}
	}
}

// says is a listener of a chain that answers with its id.
func says(id string, ch proxy.Chain, names ...string) proxy.Listener {
	return proxy.Listener{ID: id, Owner: "mesh", Addr: ":15001", Chain: ch, Names: names, Rules: []proxy.Rule{
		{ID: id, Action: proxy.Action{Fixed: &proxy.Fixed{Status: 200, ContentType: "text/plain", Body: id}}},
	}}
}

// identity is a mesh's authority that issues certificates.
type identity struct {
	*pki.Authority
	t testing.TB
}

func newIdentity(t testing.TB, mesh string) identity {
	t.Helper()
	keys, err := seal.OpenKeyring(filepath.Join(t.TempDir(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := pki.OpenAuthority(pki.Config{Dir: t.TempDir(), Keys: keys, ID: mesh, Mesh: mesh, Created: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return identity{a, t}
}

// slot has a certificate of a service.
func (id identity) slot(service string) *pki.Slot {
	id.t.Helper()
	c, err := id.Issue(pki.Identity{Namespace: "dev.local", Service: service, Task: "0a1b", DNS: []string{service + ".dev.local"}}, 0, time.Now())
	if err != nil {
		id.t.Fatal(err)
	}
	s := new(pki.Slot)
	s.Put(c.TLS())
	return s
}

// side is a service that accepts peers by name.
func (id identity) side(service string, peers ...string) pki.Side {
	s := pki.Side{Source: id.slot(service), Peer: &pki.Peer{Trust: id, Names: peers}}
	return s
}

func TestChains(t *testing.T) {
	w := newWorld(t)
	redirected := func(port uint16, nw string) proxy.Chain {
		ch := proxy.Chain{Redirected: true, Port: port}
		if nw != "" {
			ch.Net = netip.MustParsePrefix(nw)
		}
		return ch
	}
	w.cfg.Listeners = []proxy.Listener{
		says("any", redirected(0, ""), "*"),
		says("payment", redirected(8080, ""), "payment.dev.local", "payment", "payment.dev.local:8080"),
		says("orders", redirected(8080, ""), "*.orders.dev.local"),
		says("all orders", redirected(8080, ""), "*.dev.local"),
		says("begins", redirected(8080, ""), "queue.*"),
		says("subnet", redirected(0, "10.0.0.0/8")),
		says("smaller subnet", redirected(0, "10.1.0.0/16")),
		says("port and subnet", redirected(8080, "10.1.0.0/16")),
	}
	w.apply()
	for i, c := range []struct{ dst, host, want string }{
		{"192.0.2.1:80", "example.com", "any"},
		{"192.0.2.1:8080", "payment.dev.local", "payment"},
		{"192.0.2.1:8080", "PAYMENT.dev.local:8080", "payment"},
		{"192.0.2.1:8080", "payment:99", "payment"},
		{"192.0.2.1:8080", "a.orders.dev.local:8080", "orders"},
		{"192.0.2.1:8080", "a.ordersx.dev.local", "all orders"},
		{"192.0.2.1:8080", "queue.test:1", "begins"},
		{"192.0.2.1:8080", "other.test", "404"},
		{"192.0.2.1:8080", ".dev.local", "404"},
		{"10.2.3.4:80", "x", "subnet"},
		{"10.1.3.4:80", "x", "smaller subnet"},
		{"10.1.3.4:8080", "x", "port and subnet"},
		{"10.2.3.4:8080", "payment", "payment"}, // the port goes first
	} {
		code, body := fetch(t, w.goes(fmt.Sprintf("127.0.1.%d", i+1), c.dst), "http://"+c.host)
		if code == 404 {
			body = "404"
		}
		if body != c.want {
			t.Errorf("to %s for %s: %d %q, want %s", c.dst, c.host, code, body, c.want)
		}
	}
}

// Connections that fit nothing, or that nobody redirected, are closed and counted.
func TestUnmatchedConnections(t *testing.T) {
	w := newWorld(t)
	w.cfg.Listeners = []proxy.Listener{says("payment", proxy.Chain{Redirected: true, Port: 8080}, "*")}
	w.apply()
	for from, dst := range map[string]string{"127.0.1.1": "192.0.2.1:9", "127.0.1.2": w.addr, "127.0.1.3": ""} {
		if dst != "" {
			w.origins.Store(netip.MustParseAddr(from), netip.MustParseAddrPort(dst))
		}
		c, err := w.dialFrom(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("to %q: something was answered", dst)
		}
		_ = c.Close()
	}
	if n := w.s.Owners()["mesh"].UnmatchedConns; n != 3 {
		t.Errorf("%d unmatched connections", n)
	}
}

// A socket takes plain connections and TLS by their first byte.
func TestPermissive(t *testing.T) {
	w := newWorld(t)
	mesh := newIdentity(t, "shop")
	in := proxy.Chain{Redirected: true, Port: 8080}
	plain := in
	plain.Plain = true
	strict := says("mtls", in, "*")
	side := mesh.side("payment", "order.dev.local")
	strict.TLS = &proxy.TLS{Config: side.Server()}
	w.cfg.Listeners = []proxy.Listener{strict, says("plain", plain, "*")}
	w.apply()
	w.goes("127.0.1.1", "192.0.2.1:8080")
	get := func(cfg *tls.Config) (int, string) {
		tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			nc, err := w.dialFrom(ctx, "127.0.1.1")
			if err == nil && cfg != nil {
				nc = tls.Client(nc, cfg)
			}
			return nc, err
		}}
		defer tr.CloseIdleConnections()
		return fetch(t, &http.Client{Transport: tr, Timeout: 10 * time.Second}, "http://payment")
	}
	for name, c := range map[string]struct {
		tls  *tls.Config
		want string
	}{
		"plain": {nil, "plain"},
		"order": {mesh.side("order", "payment.dev.local").Client("payment"), "mtls"},
	} {
		if _, body := get(c.tls); body != c.want {
			t.Errorf("%s: %q, want %s", name, body, c.want)
		}
	}
	// Who is refused, and what it is counted as.
	now := pki.Side{Source: mesh.slot("other")}
	if code, _ := get(now.Client("payment")); code != 0 {
		t.Errorf("a client with another name got %d", code)
	}
	if code, _ := get(pki.Side{}.Client("payment")); code != 0 {
		t.Errorf("a client without a certificate got %d", code)
	}
	if code, _ := get((pki.Side{Source: newIdentity(t, "stranger").slot("order")}).Client("payment")); code != 0 {
		t.Errorf("a stranger got %d", code)
	}
	if code, _ := get(&tls.Config{MaxVersion: tls.VersionTLS12, InsecureSkipVerify: true}); code != 0 { //nolint:gosec // refused for it
		t.Errorf("a client with TLS 1.2 got %d", code)
	}
	eventually(t, func() bool {
		st := w.s.Listeners()["mtls"]
		return st.TLS.Handshakes == 1 && st.TLS.NoCertificate == 0 && st.TLS.OtherErrors == 1 && st.TLS.Failures[pki.WrongName] == 1 &&
			st.TLS.Failures[pki.NoCertificate] == 1 && st.TLS.Failures[pki.WrongAuthority] == 1 && st.Conns == 1 &&
			w.s.Owners()["mesh"].TLSErrors == 4
	})
}

// Both sides of a hop prove who they are, and both count it.
func TestMutualTLS(t *testing.T) {
	w := newWorld(t)
	mesh := newIdentity(t, "shop")
	in := says("in", proxy.Chain{}, "*")
	in.Addr, in.TLS = ":15000", &proxy.TLS{Config: mesh.side("payment", "order.dev.local").Server()}
	in.Rules = []proxy.Rule{{Action: forward("app")}}
	out := says("out", proxy.Chain{Redirected: true}, "*")
	out.Rules = []proxy.Rule{{Action: forward("payment")}}
	w.cfg = proxy.Config{
		Listeners: []proxy.Listener{in},
		Groups:    []proxy.Group{{ID: "app", Targets: []proxy.Target{{Addr: w.target(ok)}}}},
	}
	w.apply()
	group := proxy.Group{ID: "payment", Targets: []proxy.Target{{Addr: w.addrs[":15000"]}}, TLS: mesh.side("order", "payment.dev.local").Client("payment")}
	w.cfg.Groups = append(w.cfg.Groups, group)
	w.cfg.Listeners = append(w.cfg.Listeners, out)
	w.apply()
	client := w.goes("127.0.1.1", "192.0.2.1:80")
	for range 3 {
		if code, body := fetch(t, client, "http://payment/"); code != 200 || body != "ok" {
			t.Fatalf("%d %s", code, body)
		}
	}
	eventually(t, func() bool {
		st := w.s.Groups()["payment"]
		return st.TLS.Handshakes == 1 && st.Requests == 3
	})
	// Another identity: the pooled connection is of the past.
	w.cfg.Groups[1].TLS = mesh.side("order", "order.dev.local").Client("payment")
	w.apply()
	if code, _ := fetch(t, client, "http://payment/"); code != 502 {
		t.Errorf("to a server that is not who it should be: %d", code)
	}
	if st := w.s.Groups()["payment"]; st.TLS.Failures[pki.WrongName] != 1 {
		t.Errorf("%+v", st.TLS)
	}
	w.cfg.Groups[1].TLS = mesh.side("nobody", "payment.dev.local").Client("payment")
	w.apply()
	if code, _ := fetch(t, client, "http://payment/"); code != 502 {
		t.Errorf("with an identity that is refused: %d", code)
	}
	eventually(t, func() bool { // the client knows before the server has counted
		st := w.s.Listeners()["in"].TLS
		return st.Handshakes == 1 && st.Failures[pki.WrongName] == 1 && st.OtherErrors == 1
	})
	if st := w.s.Groups()["payment"]; st.TLS.OtherErrors != 1 {
		t.Errorf("client: %+v", st.TLS)
	}
}

func TestTCP(t *testing.T) {
	w := newWorld(t)
	w.cfg.Groups[0].Targets = []proxy.Target{{Addr: closed(t)}, {Addr: echo(t)}}
	w.cfg.Listeners = []proxy.Listener{{
		ID: "db", Owner: "mesh", Addr: ":15001", Chain: proxy.Chain{Redirected: true, Port: 5432},
		TCP: &proxy.Forward{Groups: []proxy.Weighted{{Group: "g", Weight: 1}}},
	}}
	w.apply()
	w.goes("127.0.1.1", "192.0.2.1:5432")
	for range 4 {
		c, err := w.dialFrom(t.Context(), "127.0.1.1")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "one ")
		got := make([]byte, 4)
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "two")
		_ = c.(*net.TCPConn).CloseWrite() // the answer still comes
		rest, err := io.ReadAll(c)
		if string(got)+string(rest) != "one two" || err != nil {
			t.Errorf("%q %q %v", got, rest, err)
		}
		_ = c.Close()
	}
	for what, st := range map[string]proxy.TCPStats{"listener": w.s.Listeners()["db"].TCP, "group": w.s.Groups()["g"].TCP, "owner": w.s.Owners()["mesh"].TCP} {
		if st.Conns != 4 || st.Received != 28 || st.Sent != 28 || st.Failed != 0 {
			t.Errorf("%s: %+v", what, st)
		}
	}
	w.cfg.Groups[0].Targets = w.cfg.Groups[0].Targets[:1]
	w.apply()
	c, err := w.dialFrom(t.Context(), "127.0.1.1")
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := c.Read(make([]byte, 1)); n != 0 {
		t.Error("something answered")
	}
	if st := w.s.Groups()["g"].TCP; st.Failed != 1 {
		t.Errorf("%+v", st)
	}
}

// echo answers with what it gets.
func echo(t testing.TB) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	return ln.Addr().String()
}

// What is allowed out goes where it was going.
func TestOriginalDestination(t *testing.T) {
	w := newWorld(t)
	name := func(s string) string {
		return w.target(func(rw http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(rw, s+" "+r.Host) })
	}
	a, b := name("a"), name("b")
	out := says("out", proxy.Chain{Redirected: true}, "*")
	out.Rules = []proxy.Rule{{Action: forward("out")}}
	w.cfg = proxy.Config{Listeners: []proxy.Listener{out}, Groups: []proxy.Group{{ID: "out", Original: true}}}
	w.apply()
	ca, cb := w.goes("127.0.1.1", a), w.goes("127.0.1.2", b)
	for range 3 {
		for c, want := range map[*http.Client]string{ca: "a example.com", cb: "b example.com"} {
			if code, body := fetch(t, c, "http://example.com/"); code != 200 || body != want {
				t.Errorf("%d %q, want %s", code, body, want)
			}
		}
	}
	eventually(t, func() bool {
		st := w.s.Groups()["out"]
		return len(st.Targets) == 2 && st.Targets[0].Requests == 3 && st.Targets[0].Idle == 1
	})
}

// What a Plain listener does to the head of a request, and what it does not.
func TestFieldsOfAMesh(t *testing.T) {
	w := newWorld(t)
	saw := make(chan http.Header, 1)
	w.targets(w.target(func(_ http.ResponseWriter, r *http.Request) {
		r.Header.Set("Host", r.Host)
		r.Header.Set("Path", r.RequestURI)
		saw <- r.Header
	}))
	w.policy(proxy.Forward{Rewrite: &proxy.Rewrite{Host: "payment", Match: "/pay/", Prefix: "/"}})
	l := &w.cfg.Listeners[0]
	mesh := newIdentity(t, "shop")
	l.Settings = proxy.Settings{Plain: true, TraceContext: true, ClientCert: true}
	w.apply()
	forwarded := []string{"X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "ftp", "X-Forwarded-Port", "1", "X-Forwarded-Client-Cert", "Hash=forged"}
	w.get("/pay/me?now", forwarded...)
	h := <-saw
	if h.Get("X-Forwarded-For")+h.Get("X-Forwarded-Proto")+h.Get("X-Forwarded-Port") != "1.2.3.4ftp1" || h.Get("X-Forwarded-Client-Cert") != "" {
		t.Errorf("%v", h)
	}
	if h.Get("Host") != "payment" || h.Get("Path") != "/me?now" {
		t.Errorf("asked for %s%s", h.Get("Host"), h.Get("Path"))
	}
	if p := h.Get("Traceparent"); !regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-01$`).MatchString(p) || strings.Contains(p, strings.Repeat("0", 16)) {
		t.Errorf("traceparent %s", p)
	}
	const given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	w.get("/", "Traceparent", given)
	if h := <-saw; len(h.Values("Traceparent")) != 1 || h.Get("Traceparent") != given || h.Get("X-Forwarded-For") != "" {
		t.Errorf("%v", h)
	}
	l.TLS = &proxy.TLS{Config: mesh.side("payment", "order.dev.local").Server()}
	w.apply()
	side := mesh.side("order", "payment.dev.local")
	tr := &http.Transport{TLSClientConfig: side.Client("payment")}
	defer tr.CloseIdleConnections()
	if code, body := fetch(t, &http.Client{Transport: tr}, "https://"+w.addr); code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	c, _ := side.Source.Certificate()
	want := fmt.Sprintf("Hash=%x;URI=spiffe://shop/ns/dev.local/svc/order/task/0a1b;DNS=order.dev.local", sha256.Sum256(c.Leaf.Raw))
	if got := (<-saw).Values("X-Forwarded-Client-Cert"); len(got) != 1 || got[0] != want {
		t.Errorf("%v\nwant %s", got, want)
	}
}

// A mesh's clients are told what Envoy tells them.
func TestTroubleInAMesh(t *testing.T) {
	w := newWorld(t)
	w.cfg.Listeners[0].Settings = proxy.Settings{Plain: true}
	const failed = "upstream connect error or disconnect/reset before headers. reset reason: "
	reset := w.script()
	for name, c := range map[string]struct {
		target  []string
		path    string
		limits  proxy.Limits
		timeout time.Duration
		code    int
		body    string
	}{
		"no route":   {target: []string{w.target(ok)}, path: "/elsewhere", code: 404},
		"no target":  {path: "/", code: 503, body: "no healthy upstream"},
		"refused":    {target: []string{closed(t)}, path: "/", code: 503, body: failed + "connection failure"},
		"reset":      {target: []string{reset}, path: "/", code: 503, body: failed + "connection termination"},
		"protocol":   {target: []string{w.script("hello\r\n\r\n")}, path: "/", code: 502, body: failed + "protocol error"},
		"takes long": {target: []string{w.target(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })}, path: "/", timeout: 50 * time.Millisecond, code: 504, body: "upstream request timeout"},
	} {
		w.policy(proxy.Forward{Timeout: c.timeout})
		w.cfg.Listeners[0].Rules[0].Conditions = []proxy.Condition{{Field: proxy.PathPattern, Exact: []string{"/"}}}
		w.cfg.Groups[0].Limits = c.limits
		w.targets(c.target...)
		if resp, body := w.get(c.path); resp.StatusCode != c.code || body != c.body {
			t.Errorf("%s: %d %q", name, resp.StatusCode, body)
		}
	}
}
