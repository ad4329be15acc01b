package mesh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/pki"
)

// Config is what a server needs.
type Config struct {
	// Who tells which task of a VPC has an address: ErrNoTask when none has.
	Who func(ctx context.Context, vpc string, ip netip.Addr) (Caller, error)
	// Authority opens the authority of a mesh; it is called once for each.
	Authority func(*Mesh) (*pki.Authority, error)
	Life      time.Duration // of certificates; 0 is pki.DefaultLife
	Log       *slog.Logger  // nil: discarded
}

// Server serves configuration to the proxies of all meshes. It may be used by
// many at once.
type Server struct {
	cfg     Config
	handler http.Handler

	mu    sync.Mutex
	books map[string]*book // by the mesh's ARN
}

// New makes a server that knows no mesh.
func New(c Config) *Server {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: c, books: map[string]*book{}}
	limits := connect.WithHandlerOptions(connect.WithReadMaxBytes(mostRequest), connect.WithCompressMinBytes(mostRequest))
	mux := http.NewServeMux()
	mux.Handle(xdsapi.StreamPath, connect.NewBidiStreamHandler(xdsapi.StreamPath, func(ctx context.Context, stream *stateStream) error {
		return s.serve(ctx, stateOfTheWorld{stream})
	}, limits))
	mux.Handle(xdsapi.DeltaPath, connect.NewBidiStreamHandler(xdsapi.DeltaPath, func(ctx context.Context, stream *incrementalStream) error {
		return s.serve(ctx, incremental{stream})
	}, limits))
	s.handler = mux
	return s
}

// Limits of clients.
const (
	mostRequest  = 4 << 20 // bytes of one message, as in gRPC. Smaller ones are not compressed: proxies are next door
	mostStreams  = 64      // of one task
	headerTime   = 10 * time.Second
	pingAfter    = 30 * time.Second // of silence, to find clients that went without a word
	pingPatience = 15 * time.Second
)

// Put takes the state of a mesh, new or changed.
func (s *Server) Put(m *Mesh) {
	s.mu.Lock()
	b := s.books[m.ARN]
	if b == nil || b.uid() != m.UID {
		s.books[m.ARN] = newBook(m, s.cfg.Life, s.cfg.Authority)
		s.mu.Unlock()
		if b != nil {
			b.close()
		}
		return
	}
	s.mu.Unlock()
	b.put(m)
}

// Endpoints takes where some nodes of a mesh are found now, by virtual node;
// other nodes are found where they were.
func (s *Server) Endpoints(mesh string, of map[string][]Endpoint) {
	if b := s.book(mesh); b != nil {
		b.endpoints(of)
	}
}

// Remove forgets a mesh. Its proxies keep what they have, and are told
// NOT_FOUND when they ask again.
func (s *Server) Remove(mesh string) {
	s.mu.Lock()
	b := s.books[mesh]
	delete(s.books, mesh)
	s.mu.Unlock()
	if b != nil {
		b.close()
	}
}

// Rotate issues new certificates to the tasks of a mesh, or to one of them by
// its id, and says to how many.
func (s *Server) Rotate(mesh, task string) int {
	if b := s.book(mesh); b != nil {
		return b.rotate(task)
	}
	return 0
}

func (s *Server) book(mesh string) *book {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.books[mesh]
}

// Serve answers the proxies of a VPC on a listener until ctx ends.
func (s *Server) Serve(ctx context.Context, vpc string, l net.Listener) error {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler: s.Handler(vpc), Protocols: protocols, ReadHeaderTimeout: headerTime,
		HTTP2:       &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingPatience},
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	err := server.Serve(l)
	stop()
	_ = server.Close() // its connections: a socket that stays open keeps the VPC's network namespace
	if ctx.Err() == nil {
		return fmt.Errorf("serve the mesh's configuration in VPC %s: %w", vpc, err)
	}
	return nil
}

// ingressKey is the metadata of a node that names its ports for load balancers, "15080=8080".
const ingressKey = "slipway.ingress"

type vpcKey struct{}

// Handler answers the proxies of a VPC; it wants HTTP/2.
func (s *Server) Handler(vpc string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), vpcKey{}, vpc)
		ctx = context.WithValue(ctx, remoteKey{}, r.RemoteAddr)
		s.handler.ServeHTTP(w, r.WithContext(ctx))
	})
}

type remoteKey struct{}

// serve serves one stream, once it is known whose it is.
func (s *Server) serve(ctx context.Context, w wire) error {
	first, err := w.receive()
	if err != nil {
		return nil // it went before it said anything
	}
	session, err := s.admit(ctx, first)
	if err != nil {
		return err
	}
	if !session.book.join(session) {
		return connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("task %s has %d streams open", session.caller.Task, mostStreams))
	}
	defer session.book.leave(session)
	return session.run(ctx, w, first)
}

// admit finds out who a client is, by its connection alone, and whether it may
// have what it asks for.
func (s *Server) admit(ctx context.Context, first request) (*session, error) {
	remote, _ := ctx.Value(remoteKey{}).(string)
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return nil, connect.NewError(connect.CodeUnauthenticated, fmt.Errorf("%q is no address of a task", remote))
	}
	vpc, _ := ctx.Value(vpcKey{}).(string)
	caller, err := s.cfg.Who(ctx, vpc, at.Addr().Unmap())
	if errors.Is(err, ErrNoTask) {
		return nil, connect.NewError(connect.CodeUnauthenticated, fmt.Errorf("no task has the address %s", at.Addr()))
	}
	if err != nil {
		return nil, connect.NewError(connect.CodeUnavailable, fmt.Errorf("find the task of %s: %w", at.Addr(), err))
	}
	caller.IP = at.Addr().Unmap()
	p, err := placeOf(first.node.GetId(), caller.Scope)
	if err != nil {
		return nil, err
	}
	if caller.Allow != nil {
		if err := caller.Allow(p.arn); err != nil {
			return nil, connect.NewError(connect.CodePermissionDenied, err)
		}
	}
	b := s.book(p.mesh)
	if b == nil {
		return nil, connect.NewError(connect.CodeNotFound, fmt.Errorf("there is no mesh %s", p.mesh))
	}
	return &session{
		server: s, book: b, caller: caller, place: p, types: map[string]*subscription{}, warned: map[string]bool{}, wake: make(chan struct{}, 1), since: time.Now(),
		key: proxyKey{
			gateway: p.gateway, name: p.name, ingress: first.node.GetMetadata().GetFields()[ingressKey].GetStringValue(),
			agent: agentOf(first.node.GetUserAgentName()),
		},
	}, nil
}
