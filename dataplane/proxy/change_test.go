package proxy_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/slipway-dev/slipway/dataplane/pki"
	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// hop is two proxies in one: what goes to 192.0.2.1:80 is sent by ":15001",
// over mutual TLS, to ":15000", which gives it to the application.
type hop struct {
	*world
	mesh    identity
	app     []string // targets of the application
	version proxy.Version
	client  *tls.Config // of ":15001" to ":15000"
	server  *tls.Config
	weights [2]int
	plain   bool // ":15000" takes plain connections too
	extra   int  // rules that nothing matches
}

func newHop(t *testing.T, version proxy.Version) *hop {
	h := &hop{world: newWorld(t, func(o *proxy.Options) { o.Finish = true }), mesh: newIdentity(t, "shop"), version: version, weights: [2]int{1, 1}}
	h.client, h.server = h.mesh.side("order", "payment.dev.local").Client("payment"), h.mesh.side("payment", "order.dev.local").Server()
	return h
}

func (h *hop) configure() {
	h.t.Helper()
	forward := func(f proxy.Forward, groups ...string) []proxy.Rule {
		for i, g := range groups {
			f.Groups = append(f.Groups, proxy.Weighted{Group: g, Weight: h.weights[i]})
		}
		return []proxy.Rule{{ID: "r", Action: proxy.Action{Forward: &f}}}
	}
	in := proxy.Listener{
		ID: "in", Owner: "in", Addr: ":15000", TLS: &proxy.TLS{Config: h.server}, Rules: forward(proxy.Forward{}, "app"),
		Settings: proxy.Settings{Plain: true, HTTP2: true, ClientCert: true},
	}
	out := proxy.Listener{
		ID: "out", Owner: "out", Addr: ":15001", Names: []string{"*"}, Chain: proxy.Chain{Redirected: true},
		Settings: proxy.Settings{Plain: true, HTTP2: true, TraceContext: true},
	}
	for i := range h.extra {
		out.Rules = append(out.Rules, proxy.Rule{
			ID: fmt.Sprint(i), Conditions: []proxy.Condition{{Field: proxy.PathPattern, Exact: []string{fmt.Sprint("/", i)}}},
			Action: proxy.Action{Fixed: &proxy.Fixed{Status: 404}},
		})
	}
	out.Rules = append(out.Rules, forward(proxy.Forward{Retry: &proxy.Retry{Max: 2, Connect: true, Refused: true}}, "blue", "green")...)
	h.cfg = proxy.Config{Groups: []proxy.Group{{ID: "app"}}, Listeners: []proxy.Listener{in, out}}
	for _, a := range h.app {
		h.cfg.Groups[0].Targets = append(h.cfg.Groups[0].Targets, proxy.Target{Addr: a})
	}
	if h.plain {
		in.ID, in.TLS, in.Chain.Plain = "plain", nil, true
		h.cfg.Listeners = append(h.cfg.Listeners, in)
	}
	for _, id := range []string{"blue", "green"} {
		h.cfg.Groups = append(h.cfg.Groups, proxy.Group{ID: id, TLS: h.client, Version: h.version, Targets: []proxy.Target{{Addr: "in"}}})
	}
	h.apply()
}

// start configures the hop and returns a client's way in.
func (h *hop) start() *http.Client {
	h.configure()
	return h.goes("127.0.1.1", "192.0.2.1:80")
}

// Everything changes under load, and no request is lost: routes, weights,
// endpoints, identities, trust, chains.
func TestChangesUnderLoad(t *testing.T) {
	for _, version := range []proxy.Version{proxy.HTTP1, proxy.Any} {
		t.Run(string(version), func(t *testing.T) {
			h := newHop(t, version)
			var seen atomic.Int64
			app := func(rw http.ResponseWriter, r *http.Request) {
				seen.Add(1)
				b, _ := io.ReadAll(r.Body)
				if r.Header.Get("X-Forwarded-Client-Cert") == "" {
					rw.WriteHeader(400)
				}
				_, _ = rw.Write(b)
			}
			all := []string{h.target(app), h.target(app), h.target(app)}
			h.app = all
			client := h.start()
			var wg sync.WaitGroup
			var done atomic.Bool
			var sent atomic.Int64
			var failed sync.Map
			for range 8 {
				wg.Go(func() {
					for i := 0; !done.Load(); i++ {
						body := strings.Repeat("x", []int{0, 10, 50_000}[i%3])
						resp, err := client.Post("http://payment/", "text/plain", strings.NewReader(body))
						sent.Add(1)
						if err != nil {
							failed.Store(err.Error(), true)
							continue
						}
						b, err := io.ReadAll(resp.Body)
						_ = resp.Body.Close()
						if resp.StatusCode != 200 || err != nil || string(b) != body {
							failed.Store(fmt.Sprintf("%d %.80s (%d bytes of %d) %v", resp.StatusCode, b, len(b), len(body), err), true)
						}
					}
				})
			}
			trust := h.mesh
			for i := range 40 {
				switch i % 8 {
				case 0:
					h.extra = i
				case 1:
					h.weights = [2]int{i, 1}
				case 2:
					h.app = all[i/8%3 : i/8%3+1]
				case 3: // another identity of the client
					h.client = h.mesh.side("order", "payment.dev.local").Client("payment")
				case 4:
					h.app = all
				case 5: // and of the server, who believes the same
					h.server = h.mesh.side("payment", "order.dev.local").Server()
				case 6:
					h.plain = !h.plain
				case 7: // what the server believes is widened
					h.server = pki.Side{Source: trust.slot("payment"), Peer: &pki.Peer{Trust: trust, Names: []string{"order.dev.local", fmt.Sprint(i)}}}.Server()
				}
				h.configure()
				for at := sent.Load(); sent.Load() < at+20; {
					runtime.Gosched()
				}
			}
			done.Store(true)
			wg.Wait()
			failed.Range(func(why, _ any) bool { t.Error(why); return true })
			t.Logf("%d requests, %d seen", sent.Load(), seen.Load())
		})
	}
}

// After the trust has changed no connection of before is used, and who is in
// the middle of a request finishes it.
func TestTrustChanges(t *testing.T) {
	for _, version := range []proxy.Version{proxy.HTTP1, proxy.Any} {
		t.Run(string(version), func(t *testing.T) {
			h := newHop(t, version)
			started, hold := make(chan struct{}), make(chan struct{})
			h.app = []string{h.target(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/hold" {
					close(started)
					<-hold
				}
				ok(rw, r)
			})}
			client := h.start()
			handshakes := func() int64 {
				st := h.s.Groups()
				return st["blue"].TLS.Handshakes + st["green"].TLS.Handshakes
			}
			h.weights = [2]int{1, 0}
			h.configure()
			if code, body := fetch(t, client, "http://payment/"); code != 200 {
				t.Fatalf("%d %s", code, body)
			}
			held := make(chan string)
			go func() { _, body := fetch(t, client, "http://payment/hold"); held <- body }()
			<-started
			before := handshakes()
			h.client = h.mesh.side("order", "payment.dev.local").Client("payment")
			h.configure()
			for range 3 {
				if code, body := fetch(t, client, "http://payment/"); code != 200 {
					t.Fatalf("%d %s", code, body)
				}
			}
			if n := handshakes() - before; n != 1 {
				t.Errorf("%d handshakes after the change, want one", n)
			}
			close(hold)
			if body := <-held; body != "ok" {
				t.Errorf("the request in flight: %s", body)
			}
			h.client = h.mesh.side("stranger", "payment.dev.local").Client("payment")
			h.configure()
			if code, _ := fetch(t, client, "http://payment/"); code != 503 {
				t.Errorf("a stranger got %d", code)
			}
			eventually(t, func() bool { // the client knows before it is counted
				st := h.s.Groups()["blue"]
				return st.TLS.OtherErrors > 0 && st.Codes[503] == 1
			})
		})
	}
}
