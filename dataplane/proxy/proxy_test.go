package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// world is a proxy with its sockets on free loopback ports and its targets.
type world struct {
	t       *testing.T
	s       *proxy.Server
	cfg     proxy.Config
	addr    string            // of the socket opened last
	addrs   map[string]string // of every socket
	origins sync.Map          // netip.Addr of a client to the netip.AddrPort it is going to
	drained chan string
	log     chan string
	dials   atomic.Int64
	block   chan struct{} // a dial to "hang:80" waits for it
}

func newWorld(t *testing.T, change ...func(*proxy.Options)) *world {
	w := &world{
		t: t, drained: make(chan string, 100), log: make(chan string, 100), block: make(chan struct{}),
		addrs: map[string]string{},
	}
	opts := proxy.Options{
		Listen: func(ctx context.Context, addr string) (net.Listener, error) {
			if addr == "taken" {
				return nil, fmt.Errorf("address already in use")
			}
			ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
			if err == nil {
				w.addr = ln.Addr().String()
				w.addrs[addr] = w.addr
			}
			return ln, err
		},
		Dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
			w.dials.Add(1)
			if addr == "hang:80" {
				select {
				case <-ctx.Done():
					return nil, ctx.Err()
				case <-w.block:
					return nil, io.ErrClosedPipe
				}
			}
			if addr == "in" { // the proxy's own socket
				addr = w.addrs[":15000"]
			}
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		},
		Drained:   func(_, addr string) { offer(w.drained, addr) },
		AccessLog: func(_ string, line []byte) { offer(w.log, string(line)) },
		Original: func(nc net.Conn) (netip.AddrPort, error) {
			dst, ok := w.origins.Load(nc.RemoteAddr().(*net.TCPAddr).AddrPort().Addr())
			if !ok {
				return netip.AddrPort{}, errors.New("nothing is known of it")
			}
			return dst.(netip.AddrPort), nil
		},
	}
	for _, f := range change {
		f(&opts)
	}
	s, err := proxy.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	w.s = s
	t.Cleanup(func() {
		close(w.block)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Close(ctx)
	})
	w.cfg.Listeners = []proxy.Listener{{
		ID: "l", Owner: "lb", Addr: ":80", Port: 80, Names: []string{"web.elb.localhost"},
		Settings: proxy.Settings{Server: "awselb/2.0", Trace: true, AccessLog: true},
		Rules:    []proxy.Rule{{ID: "default", Priority: "default", Action: forward("g")}},
	}}
	w.cfg.Groups = []proxy.Group{{ID: "g"}}
	return w
}

// offer sends unless nobody has read for long.
func offer(c chan string, s string) {
	select {
	case c <- s:
	default:
	}
}

func forward(ids ...string) proxy.Action {
	f := &proxy.Forward{}
	for _, id := range ids {
		f.Groups = append(f.Groups, proxy.Weighted{Group: id, Weight: 1})
	}
	return proxy.Action{Forward: f}
}

func (w *world) apply() *world {
	w.t.Helper()
	if err := w.s.Apply(w.t.Context(), w.cfg); err != nil {
		w.t.Fatal(err)
	}
	return w
}

func (w *world) targets(addrs ...string) *world {
	w.t.Helper()
	w.cfg.Groups[0].Targets = nil
	for _, a := range addrs {
		w.cfg.Groups[0].Targets = append(w.cfg.Groups[0].Targets, proxy.Target{Addr: a})
	}
	return w.apply()
}

// target serves h and returns its address.
func (w *world) target(h http.HandlerFunc) string {
	w.t.Helper()
	return serve(w.t, &http.Server{Handler: h})
}

func serve(t *testing.T, hs *http.Server) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = hs.Serve(ln) }()
	t.Cleanup(func() { _ = hs.Close() })
	return ln.Addr().String()
}

// script is a target that reads each request head and answers with the next
// text, byte for byte; after the last it closes the connection.
func (w *world) script(answers ...string) string {
	w.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				br := bufio.NewReader(c)
				for _, a := range answers {
					req, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					_, _ = io.WriteString(c, a)
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// raw sends text and returns everything until the connection ends.
func (w *world) raw(text string) string {
	w.t.Helper()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(c, text)
	b, err := io.ReadAll(c)
	if err != nil {
		w.t.Fatalf("after %q: %v", b, err)
	}
	return string(b)
}

func (w *world) get(path string, header ...string) (*http.Response, string) {
	w.t.Helper()
	return w.do("GET", path, nil, header...)
}

func (w *world) do(method, path string, body io.Reader, header ...string) (*http.Response, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, "http://"+w.addr+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := noRedirect.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, string(b)
}

var noRedirect = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       5 * time.Second,
}

func TestForward(t *testing.T) {
	w := newWorld(t)
	w.targets(w.target(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Saw", r.Host+" "+r.Header.Get("X-Forwarded-For")+" "+r.Header.Get("X-Forwarded-Proto")+" "+r.Header.Get("X-Forwarded-Port"))
		rw.Header().Set("X-Trace", r.Header.Get("X-Amzn-Trace-Id"))
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "%s %s %s", r.Method, r.URL, b)
	}))
	resp, body := w.get("/a?b=c", "Host", "shop.example", "X-Forwarded-For", "1.2.3.4")
	if resp.StatusCode != 200 || body != "GET /a?b=c " {
		t.Fatalf("%d %q", resp.StatusCode, body)
	}
	if got := resp.Header.Get("X-Saw"); got != "shop.example 1.2.3.4, 127.0.0.1 http 80" {
		t.Errorf("target saw %q", got)
	}
	if got := resp.Header.Get("X-Trace"); !strings.HasPrefix(got, "Root=1-") || len(got) != len("Root=1-67891233-abcdef012345678912345678") {
		t.Errorf("trace %q", got)
	}
	large := strings.Repeat("0123456789", 100_000)
	for name, r := range map[string]io.Reader{
		"small": strings.NewReader("hello"), "large": strings.NewReader(large), "chunked": struct{ io.Reader }{strings.NewReader(large)},
	} {
		_, body := w.do("POST", "/up", r)
		if want := map[bool]string{true: "hello", false: large}[name == "small"]; body != "POST /up "+want {
			t.Errorf("%s: got %d bytes back", name, len(body))
		}
	}
	if _, body := w.do("HEAD", "/h", nil); body != "" {
		t.Errorf("HEAD has body %q", body)
	}
}
