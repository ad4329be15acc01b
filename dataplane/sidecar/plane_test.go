package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// plane is a control plane that says what a test wants: a small incremental
// ADS server.
type plane struct {
	t      *testing.T
	server *http.Server
	at     string

	mu      sync.Mutex
	now     map[string]map[string]proto.Message // by type and name
	version int
	vers    map[string]map[string]string
	changed chan struct{}
	nacks   chan string
	known   int // resources that a client knew already when it came
}

func newPlane(t *testing.T) *plane {
	p := &plane{t: t, now: map[string]map[string]proto.Message{}, vers: map[string]map[string]string{}, changed: make(chan struct{}), nacks: make(chan string, 100)}
	p.start("127.0.0.1:0")
	return p
}

func (p *plane) start(addr string) {
	mux := http.NewServeMux()
	mux.Handle(xdsapi.DeltaPath, connect.NewBidiStreamHandler(xdsapi.DeltaPath, p.serve))
	l, err := (&net.ListenConfig{}).Listen(p.t.Context(), "tcp", addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.at = l.Addr().String()
	p.server = &http.Server{Handler: mux, Protocols: new(http.Protocols), ReadHeaderTimeout: time.Minute}
	p.server.Protocols.SetUnencryptedHTTP2(true)
	go func(s *http.Server) { _ = s.Serve(l) }(p.server)
	p.t.Cleanup(p.stop)
}

func (p *plane) stop() { _ = p.server.Close() }

func (p *plane) addr() string { return p.at }

// set says resources; nil takes one back.
func (p *plane) set(typeURL string, named map[string]proto.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now[typeURL] == nil {
		p.now[typeURL], p.vers[typeURL] = map[string]proto.Message{}, map[string]string{}
	}
	for name, m := range named {
		p.version++
		if m == nil {
			delete(p.now[typeURL], name)
			delete(p.vers[typeURL], name)
			continue
		}
		p.now[typeURL][name], p.vers[typeURL][name] = m, fmt.Sprint(p.version)
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// subscription is what one stream wants of one type, and has been sent.
type subscription struct {
	all  bool
	want map[string]bool
	sent map[string]string
}

func (p *plane) serve(ctx context.Context, st *connect.BidiStream[xdsapi.DeltaDiscoveryRequest, xdsapi.DeltaDiscoveryResponse]) error {
	requests := make(chan *xdsapi.DeltaDiscoveryRequest)
	go func() {
		defer close(requests)
		for {
			r, err := st.Receive()
			if err != nil {
				return
			}
			select {
			case requests <- r:
			case <-ctx.Done():
				return
			}
		}
	}()
	subs := map[string]*subscription{}
	for nonce := 0; ; nonce++ {
		p.mu.Lock()
		changed := p.changed
		for _, t := range []string{xdsapi.ClusterType, xdsapi.EndpointType, xdsapi.SecretType, xdsapi.ListenerType, xdsapi.RouteType} {
			sub := subs[t]
			if sub == nil {
				continue
			}
			out := &xdsapi.DeltaDiscoveryResponse{TypeUrl: t, Nonce: fmt.Sprint(t, nonce)}
			for name, v := range p.vers[t] {
				if (sub.all || sub.want[name]) && sub.sent[name] != v {
					out.Resources = append(out.Resources, &xdsapi.Resource{Name: name, Version: v, Resource: packed(p.now[t][name])})
					sub.sent[name] = v
				}
			}
			for name := range sub.sent {
				if p.vers[t][name] == "" {
					out.RemovedResources = append(out.RemovedResources, name)
					delete(sub.sent, name)
				}
			}
			if len(out.Resources)+len(out.RemovedResources) > 0 {
				if err := st.Send(out); err != nil {
					p.mu.Unlock()
					return err
				}
			}
		}
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case r, ok := <-requests:
			if !ok {
				return nil
			}
			p.hear(subs, r)
		}
	}
}

func packed(m proto.Message) *anypb.Any { return xdsapi.Pack(m) }

func (p *plane) hear(subs map[string]*subscription, r *xdsapi.DeltaDiscoveryRequest) {
	if r.GetErrorDetail() != nil {
		p.nacks <- r.GetErrorDetail().GetMessage()
	}
	sub := subs[r.GetTypeUrl()]
	if sub == nil {
		sub = &subscription{want: map[string]bool{}, sent: map[string]string{}, all: len(r.GetResourceNamesSubscribe()) == 0}
		subs[r.GetTypeUrl()] = sub
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, v := range r.GetInitialResourceVersions() {
		sub.sent[name] = v
		p.known++
	}
	for _, n := range r.GetResourceNamesSubscribe() {
		sub.want[n] = true
	}
	for _, n := range r.GetResourceNamesUnsubscribe() {
		delete(sub.want, n)
		delete(sub.sent, n)
	}
}

// start runs a sidecar for a node of the plane.
func start(t *testing.T, p *plane) *Sidecar {
	t.Helper()
	s, err := New(Config{Node: &xdsapi.Node{Id: "mesh/m/virtualNode/n"}, Endpoint: p.addr(), Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return s
}

// eventually waits for something to become so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
