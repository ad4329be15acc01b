package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy"
)

func TestActions(t *testing.T) {
	w := newWorld(t)
	cond := func(f proxy.Field, v ...string) []proxy.Condition { return []proxy.Condition{{Field: f, Values: v}} }
	fixed := func(s string) proxy.Action {
		return proxy.Action{Fixed: &proxy.Fixed{Status: 200, ContentType: "text/plain", Body: s}}
	}
	w.cfg.Listeners[0].Rules = []proxy.Rule{
		{ID: "https", Conditions: cond(proxy.PathPattern, "/old/*"), Action: proxy.Action{Redirect: &proxy.Redirect{Protocol: "HTTPS", Port: "443", Path: "/new/#{path}", Status: 301}}},
		{ID: "host", Conditions: cond(proxy.HostHeader, "*.Example.com"), Action: fixed("host")},
		{ID: "method", Conditions: cond(proxy.Method, "PUT"), Action: fixed("method")},
		{ID: "header", Conditions: []proxy.Condition{{Field: proxy.HTTPHeader, Name: "X-Kind", Values: []string{"beta*"}}}, Action: fixed("header")},
		{ID: "query", Conditions: []proxy.Condition{{Field: proxy.QueryString, Query: []proxy.KeyValue{{Key: "v", Value: "2"}}}}, Action: fixed("query")},
		{ID: "both", Conditions: append(cond(proxy.PathPattern, "/x"), cond(proxy.SourceIP, "127.0.0.0/8")...), Action: fixed("both")},
		{ID: "regex", Conditions: []proxy.Condition{{Field: proxy.PathPattern, Regex: []string{"^/v[0-9]+/"}}}, Action: fixed("regex")},
		{ID: "default", Action: proxy.Action{Fixed: &proxy.Fixed{Status: 404, ContentType: "text/plain"}}},
	}
	w.apply()
	for _, c := range []struct{ method, path, header, value, want string }{
		{"GET", "/", "Host", "a.example.com:80", "host"},
		{"PUT", "/", "X", "y", "method"},
		{"GET", "/", "X-Kind", "BETA-1", "header"},
		{"GET", "/?a=b&v=2", "X", "y", "query"},
		{"GET", "/x", "X", "y", "both"},
		{"GET", "/v12/", "X", "y", "regex"},
		{"GET", "/X", "X", "y", ""},
	} {
		if _, body := w.do(c.method, c.path, nil, c.header, c.value); body != c.want {
			t.Errorf("%s %s %s=%s: %q, want %q", c.method, c.path, c.header, c.value, body, c.want)
		}
	}
	resp, _ := w.get("/old/a?b=c", "Host", "shop.test:80")
	if got := resp.Header.Get("Location"); resp.StatusCode != 301 || got != "https://shop.test:443/new/old/a?b=c" {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
}

// Messages of every framing come through, and the next request on the same
// connection too.
func TestFramings(t *testing.T) {
	w := newWorld(t)
	w.targets(w.target(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/chunked":
			rw.Header().Set("Trailer", "X-Sum")
			for _, c := range b {
				_, _ = rw.Write([]byte{c})
				_ = http.NewResponseController(rw).Flush()
			}
			rw.Header().Set("X-Sum", "42")
		case "/none":
			rw.WriteHeader(204)
		case "/notmodified":
			rw.Header().Set("Content-Length", "100")
			rw.WriteHeader(304)
		default:
			fmt.Fprintf(rw, "%s%s", b, r.Trailer.Get("X-T"))
		}
	}))
	var got strings.Builder
	all := w.raw("GET /none HTTP/1.1\r\nHost: a\r\n\r\n" +
		"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + // pipelined
		"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\ndef\r\n0\r\nX-T: tail\r\n\r\n" +
		"\r\nHEAD /echo HTTP/1.1\r\nHost: a\r\n\r\n" +
		"GET /notmodified HTTP/1.1\r\nHost: a\r\n\r\n" +
		"POST /chunked HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
	br := bufio.NewReader(strings.NewReader(all))
	for _, method := range []string{"GET", "POST", "POST", "HEAD", "GET", "POST"} {
		resp, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%v after %s in\n%s", err, got.String(), all)
		}
		b, err := io.ReadAll(resp.Body)
		fmt.Fprintf(&got, "%d %s %s %v;", resp.StatusCode, b, resp.Trailer.Get("X-Sum"), err)
	}
	if want := "204   <nil>;200 abc  <nil>;200 deftail  <nil>;200   <nil>;304   <nil>;200 hello 42 <nil>;"; got.String() != want {
		t.Errorf("got  %s\nwant %s", got.String(), want)
	}
	if br.Buffered() > 0 {
		t.Error("more than the responses came")
	}
	// HTTP/1.0: no chunks, and the end of the connection is the end.
	if s := w.raw("POST /chunked HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi"); !strings.HasSuffix(s, "\r\n\r\nhi") || strings.Contains(s, "chunked") {
		t.Errorf("HTTP/1.0: %q", s)
	}
}

// A response without length ends with the target's connection; the client's
// goes on, in chunks.
func TestUntilClose(t *testing.T) {
	w := newWorld(t)
	w.targets(w.script("HTTP/1.0 200 OK\r\nX: y\r\n\r\nall of it"))
	if resp, body := w.get("/"); body != "all of it" || resp.TransferEncoding[0] != "chunked" {
		t.Errorf("%q", body)
	}
}

func TestHopByHop(t *testing.T) {
	w := newWorld(t)
	saw := make(chan http.Header, 1)
	w.targets(w.target(func(rw http.ResponseWriter, r *http.Request) {
		saw <- r.Header
		rw.Header().Set("Connection", "X-Private")
		rw.Header().Set("X-Private", "1")
		rw.Header().Set("Keep-Alive", "timeout=5")
	}))
	resp := w.raw("GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Drop, Authorization\r\nX-Drop: 1\r\nAuthorization: keep\r\nTE: trailers\r\nProxy-Connection: x\r\nX-Forwarded-Proto: forged\r\nX-Amzn-Trace-Id: Self=1-old;Root=1-2-3;A=b\r\n\r\n")
	h := <-saw
	if h.Get("X-Drop")+h.Get("Te")+h.Get("Proxy-Connection") != "" || h.Get("Authorization") != "keep" || h.Get("X-Forwarded-Proto") != "http" {
		t.Errorf("target saw %v", h)
	}
	if id := h.Get("X-Amzn-Trace-Id"); !regexp.MustCompile(`^Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-2-3;A=b$`).MatchString(id) {
		t.Errorf("trace %s", id)
	}
	if strings.Contains(resp, "X-Private") || strings.Contains(resp, "Keep-Alive") || !strings.Contains(resp, "Connection: close\r\n") {
		t.Errorf("client saw %s", resp)
	}
}

func TestExpectContinue(t *testing.T) {
	w := newWorld(t)
	w.targets(w.target(func(rw http.ResponseWriter, r *http.Request) { _, _ = io.Copy(rw, r.Body) }))
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	br := bufio.NewReader(c)
	if line, _ := br.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q", line)
	}
	_, _ = br.ReadString('\n')
	_, _ = io.WriteString(c, "hello")
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(resp.Body); string(b) != "hello" {
		t.Errorf("%q", b)
	}
}

// A target may answer before it has read the body.
func TestEarlyAnswer(t *testing.T) {
	w := newWorld(t)
	w.targets(w.target(func(rw http.ResponseWriter, _ *http.Request) {
		http.Error(rw, "too large", http.StatusRequestEntityTooLarge)
	}))
	resp, body := w.do("POST", "/", io.LimitReader(zeros{}, 64<<20))
	if resp.StatusCode != 413 || body != "too large\n" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// A long stream lives as long as bytes move, in either direction.
func TestStreamsOutliveTheIdleTimeout(t *testing.T) {
	w := newWorld(t)
	w.cfg.Listeners[0].Settings.IdleTimeout = 150 * time.Millisecond
	w.targets(w.target(func(rw http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(rw, n)
	}))
	pr, pw := io.Pipe()
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range 20 {
			<-tick.C
			_, _ = io.WriteString(pw, "x")
		}
		_ = pw.Close()
	}()
	if resp, body := w.do("POST", "/", pr); resp.StatusCode != 200 || body != "20" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

func TestWebSocketTunnel(t *testing.T) {
	w := newWorld(t)
	addr := w.target(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || !strings.EqualFold(r.Header.Get("Connection"), "upgrade") {
			http.Error(rw, "no upgrade", 400)
			return
		}
		c, brw, _ := rw.(http.Hijacker).Hijack()
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		_, _ = io.Copy(c, brw)
	})
	w.targets(addr)
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nearly ")
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	_, _ = io.WriteString(c, "frames")
	got := make([]byte, len("early frames"))
	if _, err := io.ReadFull(br, got); err != nil || string(got) != "early frames" {
		t.Errorf("%q %v", got, err)
	}
	if w.s.Inflight("g", addr) != 1 {
		t.Error("a tunnel counts as in flight")
	}
	_ = c.Close()
	if line := <-w.log; !strings.HasPrefix(line, "ws ") || !strings.Contains(line, " 101 101 ") {
		t.Errorf("log %s", line)
	}
}

func TestStickiness(t *testing.T) {
	w := newWorld(t)
	name := func(s string) string {
		return w.target(func(rw http.ResponseWriter, _ *http.Request) {
			http.SetCookie(rw, &http.Cookie{Name: "session", Value: "1"})
			_, _ = io.WriteString(rw, s)
		})
	}
	for _, c := range []struct{ app, cookie string }{{"", "AWSALB"}, {"session", "AWSALBAPP-0"}} {
		w.cfg.Groups[0].Sticky = &proxy.Sticky{Cookie: c.app, Duration: time.Hour}
		w.targets(name("a"), name("b"), name("c"))
		resp, first := w.get("/")
		var jar []string
		for _, k := range resp.Cookies() {
			jar = append(jar, k.Name+"="+k.Value)
		}
		if !strings.Contains(strings.Join(jar, ";"), c.cookie+"=") {
			t.Fatalf("cookies %v", jar)
		}
		for range 6 {
			if _, body := w.get("/", "Cookie", strings.Join(jar, "; ")); body != first {
				t.Errorf("%s: went from %s to %s", c.cookie, first, body)
			}
		}
		if _, body := w.get("/", "Cookie", c.cookie+"=Zm9yZ2Vk; session=1"); body == "" {
			t.Error("a forged cookie breaks the request")
		}
	}
}

func TestWeightedForwardAndGroupStickiness(t *testing.T) {
	w := newWorld(t)
	w.cfg.Groups = nil
	for _, g := range []string{"blue", "green"} {
		w.cfg.Groups = append(w.cfg.Groups, proxy.Group{ID: g, Targets: []proxy.Target{{Addr: w.target(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, g) })}}})
	}
	f := &proxy.Forward{Groups: []proxy.Weighted{{Group: "blue", Weight: 1}, {Group: "green", Weight: 3}}}
	w.cfg.Listeners[0].Rules = []proxy.Rule{{ID: "d", Action: proxy.Action{Forward: f}}}
	w.apply()
	got := map[string]int{}
	for range 400 {
		_, body := w.get("/")
		got[body]++
	}
	if got["blue"] < 60 || got["blue"] > 140 {
		t.Errorf("1:3 became %v", got)
	}
	w.cfg.Listeners[0].Rules = []proxy.Rule{{ID: "d", Action: proxy.Action{Forward: &proxy.Forward{Groups: f.Groups, Sticky: time.Minute}}}}
	w.apply()
	resp, first := w.get("/")
	for range 10 {
		if _, body := w.get("/", "Cookie", resp.Cookies()[0].Name+"="+resp.Cookies()[0].Value); body != first {
			t.Errorf("went from %s to %s", first, body)
		}
	}
}

// The newcomer's share grows with time.
func TestSlowStart(t *testing.T) {
	w := newWorld(t)
	g := &w.cfg.Groups[0]
	g.SlowStart = time.Hour
	old, young := w.target(ok), w.target(ok)
	g.Targets = []proxy.Target{{Addr: old, Since: time.Now().Add(-2 * time.Hour)}, {Addr: young, Since: time.Now().Add(-6 * time.Minute)}}
	w.apply()
	for range 300 {
		w.get("/")
	}
	for _, ts := range w.s.Groups()["g"].Targets {
		if ts.Addr == young && (ts.Requests < 5 || ts.Requests > 75) {
			t.Errorf("after a tenth of its slow start the newcomer got %d of 300", ts.Requests)
		}
	}
}

func TestSharedSocket(t *testing.T) {
	w := newWorld(t)
	w.cfg.Listeners = nil
	for _, n := range []string{"one", "two"} {
		w.cfg.Listeners = append(w.cfg.Listeners, proxy.Listener{
			ID: n, Owner: n, Addr: ":80", Port: 80, Names: []string{n + ".elb.localhost"},
			Rules: []proxy.Rule{{ID: n, Action: proxy.Action{Fixed: &proxy.Fixed{Status: 200, Body: n}}}},
		})
	}
	w.apply()
	for host, want := range map[string]string{"one.elb.localhost": "one", "TWO.elb.localhost:8080": "two"} {
		if _, body := w.get("/", "Host", host); body != want {
			t.Errorf("%s: %q", host, body)
		}
	}
	if resp, _ := w.get("/", "Host", "three"); resp.StatusCode != 404 {
		t.Errorf("unknown name: %d", resp.StatusCode)
	}
	if o := w.s.Owners(); o["one"].Requests != 1 || o["two"].Fixed != 1 {
		t.Errorf("%+v", o)
	}
}

func TestAccessLog(t *testing.T) {
	w := newWorld(t)
	w.cfg.Listeners[0].Owner = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef"
	addr := w.target(ok)
	w.targets(addr)
	w.get("/a?b=\"c", "Host", "web.elb.localhost", "User-Agent", "curl/8")
	want := regexp.MustCompile(`^http \S+Z app/web/0123456789abcdef 127\.0\.0\.1:\d+ ` + regexp.QuoteMeta(addr) +
		` \d\.\d{3} \d\.\d{3} \d\.\d{3} 200 200 \d+ \d+ "GET http://web\.elb\.localhost:80/a\?b=(%22|\\")c HTTP/1\.1" "curl/8" - - g "Root=1-[0-9a-f-]+" "-" "-" 0 \S+Z "forward" "-" "-" "` +
		regexp.QuoteMeta(addr) + `" "200" "-" "-" TID_-\n$`)
	if line := <-w.log; !want.MatchString(line) {
		t.Errorf("%s\nwant %s", line, want)
	}
	w.raw("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
	if line := <-w.log; !strings.Contains(line, ` 400 - `) || !strings.Contains(line, `"Ambiguous" "more than one Content-Length"`) {
		t.Error(line)
	}
}
