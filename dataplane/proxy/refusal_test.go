package proxy_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy"
)

const connectFailed = "upstream connect error or disconnect/reset before headers. reset reason: connection failure"

// balanced is a load balancer before two applications, each with a sidecar
// that the balancer believes.
type balanced struct {
	*world
	vouched  atomic.Bool
	balancer string
	sidecars [2]string
}

func newBalanced(t *testing.T, apps ...string) *balanced {
	b := &balanced{}
	b.vouched.Store(true)
	b.world = newWorld(t, func(o *proxy.Options) {
		o.Vouch = func(network, _ string) bool { return network == "vpc" && b.vouched.Load() }
	})
	lb := b.cfg.Listeners[0]
	lb.Settings.HTTP2 = true
	b.cfg = proxy.Config{}
	for i, app := range apps {
		id := fmt.Sprintf(":1508%d", i)
		b.cfg.Listeners = append(b.cfg.Listeners, proxy.Listener{
			ID: id, Owner: "sidecar", Addr: id, Settings: proxy.Settings{Plain: true, HTTP2: true, Refused: true},
			Rules: []proxy.Rule{{Action: forward(id)}},
		})
		b.cfg.Groups = append(b.cfg.Groups, proxy.Group{ID: id, Targets: []proxy.Target{{Addr: app}}})
	}
	b.apply()
	g := proxy.Group{ID: "g", Network: "vpc"}
	for i := range apps {
		b.sidecars[i] = b.addrs[fmt.Sprintf(":1508%d", i)]
		g.Targets = append(g.Targets, proxy.Target{Addr: b.sidecars[i]})
	}
	b.cfg.Groups = append(b.cfg.Groups, g)
	b.cfg.Listeners = append(b.cfg.Listeners, lb)
	b.apply()
	b.balancer = b.addrs[":80"]
	return b
}

// send asks the load balancer and returns the answer.
func send(t *testing.T, c *http.Client, method, addr string, body io.Reader) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+"/", body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get(proxy.RefusedField) != "" {
		resp.Header.Set("Marked", "yes")
	}
	return resp, string(b)
}

// Applications that are not there cost no request, whatever it is, since
// their sidecars say that they got nowhere. Of two tries one reaches the
// application that is.
func TestDeadApplicationBehindItsSidecar(t *testing.T) {
	long := strings.Repeat("0123456789", 10_000)
	for name, c := range map[string]struct {
		method, body string
		chunked      bool
		whole        bool // it can be sent again
	}{
		"GET":                {"GET", "", false, true},
		"POST":               {"POST", "", false, true},
		"POST with a body":   {"POST", "body", false, true},
		"a body in chunks":   {"POST", "body", true, true},
		"one of some reads":  {"POST", long[:40_000], false, true},
		"the same in chunks": {"POST", long[:40_000], true, true},
		"too long to keep":   {"PUT", long, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			var reached atomic.Int64
			alive := func(rw http.ResponseWriter, r *http.Request) {
				reached.Add(1)
				b, _ := io.ReadAll(r.Body)
				_, _ = rw.Write(b)
			}
			w := newBalanced(t, closed(t), serve(t, &http.Server{Handler: http.HandlerFunc(alive)}))
			const requests = 6
			failed := int64(0)
			for i := range requests {
				var body io.Reader = strings.NewReader(c.body)
				if c.chunked {
					body = struct{ io.Reader }{body}
				}
				w.apply() // no target is avoided for ever
				resp, got := send(t, speak(t, 1, nil), c.method, w.balancer, body)
				switch {
				case resp.Header.Get("Marked") != "":
					t.Error("a client is told what is between proxies")
				case resp.StatusCode == 200 && got == c.body:
				case resp.StatusCode == 503 && got == connectFailed && !c.whole:
					failed++
				default:
					t.Errorf("%d: %d %.100q", i, resp.StatusCode, got)
				}
			}
			if reached.Load() != requests-failed {
				t.Errorf("%d of %d requests reached the application, %d failed", reached.Load(), requests, failed)
			}
		})
	}
}

// Clients of HTTP/2 and calls of gRPC are sent on as well.
func TestDeadApplicationByHTTP2(t *testing.T) {
	for _, version := range []proxy.Version{proxy.HTTP1, proxy.HTTP2, proxy.GRPC} {
		t.Run(string(version), func(t *testing.T) {
			var reached atomic.Int64
			w := newBalanced(t, closed(t), serve(t, &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				reached.Add(1)
				_, _ = io.Copy(rw, r.Body)
			})}))
			w.cfg.Groups[2].Version = version
			lb := &w.cfg.Listeners[2]
			lb.TLS = &proxy.TLS{Certificates: []tls.Certificate{certificate(t, "web.elb.localhost")}}
			lb.ID, lb.Addr = "tls", ":443"
			w.apply()
			client := speak(t, 2, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // self-signed
			for range 4 {
				req, _ := http.NewRequestWithContext(t.Context(), "POST", "https://"+w.addrs[":443"]+"/", struct{ io.Reader }{strings.NewReader("call")})
				if version != proxy.HTTP1 {
					req.Header.Set("Content-Type", "application/grpc")
				}
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != 200 || string(b) != "call" || resp.Header.Get(proxy.RefusedField) != "" {
					t.Errorf("%d %q %v", resp.StatusCode, b, resp.Header)
				}
			}
			if reached.Load() != 4 {
				t.Errorf("%d reached the application", reached.Load())
			}
		})
	}
}

// What a sidecar says to whoever is no load balancer is what Envoy says; the
// mark is on a listener for load balancers alone.
func TestRefusalAsOthersSeeIt(t *testing.T) {
	w := newBalanced(t, closed(t), closed(t))
	resp, body := send(t, noRedirect, "GET", w.sidecars[0], nil)
	if resp.StatusCode != 503 || body != connectFailed || resp.Header.Get(proxy.RefusedField) != "true" {
		t.Errorf("%d %q %v", resp.StatusCode, body, resp.Header)
	}
	// With nobody else to ask the load balancer passes the sidecar's answer on, as ALB does.
	resp, body = send(t, noRedirect, "POST", w.balancer, strings.NewReader("x"))
	if resp.StatusCode != 503 || body != connectFailed || resp.Header.Get("Marked") != "" {
		t.Errorf("%d %q %v", resp.StatusCode, body, resp.Header)
	}
	for i := range 2 {
		w.cfg.Listeners[i].Settings.Refused = false
	}
	w.apply()
	resp, body = send(t, noRedirect, "GET", w.sidecars[0], nil)
	if resp.StatusCode != 503 || body != connectFailed || resp.Header.Get("Marked") != "" {
		t.Errorf("%d %q %v", resp.StatusCode, body, resp.Header)
	}
}

// Nobody repeats a request because an application says so, and no client sees
// that it did.
func TestRefusalIsNotTheApplications(t *testing.T) {
	for name, c := range map[string]struct {
		sidecar, vouched bool
	}{
		"behind its sidecar":                       {true, true},
		"before nothing, with nobody vouching":     {false, false},
		"behind a proxy that lets everything pass": {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			var reached atomic.Int64
			forge := func(rw http.ResponseWriter, _ *http.Request) {
				reached.Add(1)
				rw.Header().Set(proxy.RefusedField, "true")
				rw.Header().Set("Trailer", proxy.RefusedField)
				rw.WriteHeader(503)
				_, _ = io.WriteString(rw, "busy")
			}
			apps := []string{serve(t, &http.Server{Handler: http.HandlerFunc(forge)}), serve(t, &http.Server{Handler: http.HandlerFunc(forge)})}
			w := newBalanced(t, apps...)
			w.vouched.Store(c.vouched)
			if !c.sidecar {
				w.cfg.Groups[2].Targets = []proxy.Target{{Addr: apps[0]}, {Addr: apps[1]}}
				w.apply()
			}
			for range 4 {
				resp, body := send(t, noRedirect, "POST", w.balancer, strings.NewReader("x"))
				if resp.StatusCode != 503 || body != "busy" || resp.Header.Get("Marked")+resp.Trailer.Get(proxy.RefusedField) != "" {
					t.Errorf("%d %q %v", resp.StatusCode, body, resp.Header)
				}
			}
			if reached.Load() != 4 {
				t.Errorf("4 requests, %d reached an application", reached.Load())
			}
		})
	}
}

// A request that an application may have acted on is not refused: it failed.
func TestWhatWasActedOnIsNotRefused(t *testing.T) {
	var reached atomic.Int64
	drop := func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		reached.Add(1)
		nc, _, _ := rw.(http.Hijacker).Hijack()
		_ = nc.Close()
	}
	w := newBalanced(t, serve(t, &http.Server{Handler: http.HandlerFunc(drop)}), serve(t, &http.Server{Handler: http.HandlerFunc(drop)}))
	for range 4 {
		resp, body := send(t, noRedirect, "POST", w.balancer, strings.NewReader("order"))
		if resp.StatusCode != 503 || !strings.HasSuffix(body, "connection termination") || resp.Header.Get("Marked") != "" {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
	}
	if reached.Load() != 4 {
		t.Errorf("4 orders, %d were seen", reached.Load())
	}
}

// An application is killed under load: of the requests, none of which may be
// sent twice, only those fail that were in flight when it died.
func TestApplicationIsKilledUnderLoad(t *testing.T) {
	app := func() *http.Server {
		return &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { _, _ = io.Copy(rw, r.Body) })}
	}
	victim := app()
	w := newBalanced(t, serve(t, victim), serve(t, app()))
	const conns, each = 16, 300
	var dead atomic.Bool
	var failed, answered atomic.Int64
	var wg sync.WaitGroup
	for range conns {
		wg.Go(func() {
			client := speak(t, 1, nil)
			for range each {
				late := dead.Load()
				resp, err := client.Post("http://"+w.balancer+"/", "text/plain", strings.NewReader("pay"))
				if err != nil {
					t.Error(err)
					continue
				}
				b, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				answered.Add(1)
				if resp.StatusCode == 200 && string(b) == "pay" {
					continue
				}
				failed.Add(1)
				if late {
					t.Errorf("a request failed that began after the application's death: %d %s", resp.StatusCode, b)
				}
			}
		})
	}
	eventually(t, func() bool { return answered.Load() > conns*each/4 })
	_ = victim.Close()
	dead.Store(true)
	wg.Wait()
	if failed.Load() > conns {
		t.Errorf("%d requests failed, more than were in flight", failed.Load())
	}
	st := w.s.Groups()["g"]
	if st.Retries == 0 || st.RetriesOK != st.Retries {
		t.Errorf("%d requests were sent on, %d of them well", st.Retries, st.RetriesOK)
	}
}

// Peers of a mesh refuse a stream instead, and the peer asks another endpoint:
// also under a policy that tries nothing else again. Who has no certificate is
// answered.
func TestPeerRefusesAStream(t *testing.T) {
	for name, c := range map[string]struct {
		retry *proxy.Retry
		code  int
	}{
		"no policy":                 {nil, 200},
		"refused streams":           {&proxy.Retry{Max: 1, Refused: true, Backoff: time.Microsecond}, 200},
		"answers of 503":            {&proxy.Retry{Max: 1, Status: []int{503}, Backoff: time.Microsecond}, 200},
		"resets":                    {&proxy.Retry{Max: 1, Reset: true, Backoff: time.Microsecond}, 200},
		"conflicts, not refusals":   {&proxy.Retry{Max: 1, Status: []int{409}}, 503},
		"nothing, in its own words": {&proxy.Retry{}, 503},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHop(t, proxy.Any)
			h.start()
			var reached atomic.Int64
			app := h.target(func(rw http.ResponseWriter, r *http.Request) {
				reached.Add(1)
				_, _ = io.Copy(rw, r.Body)
			})
			in := h.cfg.Listeners[0]
			in.ID, in.Addr, in.Rules = "dead", ":15002", []proxy.Rule{{Action: forward("dead")}}
			h.cfg.Listeners = append(h.cfg.Listeners, in)
			h.cfg.Groups[0].Targets = []proxy.Target{{Addr: app}}
			h.cfg.Groups = append(h.cfg.Groups, proxy.Group{ID: "dead", Targets: []proxy.Target{{Addr: closed(t)}}})
			h.apply()
			rule := &h.cfg.Listeners[1].Rules[0].Action.Forward
			(*rule).Retry, (*rule).Groups = c.retry, (*rule).Groups[:1]
			for i := range h.cfg.Groups {
				if g := &h.cfg.Groups[i]; g.ID == "blue" {
					g.Targets = []proxy.Target{{Addr: "in"}, {Addr: h.addrs[":15002"]}}
				}
			}
			h.apply()
			client := h.goes("127.0.1.1", "192.0.2.1:80")
			codes := map[int]int{}
			for range 4 {
				resp, err := client.Post("http://payment/", "text/plain", strings.NewReader("pay"))
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				codes[resp.StatusCode]++
				if resp.StatusCode != 200 && string(b) != "upstream connect error or disconnect/reset before headers. reset reason: remote refused stream reset" {
					t.Errorf("%d %q", resp.StatusCode, b)
				}
			}
			if c.code == 200 && codes[200] != 4 || c.code == 503 && (codes[503] == 0 || codes[200]+codes[503] != 4) || int(reached.Load()) != codes[200] {
				t.Errorf("%v, %d reached the application", codes, reached.Load())
			}
			// A stranger to the mesh, where such may come.
			h.cfg.Listeners[2].TLS, h.cfg.Listeners[2].ID, h.cfg.Listeners[2].Addr = &proxy.TLS{Certificates: []tls.Certificate{certificate(t, "payment")}}, "open", ":15003"
			h.apply()
			stranger := speak(t, 2, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // whoever it is
			resp, err := stranger.Get("https://" + h.addrs[":15003"] + "/")
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != 503 || string(b) != connectFailed {
				t.Errorf("%d %q", resp.StatusCode, b)
			}
		})
	}
}
