package proxy_test

import (
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// One connection, one that waits for it, and no more.
func TestConnectionLimit(t *testing.T) {
	w := newWorld(t)
	started, hold := make(chan struct{}, 9), make(chan struct{})
	w.cfg.Groups[0].Limits = proxy.Limits{Conns: 1, Pending: 1}
	w.targets(w.target(func(rw http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-hold
		ok(rw, r)
	}))
	done := make(chan string, 2)
	get := func() { _, body := w.get("/"); done <- body }
	go get()
	<-started
	go get()
	eventually(t, func() bool { return w.s.Groups()["g"].Pending == 1 })
	if resp, _ := w.get("/"); resp.StatusCode != 503 || resp.Header.Get("X-Envoy-Overloaded") != "true" {
		t.Errorf("the third got %d", resp.StatusCode)
	}
	close(hold)
	for range 2 {
		if body := <-done; body != "ok" {
			t.Errorf("%q", body)
		}
	}
	if st := w.s.Groups()["g"]; st.Overflows != 1 || w.dials.Load() != 1 {
		t.Errorf("%d overflows, %d connections", st.Overflows, w.dials.Load())
	}
}

func TestRequestLimit(t *testing.T) {
	w := newWorld(t)
	started, hold := make(chan struct{}, 9), make(chan struct{})
	w.cfg.Groups[0].Limits = proxy.Limits{Requests: 2}
	w.targets(w.target(func(rw http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-hold
		ok(rw, r)
	}))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if resp, _ := w.get("/"); resp.StatusCode != 200 {
				t.Error(resp.StatusCode)
			}
		})
		<-started
	}
	if resp, _ := w.get("/"); resp.StatusCode != 503 || resp.Header.Get("X-Envoy-Overloaded") != "true" {
		t.Error(resp.StatusCode)
	}
	close(hold)
	wg.Wait()
	if resp, _ := w.get("/"); resp.StatusCode != 200 {
		t.Error(resp.StatusCode)
	}
}

// Many clients share few connections to several targets, and all are served.
func TestFewConnectionsForMany(t *testing.T) {
	w := newWorld(t)
	var open, most atomic.Int64
	target := func() string {
		return serve(t, &http.Server{Handler: http.HandlerFunc(ok), ConnState: func(_ net.Conn, s http.ConnState) {
			switch s { //nolint:exhaustive // the ends of a connection
			case http.StateNew:
				n := open.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
			case http.StateClosed:
				open.Add(-1)
			}
		}})
	}
	w.cfg.Groups[0].Limits = proxy.Limits{Conns: 3}
	w.targets(target(), target())
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for range 40 {
				resp, err := client.Get("http://" + w.addr)
				if err != nil {
					t.Error(err)
					return
				}
				if _, _ = io.Copy(io.Discard, resp.Body); resp.StatusCode != 200 {
					t.Error(resp.StatusCode)
				}
				resp.Body.Close()
			}
		})
	}
	wg.Wait()
	if w.s.Groups()["g"].Overflows > 0 {
		t.Error("nothing limits who waits")
	}
}
