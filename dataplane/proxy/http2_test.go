package proxy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// speak is an HTTP client of one protocol version, without or with TLS.
func speak(t testing.TB, version int, cfg *tls.Config) *http.Client {
	tr := &http.Transport{TLSClientConfig: cfg, Protocols: new(http.Protocols), DisableCompression: true}
	switch {
	case version == 1:
		tr.Protocols.SetHTTP1(true)
	case cfg != nil:
		tr.Protocols.SetHTTP2(true)
	default:
		tr.Protocols.SetUnencryptedHTTP2(true)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

// versioned serves h over HTTP/1.1 and, without TLS by prior knowledge, HTTP/2.
func (w *world) versioned(version int, cfg *tls.Config, h http.HandlerFunc) string {
	w.t.Helper()
	hs := &http.Server{Handler: h, Protocols: new(http.Protocols), TLSConfig: cfg}
	switch {
	case version == 1:
		hs.Protocols.SetHTTP1(true)
	case cfg != nil:
		hs.Protocols.SetHTTP2(true)
	default:
		hs.Protocols.SetUnencryptedHTTP2(true)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	go func() {
		if cfg != nil {
			_ = hs.ServeTLS(ln, "", "")
		} else {
			_ = hs.Serve(ln)
		}
	}()
	w.t.Cleanup(func() { _ = hs.Close() })
	return ln.Addr().String()
}

// Whatever a client of a mesh speaks and whatever the target does, requests of
// every kind get through whole.
func TestEveryProtocolToEveryOther(t *testing.T) {
	cert := certificate(t, "one.test")
	insecure := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // self-signed
	answer := func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Saw", fmt.Sprintf("%s %s %s %s", r.Proto, r.Method, r.Host, strings.Join(r.Header.Values("Cookie"), "|")))
		switch r.URL.Path {
		case "/none":
			rw.WriteHeader(204)
			return
		case "/empty":
			return
		case "/length":
			rw.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(rw, "12345")
			return
		}
		rw.Header().Set("Trailer", "X-Sum")
		_ = http.NewResponseController(rw).EnableFullDuplex()
		n, err := io.Copy(rw, r.Body)
		rw.Header().Set("X-Sum", fmt.Sprint(n, err, r.Trailer.Get("X-T")))
	}
	large := strings.Repeat("0123456789", 30_000)
	for _, client := range []struct {
		name    string
		version int
		tls     bool
	}{{"HTTP/1.1", 1, false}, {"HTTP/1.1 with TLS", 1, true}, {"HTTP/2", 2, false}, {"HTTP/2 with TLS", 2, true}} {
		for _, target := range []struct {
			name    string
			group   proxy.Version
			tls     bool
			version int
		}{
			{"HTTP1", proxy.HTTP1, false, 1},
			{"HTTP1 with TLS", proxy.HTTP1, true, 1},
			{"HTTP2", proxy.HTTP2, false, 2},
			{"HTTP2 with TLS", proxy.HTTP2, true, 2},
			{"ANY", proxy.Any, false, 1},
			{"ANY with TLS, HTTP/2", proxy.Any, true, 2},
			{"ANY with TLS, HTTP/1.1", proxy.Any, true, 1},
		} {
			t.Run(client.name+" to "+target.name, func(t *testing.T) {
				w := newWorld(t)
				l := &w.cfg.Listeners[0]
				l.Settings = proxy.Settings{Plain: true, HTTP2: true}
				var clientTLS, targetTLS *tls.Config
				scheme := "http"
				if client.tls {
					l.TLS, clientTLS, scheme = &proxy.TLS{Certificates: []tls.Certificate{cert}}, insecure.Clone(), "https"
				}
				if target.tls {
					targetTLS = &tls.Config{Certificates: []tls.Certificate{cert}}
					w.cfg.Groups[0].TLS = insecure.Clone()
				}
				w.cfg.Groups[0].Version = target.group
				w.targets(w.versioned(target.version, targetTLS, answer))
				c := speak(t, client.version, clientTLS)
				for i, r := range []struct{ method, path, body, want, sum string }{
					{"GET", "/", "", "", "0 <nil>"},
					{"GET", "/none", "", "", ""},
					{"GET", "/empty", "", "", ""},
					{"GET", "/length", "", "12345", ""},
					{"HEAD", "/length", "", "", ""},
					{"HEAD", "/", "", "", ""},
					{"POST", "/small", "body", "body", "4 <nil>"},
					{"POST", "/large", large, large, "300000 <nil>"},
					{"POST", "/chunked", large, large, "300000 <nil>tail"},
					{"PUT", "/chunked", "x", "x", "1 <nil>tail"},
				} {
					req, _ := http.NewRequestWithContext(t.Context(), r.method, scheme+"://"+w.addr+r.path, strings.NewReader(r.body))
					req.Host = "payment.dev.local"
					req.Header["Cookie"] = []string{"a=1", "b=2"}
					if r.path == "/chunked" {
						req.Body = io.NopCloser(struct{ io.Reader }{strings.NewReader(r.body)})
						req.ContentLength = -1
						req.Trailer = http.Header{"X-T": {"tail"}}
					}
					resp, err := c.Do(req)
					if err != nil {
						t.Fatalf("%s %s: %v", r.method, r.path, err)
					}
					b, err := io.ReadAll(resp.Body)
					_ = resp.Body.Close()
					if err != nil || string(b) != r.want {
						t.Errorf("%d: %s %s: %d bytes: %v", i, r.method, r.path, len(b), err)
					}
					saw := fmt.Sprintf("HTTP/%d.%d %s payment.dev.local ", target.version, 2-target.version, r.method)
					if got := resp.Header.Get("X-Saw"); !strings.HasPrefix(got, saw) || !strings.Contains(got, "a=1") || !strings.Contains(got, "b=2") {
						t.Errorf("%s %s: target saw %s", r.method, r.path, got)
					}
					if r.sum != "" && r.method != "HEAD" && resp.Trailer.Get("X-Sum") != r.sum {
						t.Errorf("%s %s: trailer %q, want %q", r.method, r.path, resp.Trailer.Get("X-Sum"), r.sum)
					}
					if resp.ProtoMajor != client.version {
						t.Errorf("answered in %s", resp.Proto)
					}
				}
				if n := w.dials.Load(); n > 3 { // a body's goroutine may end after the client has its answer
					t.Errorf("%d connections to the target", n)
				}
				eventually(t, func() bool {
					st := w.s.Groups()["g"]
					return st.Requests == 10 && st.Targets[0].Inflight == 0 && st.Target[2] == 10
				})
			})
		}
	}
}

// Calls of gRPC: tried again by status, refused in their own words.
func TestCalls(t *testing.T) {
	w := newWorld(t)
	l := &w.cfg.Listeners[0]
	l.Settings = proxy.Settings{Plain: true, HTTP2: true}
	w.cfg.Groups[0].Version = proxy.GRPC
	var calls atomic.Int64
	h := func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		rw.Header().Set("Content-Type", "application/grpc")
		if r.Header.Get("Te") != "trailers" {
			t.Error("no TE: trailers")
		}
		if calls.Add(1) == 1 {
			rw.Header().Set("Grpc-Status", "14") // with the head: nothing follows
			return
		}
		rw.Header().Set("Trailer", "Grpc-Status")
		_, _ = rw.Write(b)
		rw.Header().Set("Grpc-Status", "0")
	}
	w.policy(proxy.Forward{Retry: &proxy.Retry{Max: 2, GRPC: []int{14}, Backoff: time.Microsecond}})
	w.targets(w.versioned(2, nil, h), w.versioned(2, nil, h))
	c := speak(t, 2, nil)
	call := func() (int, string, string) {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+w.addr+"/svc/Method", strings.NewReader("\x00\x00\x00\x00\x00"))
		req.Header.Set("Content-Type", "application/grpc")
		req.Header.Set("Te", "trailers")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b), resp.Header.Get("Grpc-Status") + resp.Trailer.Get("Grpc-Status")
	}
	if code, body, status := call(); code != 200 || len(body) != 5 || status != "0" || calls.Load() != 2 {
		t.Errorf("%d %q %s after %d calls", code, body, status, calls.Load())
	}
	w.targets()
	if code, _, status := call(); code != 200 || status != "14" {
		t.Errorf("no target: %d, status %s", code, status)
	}
	w.cfg.Listeners[0].Rules[0].Conditions = []proxy.Condition{{Field: proxy.PathPattern, Exact: []string{"/other"}}}
	w.apply()
	if code, _, status := call(); code != 200 || status != "12" {
		t.Errorf("no route: %d, status %s", code, status)
	}
}

// Retries and timeouts on streams of HTTP/2, as on connections of HTTP/1.1.
func TestRetriesOfStreams(t *testing.T) {
	medium := strings.Repeat("0123456789", 4000)
	for name, c := range map[string]struct {
		retry   proxy.Retry
		timeout time.Duration
		first   func(rw http.ResponseWriter, r *http.Request)
		body    string
		want    int
		reach   int64
	}{
		"answer":     {proxy.Retry{Max: 1, Status: []int{503}}, 0, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(503) }, medium, 200, 2},
		"reset":      {proxy.Retry{Max: 1, Reset: true}, 0, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, medium, 200, 2},
		"not wanted": {proxy.Retry{Max: 1, Connect: true}, 0, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", 503, 1},
		"per try":    {proxy.Retry{Max: 1, Reset: true, PerTry: 100 * time.Millisecond}, 0, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, medium, 200, 2},
		"timeout":    {proxy.Retry{}, 50 * time.Millisecond, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "x", 504, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cfg.Listeners[0].Settings = proxy.Settings{Plain: true, HTTP2: true}
			w.cfg.Groups[0].Version = proxy.HTTP2
			var reach atomic.Int64
			h := func(rw http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				if reach.Add(1) == 1 {
					c.first(rw, r)
					return
				}
				_, _ = rw.Write(b)
			}
			c.retry.Backoff = time.Microsecond
			w.policy(proxy.Forward{Timeout: c.timeout, Retry: &c.retry}).targets(w.versioned(2, nil, h))
			for _, version := range []int{1, 2} {
				reach.Store(0)
				resp, err := speak(t, version, nil).Post("http://"+w.addr, "text/plain", strings.NewReader(c.body))
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != c.want || c.want == 200 && string(b) != c.body || reach.Load() != c.reach {
					t.Errorf("HTTP/%d: %d, %d bytes, %d requests", version, resp.StatusCode, len(b), reach.Load())
				}
			}
			if n := w.dials.Load(); n != 1 {
				t.Errorf("%d connections: one stream is not the connection", n)
			}
		})
	}
}

// A target that refuses streams beyond its limit is asked again.
func TestRefusedStreams(t *testing.T) {
	w := newWorld(t)
	w.cfg.Groups[0].Version = proxy.HTTP2
	w.cfg.Listeners[0].Settings.Plain = true
	hs := &http.Server{Protocols: new(http.Protocols), HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 2}, Handler: http.HandlerFunc(ok)}
	hs.Protocols.SetUnencryptedHTTP2(true)
	w.policy(proxy.Forward{Retry: &proxy.Retry{Max: 20, Refused: true, Backoff: time.Millisecond}})
	w.targets(serve(t, hs))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for range 5 {
				if code, body := fetch(t, client, "http://"+w.addr); code != 200 {
					t.Errorf("%d %s", code, body)
				}
			}
		})
	}
	wg.Wait()
}

// A stream both ways: each side sees what the other has sent while it still
// sends itself.
func TestBothWaysAtOnce(t *testing.T) {
	for _, version := range []proxy.Version{proxy.HTTP2, proxy.HTTP1} {
		w := newWorld(t)
		w.cfg.Listeners[0].Settings = proxy.Settings{Plain: true, HTTP2: true}
		w.cfg.Groups[0].Version = version
		w.policy(proxy.Forward{Timeout: 10 * time.Second})
		w.targets(w.versioned(map[proxy.Version]int{proxy.HTTP1: 1, proxy.HTTP2: 2}[version], nil, func(rw http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(rw)
			_ = rc.EnableFullDuplex()
			buf := make([]byte, 100)
			for {
				n, err := r.Body.Read(buf)
				if n > 0 {
					_, _ = rw.Write(buf[:n])
					_ = rc.Flush()
				}
				if err != nil {
					return
				}
			}
		}))
		pr, pw := io.Pipe()
		req, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+w.addr, pr)
		go func() { _, _ = io.WriteString(pw, "0") }()
		resp, err := speak(t, 2, nil).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 10)
		for i := range 5 {
			n, err := resp.Body.Read(buf)
			if string(buf[:n]) != strconv.Itoa(i) || err != nil {
				t.Fatalf("%s: %q %v", version, buf[:n], err)
			}
			_, _ = io.WriteString(pw, strconv.Itoa(i+1))
		}
		_ = pw.Close()
		if b, err := io.ReadAll(resp.Body); string(b) != "5" || err != nil {
			t.Errorf("%s: %q %v", version, b, err)
		}
		_ = resp.Body.Close()
	}
}

// An upgrade goes over a connection of its own, whatever the others speak.
func TestWebSocketBesideHTTP2(t *testing.T) {
	w := newWorld(t)
	w.cfg.Listeners[0].Settings.Plain = true
	cert := certificate(t, "one.test")
	hs := &http.Server{TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			_, _ = io.WriteString(rw, r.Proto)
			return
		}
		c, brw, _ := rw.(http.Hijacker).Hijack()
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		_, _ = io.Copy(c, brw)
	})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = hs.ServeTLS(ln, "", "") }()
	defer hs.Close()
	w.cfg.Groups[0].Version, w.cfg.Groups[0].TLS = proxy.Any, &tls.Config{InsecureSkipVerify: true} //nolint:gosec // self-signed
	w.targets(ln.Addr().String())
	for range 2 {
		if _, body := w.get("/"); body != "HTTP/2.0" {
			t.Errorf("%s", body)
		}
		nc, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(nc, "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nframes")
		_ = nc.(*net.TCPConn).CloseWrite()
		all, err := io.ReadAll(nc)
		if err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 101 ") || !strings.HasSuffix(string(all), "\r\n\r\nframes") {
			t.Errorf("%q %v", all, err)
		}
		_ = nc.Close()
	}
}
