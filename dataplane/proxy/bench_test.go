package proxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// quick answers every request head with the same 1 KB, at the least cost.
func quick(b *testing.B) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ln.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024))
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 8192)
				for n := 0; ; {
					m, err := c.Read(buf[n:])
					if err != nil {
						return
					}
					n += m
					for i := bytes.Index(buf[:n], []byte("\r\n\r\n")); i >= 0; i = bytes.Index(buf[:n], []byte("\r\n\r\n")) {
						if _, err := c.Write(answer); err != nil {
							return
						}
						n = copy(buf, buf[i+4:n])
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// serving runs a proxy with one listener and one group and returns the
// listener's address.
func serving(b *testing.B, l proxy.Listener, g proxy.Group) (*proxy.Server, string) {
	var addr string
	s, err := proxy.New(proxy.Options{
		Listen: func(ctx context.Context, _ string) (net.Listener, error) {
			ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
			if err == nil {
				addr = ln.Addr().String()
			}
			return ln, err
		},
		Dial: func(ctx context.Context, _, a string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", a)
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	l.ID, l.Addr, g.ID = "l", "a", "g"
	l.Rules = []proxy.Rule{{ID: "r", Action: proxy.Action{Forward: &proxy.Forward{Groups: []proxy.Weighted{{Group: "g", Weight: 1}}, Timeout: l.Settings.IdleTimeout}}}}
	if err := s.Apply(b.Context(), proxy.Config{Listeners: []proxy.Listener{l}, Groups: []proxy.Group{g}}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close(context.Background()) })
	return s, addr
}

// twoHops is client -> plain proxy -> mutual TLS -> proxy -> application.
func twoHops(b *testing.B, version proxy.Version) (addr string, handshakes func() int64) {
	mesh := newIdentity(b, "shop")
	set := proxy.Settings{Plain: true, HTTP2: true, TraceContext: true, IdleTimeout: 15e9}
	in := proxy.Listener{TLS: &proxy.TLS{Config: mesh.side("payment", "order.dev.local").Server()}, Settings: set}
	in.Settings.ClientCert = true
	_, inner := serving(b, in, proxy.Group{Targets: []proxy.Target{{Addr: quick(b)}}})
	out, outer := serving(b, proxy.Listener{Settings: set}, proxy.Group{
		Version: version, TLS: mesh.side("order", "payment.dev.local").Client("payment"), Targets: []proxy.Target{{Addr: inner}},
	})
	return outer, func() int64 { return out.Groups()["g"].TLS.Handshakes }
}

// load sends b.N requests over some connections and reports the processor
// time of the whole process for each: client, proxies and application.
func load(b *testing.B, addr string, conns int) {
	req := []byte("GET /payment/health HTTP/1.1\r\nHost: payment.dev.local\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
	var left atomic.Int64
	run := func(n int64) {
		left.Store(n)
		var wg sync.WaitGroup
		for range conns {
			wg.Go(func() {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					b.Error(err)
					return
				}
				defer c.Close()
				buf := make([]byte, 8192)
				for left.Add(-1) >= 0 {
					if _, err := c.Write(req); err != nil {
						b.Error(err)
						return
					}
					for n := 0; n < 1024 || !bytes.HasSuffix(buf[:n], []byte("xxxx")); {
						m, err := c.Read(buf[n:])
						if err != nil {
							b.Error(err, string(buf[:n]))
							return
						}
						n += m
					}
				}
			})
		}
		wg.Wait()
	}
	run(int64(10 * conns)) // connections are made
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	b.ReportAllocs()
	b.ResetTimer()
	run(int64(b.N))
	b.StopTimer()
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	used := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(used)/float64(b.N)/1000, "cpu-us/req")
	b.ReportMetric(float64(after.Nvcsw-before.Nvcsw)/float64(b.N), "switches/req")
}

// What a hop costs, and two with mutual TLS between them. Of the processor
// time some 13 us are the client's and the application's own.
func BenchmarkHops(b *testing.B) {
	for _, conns := range []int{1, 64} {
		b.Run(fmt.Sprintf("none/conns=%d", conns), func(b *testing.B) { load(b, quick(b), conns) })
		b.Run(fmt.Sprintf("one/conns=%d", conns), func(b *testing.B) {
			_, addr := serving(b, proxy.Listener{Settings: proxy.Settings{Plain: true}}, proxy.Group{Targets: []proxy.Target{{Addr: quick(b)}}})
			load(b, addr, conns)
		})
		for _, version := range []proxy.Version{proxy.HTTP1, proxy.Any} {
			b.Run(fmt.Sprintf("two/%s/conns=%d", version, conns), func(b *testing.B) {
				addr, handshakes := twoHops(b, version)
				load(b, addr, conns)
				b.ReportMetric(float64(handshakes()), "handshakes")
			})
		}
	}
}

// The steady state allocates nothing of its own.
func BenchmarkRequest(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				buf := make([]byte, 4096)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
			}()
		}
	}()
	var addr string
	s, err := proxy.New(proxy.Options{
		Listen: func(ctx context.Context, _ string) (net.Listener, error) {
			l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
			addr = l.Addr().String()
			return l, err
		},
		Dial: func(ctx context.Context, _, a string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", a)
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	_ = s.Apply(b.Context(), proxy.Config{
		Listeners: []proxy.Listener{{ID: "l", Addr: "x", Settings: proxy.Settings{Trace: true}, Rules: []proxy.Rule{{ID: "d", Action: forward("g")}}}},
		Groups:    []proxy.Group{{ID: "g", Targets: []proxy.Target{{Addr: ln.Addr().String()}}}},
	})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	req, buf := []byte("GET /payment/health HTTP/1.1\r\nHost: a\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"), make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = c.Write(req)
		if _, err := c.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}
