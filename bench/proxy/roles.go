package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// backend answers every request head with the same 1 KB.
func backend(addr string) error {
	ln, err := net.Listen("tcp4", addr)
	if err != nil {
		return err
	}
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024))
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 8192)
			n := 0
			for {
				m, err := c.Read(buf[n:])
				if err != nil {
					return
				}
				n += m
				for {
					i := bytes.Index(buf[:n], []byte("\r\n\r\n"))
					if i < 0 {
						break
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
					n = copy(buf, buf[i+4:n])
				}
			}
		}()
	}
}

// ours is the load balancer as the engine configures it for an Application
// Load Balancer: rules, trace header, four targets.
func ours(addr, profile string) error {
	s, err := proxy.New(proxy.Options{
		Listen: func(ctx context.Context, a string) (net.Listener, error) {
			return (&net.ListenConfig{}).Listen(ctx, "tcp4", a)
		},
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp4", backendAddr)
		},
	})
	if err != nil {
		return err
	}
	forward := func(id string) proxy.Action {
		return proxy.Action{Forward: &proxy.Forward{Groups: []proxy.Weighted{{Group: id, Weight: 1}}}}
	}
	path := func(p ...string) []proxy.Condition {
		return []proxy.Condition{{Field: proxy.PathPattern, Values: p}}
	}
	var targets []proxy.Target
	for i := range 4 {
		targets = append(targets, proxy.Target{Addr: fmt.Sprintf("127.0.0.1:%d", 1+i)})
	}
	err = s.Apply(context.Background(), proxy.Config{
		Groups: []proxy.Group{{ID: "payment", Targets: targets}, {ID: "order"}},
		Listeners: []proxy.Listener{{
			ID: "http", Owner: "lb", Addr: addr, Port: 80,
			Settings: proxy.Settings{Server: "awselb/2.0", Trace: true},
			Rules: []proxy.Rule{
				{ID: "order", Conditions: path("/order/*", "/order"), Action: forward("order")},
				{ID: "payment", Conditions: path("/payment/*", "/payment"), Action: forward("payment")},
				{ID: "default", Action: proxy.Action{Fixed: &proxy.Fixed{Status: 404}}},
			},
		}},
	})
	if err != nil {
		return err
	}
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	<-ctx.Done()
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	return s.Close(ctx)
}

func waitFor(addr string, limit time.Duration) error {
	end := time.Now().Add(limit)
	for {
		c, err := net.Dial("tcp4", addr)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(end) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
