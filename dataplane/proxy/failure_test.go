package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy"
)

func ok(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "ok") }

// closed is an address nobody listens at.
func closed(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// What a client gets when targets fail, in ALB's choice of status.
func TestStatusOfFailures(t *testing.T) {
	for name, c := range map[string]struct {
		targets func(w *world) []string
		want    int
	}{
		"no targets":     {func(*world) []string { return nil }, 503},
		"refused":        {func(w *world) []string { return []string{closed(w.t)} }, 502},
		"closes unasked": {func(w *world) []string { return []string{w.script()} }, 502},
		"not HTTP":       {func(w *world) []string { return []string{w.script("hello\r\n\r\n")} }, 502},
		"two lengths": {func(w *world) []string {
			return []string{w.script("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok")}
		}, 502},
		"length and coding": {func(w *world) []string {
			return []string{w.script("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n")}
		}, 502},
		"unasked upgrade": {func(w *world) []string { return []string{w.script("HTTP/1.1 101 Switching Protocols\r\n\r\n")} }, 502},
		"header above 32 K": {func(w *world) []string {
			return []string{w.script("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 40<<10) + "\r\n\r\n")}
		}, 502},
		"second target answers": {func(w *world) []string { return []string{closed(w.t), w.target(ok)} }, 200},
		"connect timeout":       {func(*world) []string { return []string{"hang:80"} }, 504},
		"silent": {func(w *world) []string {
			return []string{w.target(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })}
		}, 504},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cfg.Groups[0].ConnectTimeout = 50 * time.Millisecond
			w.cfg.Listeners[0].Settings.IdleTimeout = 200 * time.Millisecond
			w.targets(c.targets(w)...)
			resp, body := w.get("/")
			if resp.StatusCode != c.want {
				t.Fatalf("got %d, want %d", resp.StatusCode, c.want)
			}
			if c.want != 200 && (resp.Header.Get("Server") != "awselb/2.0" || !strings.Contains(body, fmt.Sprintf("<center><h1>%d ", c.want))) {
				t.Errorf("%v %q", resp.Header, body)
			}
		})
	}
}

func TestALBErrorPage(t *testing.T) {
	w := newWorld(t).apply()
	resp, body := w.get("/")
	if resp.ContentLength != 162 || body != "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>\r\n<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n</body>\r\n</html>\r\n" {
		t.Errorf("%d %q", resp.ContentLength, body)
	}
}

// A kept connection that the target closed is replaced: no client notices.
func TestStaleConnectionsAreReplaced(t *testing.T) {
	w := newWorld(t)
	one := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	w.targets(w.script(one)) // answers once, then closes
	for i := range 20 {
		method := []string{"GET", "PUT"}[i%2]
		if resp, _ := w.do(method, "/", strings.NewReader("")); resp.StatusCode != 200 {
			t.Fatalf("request %d: %d", i, resp.StatusCode)
		}
	}
}

// Requests that are not idempotent are never sent twice.
func TestPostIsSentOnce(t *testing.T) {
	w := newWorld(t)
	var seen atomic.Int64
	die := func(rw http.ResponseWriter, _ *http.Request) {
		seen.Add(1)
		c, _, _ := rw.(http.Hijacker).Hijack()
		_ = c.Close()
	}
	w.targets(w.target(die), w.target(die))
	if resp, _ := w.do("POST", "/", strings.NewReader("pay")); resp.StatusCode != 502 || seen.Load() != 1 {
		t.Errorf("%d after %d requests", resp.StatusCode, seen.Load())
	}
	seen.Store(0)
	if resp, _ := w.get("/"); resp.StatusCode != 502 || seen.Load() != 2 {
		t.Errorf("GET: %d after %d requests: want both targets tried", resp.StatusCode, seen.Load())
	}
}

// A target that dies under load takes nothing with it but what cannot be
// sent again.
func TestADyingTargetFailsNothingIdempotent(t *testing.T) {
	w := newWorld(t)
	hs := &http.Server{Handler: http.HandlerFunc(ok)}
	w.targets(serve(t, hs), w.target(ok))
	var wg sync.WaitGroup
	var n, bad atomic.Int64
	for range 32 {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for n.Add(1) < 4000 {
				resp, err := client.Get("http://" + w.addr + "/")
				if err != nil {
					bad.Add(1)
					continue
				}
				if resp.StatusCode != 200 {
					bad.Add(1)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
	for n.Load() < 1000 {
		runtime.Gosched()
	}
	_ = hs.Close()
	wg.Wait()
	if bad.Load() > 0 {
		t.Errorf("%d requests failed", bad.Load())
	}
}

// A malformed answer to a request whose body is still coming.
func TestMalformedAnswerDuringUpload(t *testing.T) {
	w := newWorld(t)
	w.targets(w.target(func(rw http.ResponseWriter, _ *http.Request) {
		c, _, _ := rw.(http.Hijacker).Hijack()
		_, _ = io.WriteString(c, "HTTP/1.1 nonsense\r\n\r\n")
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	}))
	for range 20 {
		if resp, _ := w.do("POST", "/", io.LimitReader(zeros{}, 1<<20)); resp.StatusCode != 502 {
			t.Fatal(resp.StatusCode)
		}
	}
}

// After a refused connection the target is passed over for a moment.
func TestARefusingTargetIsAvoided(t *testing.T) {
	w := newWorld(t)
	w.targets(closed(t), w.target(ok))
	for range 20 {
		if resp, _ := w.get("/"); resp.StatusCode != 200 {
			t.Fatal(resp.StatusCode)
		}
	}
	if n := w.s.Groups()["g"].ConnErrors; n != 1 {
		t.Errorf("%d connections were refused, want one", n)
	}
}

func TestTargetStates(t *testing.T) {
	w := newWorld(t)
	name := func(s string) string {
		return w.target(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, s) })
	}
	a, b := name("a"), name("b")
	set := func(sa, sb proxy.State) {
		w.cfg.Groups[0].Targets = []proxy.Target{{Addr: a, State: sa}, {Addr: b, State: sb}}
		w.apply()
	}
	served := func() string {
		got := map[string]bool{}
		for range 10 {
			_, body := w.get("/")
			got[body] = true
		}
		s := ""
		for _, k := range []string{"a", "b"} {
			if got[k] {
				s += k
			}
		}
		return s
	}
	for _, c := range []struct {
		a, b proxy.State
		want string
	}{
		{proxy.Healthy, proxy.Healthy, "ab"},
		{proxy.Healthy, proxy.Unhealthy, "a"},
		{proxy.Unhealthy, proxy.Unhealthy, "ab"}, // fail open
		{proxy.Draining, proxy.Unhealthy, "b"},
		{proxy.Draining, proxy.Healthy, "b"},
		{proxy.Draining, proxy.Draining, ""},
	} {
		if set(c.a, c.b); served() != c.want {
			t.Errorf("a %d, b %d: served by %q, want %q", c.a, c.b, served(), c.want)
		}
	}
}

// A draining target finishes what it has, and is told drained then.
func TestDraining(t *testing.T) {
	w := newWorld(t)
	hold, started := make(chan struct{}), make(chan struct{})
	addr := w.target(func(rw http.ResponseWriter, r *http.Request) {
		close(started)
		<-hold
		ok(rw, r)
	})
	w.targets(addr)
	got := make(chan string)
	go func() { _, body := w.get("/"); got <- body }()
	<-started
	if n := w.s.Inflight("g", addr); n != 1 {
		t.Errorf("%d in flight", n)
	}
	w.cfg.Groups[0].Targets[0].State = proxy.Draining
	w.apply()
	if w.s.Drained("g", addr) {
		t.Error("drained with a request in flight")
	}
	if resp, _ := w.get("/"); resp.StatusCode != 503 {
		t.Errorf("new request: %d", resp.StatusCode)
	}
	close(hold)
	if body := <-got; body != "ok" {
		t.Errorf("request in flight: %q", body)
	}
	if a := <-w.drained; a != addr || !w.s.Drained("g", addr) {
		t.Errorf("drained %s", a)
	}
}

// A target that is taken away while it serves loses its requests: 502.
func TestRemovedTarget(t *testing.T) {
	w := newWorld(t)
	started := make(chan struct{})
	w.targets(w.target(func(_ http.ResponseWriter, r *http.Request) { close(started); <-r.Context().Done() }))
	got := make(chan int)
	go func() { resp, _ := w.do("POST", "/", nil); got <- resp.StatusCode }()
	<-started
	w.targets()
	if code := <-got; code != 502 {
		t.Errorf("got %d", code)
	}
}

// Configurations change under load and no request notices.
func TestHotReconfiguration(t *testing.T) {
	w := newWorld(t)
	a, b := w.target(ok), w.target(ok)
	w.targets(a, b)
	var wg sync.WaitGroup
	var done atomic.Bool
	var bad, n atomic.Int64
	for range 8 {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for !done.Load() {
				resp, err := client.Get("http://" + w.addr + "/")
				if err != nil || resp.StatusCode != 200 {
					bad.Add(1)
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				n.Add(1)
			}
		})
	}
	for i := range 60 {
		w.cfg.Groups[0].Targets = []proxy.Target{{Addr: a, State: []proxy.State{proxy.Healthy, proxy.Draining}[i%2]}, {Addr: b}}
		w.cfg.Listeners[0].Rules = append([]proxy.Rule{{
			ID: fmt.Sprint(i), Conditions: []proxy.Condition{{Field: proxy.PathPattern, Values: []string{fmt.Sprintf("/%d/*", i)}}},
			Action: forward("g"),
		}}, w.cfg.Listeners[0].Rules...)
		w.apply()
		for at := n.Load(); n.Load() < at+5 && bad.Load() == 0; {
			runtime.Gosched()
		}
	}
	done.Store(true)
	wg.Wait()
	if bad.Load() > 0 {
		t.Errorf("%d of %d requests failed", bad.Load(), n.Load())
	}
}

// A listener that goes lets current requests end and closes idle connections.
func TestRemovedListener(t *testing.T) {
	w := newWorld(t)
	w.targets(w.target(ok))
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.Header.Get("Connection") != "keep-alive" {
		t.Fatal(resp, err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	w.cfg.Listeners = nil
	w.apply()
	_ = c.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := br.ReadByte(); err != io.EOF {
		t.Errorf("idle connection: %v", err)
	}
	if _, err := net.Dial("tcp", w.addr); err == nil {
		t.Error("still listening")
	}
}

func TestATakenSocketIsNamed(t *testing.T) {
	w := newWorld(t)
	l := w.cfg.Listeners[0]
	l.ID, l.Addr = "second", "taken"
	w.cfg.Listeners = append(w.cfg.Listeners, l)
	err := w.s.Apply(t.Context(), w.cfg)
	if e, isListen := err.(interface{ Unwrap() []error }); !isListen || len(e.Unwrap()) != 1 || !strings.Contains(err.Error(), "listener second: listen on taken") {
		t.Fatalf("%v", err)
	}
	if resp, _ := w.get("/"); resp.StatusCode != 503 {
		t.Error("the other listener does not serve")
	}
}

// Slow clients are cut off, and nothing is left of them.
func TestSlowloris(t *testing.T) {
	w := newWorld(t)
	w.cfg.Listeners[0].Settings.IdleTimeout = 100 * time.Millisecond
	w.targets(w.target(ok))
	for name, part := range map[string]string{
		"head": "GET / HTTP/1.1\r\nHost: a\r\nX: ",
		"body": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
	} {
		if got := w.raw(part); !strings.HasPrefix(got, "HTTP/1.1 408 ") {
			t.Errorf("slow %s: %.60q", name, got)
		}
	}
	if got := w.raw(""); got != "" {
		t.Errorf("idle connection got %q", got)
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	func() {
		w := newWorld(t)
		w.targets(w.target(ok))
		for range 10 {
			w.get("/")
			c, err := net.Dial("tcp", w.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_ = w.s.Close(ctx)
	}()
	noRedirect.CloseIdleConnections()
	for end := time.Now().Add(3 * time.Second); runtime.NumGoroutine() > before+4 && time.Now().Before(end); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before+4 { // the test's own server and clients
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines before, %d after\n%s", before, n, buf[:runtime.Stack(buf, true)])
	}
}

// A request was placed on targets that have left by the time it reaches them,
// as after a shift of traffic: it goes where requests go now.
func TestARequestFollowsTheTraffic(t *testing.T) {
	dialled, left := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(o *proxy.Options) {
		dial := o.Dial
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr != "blue:80" {
				return dial(ctx, network, addr)
			}
			close(dialled)
			<-left
			return nil, io.ErrClosedPipe
		}
	})
	w.cfg.Groups[0].Targets = []proxy.Target{{Addr: "blue:80"}}
	w.cfg.Groups = append(w.cfg.Groups, proxy.Group{ID: "green", Targets: []proxy.Target{{Addr: w.target(ok)}}})
	w.apply()
	status := make(chan int)
	go func() {
		resp, err := http.Get("http://" + w.addr + "/")
		if err != nil {
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	<-dialled
	w.cfg.Listeners[0].Rules = []proxy.Rule{{ID: "r", Action: forward("green")}}
	w.cfg.Groups = w.cfg.Groups[1:]
	w.apply()
	close(left)
	if got := <-status; got != 200 {
		t.Errorf("got %d", got)
	}
}
