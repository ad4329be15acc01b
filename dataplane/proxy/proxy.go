// Package proxy is the platform's one proxy: the load balancer of elbv2 and,
// with other settings, the sidecar of the mesh. It knows listeners, rules,
// groups and targets, and nothing of the services that configure it.
//
// A Server is given whole configurations by Apply and changes over without
// dropping a connection. HTTP/1.1 takes a small strict path (RFC 9112): one
// goroutine per client connection reads a head, chooses a target, and carries
// bodies between two buffered connections, with no allocation per request.
// Framing that two readers could understand differently is refused. Streams
// of HTTP/2 (package h2) take the same path on goroutines of their own, from
// clients and to targets: an exchange does not know what either side speaks.
//
// Invariants: without a Retry a request is sent to another target only when
// the first cannot have acted on it (its connection failed before anything
// was written, its stream was refused, or a proxy before it says so) or when its method is idempotent
// and no byte of a response has arrived; a connection is used again only
// after both messages on it ended cleanly, and never under a later
// Group.TLS; memory per connection and per metric is bounded.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what a Server is made of. Listen and Dial are required.
type Options struct {
	// Listen opens the socket of a Listener.Addr.
	Listen func(ctx context.Context, addr string) (net.Listener, error)
	// Unlisten is told that a socket left the configuration, after its
	// listener was closed; not at Close. May be nil.
	Unlisten func(addr string)
	// Dial connects to a target (ip:port) from a Group.Network.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// AccessLog gets one line, newline included, per request of owners whose
	// listeners ask for it. It must not block for long and may keep line.
	AccessLog func(owner string, line []byte)
	// Drained is told when a Draining target has nothing in flight: once when
	// that is so as it starts draining, or when its last request ends.
	Drained func(group, addr string)
	// Finish lets what is in flight to targets that leave the configuration
	// go on; else it is cut off.
	Finish bool
	// Vouch reports whether what answers at a target of a Group.Network is a
	// proxy that lets no RefusedField of its application pass. Only then is
	// one believed: the request goes to another target. Default: never.
	Vouch func(network, addr string) bool
	// Original tells where a connection was going before it was redirected.
	// Default: what the kernel's connection tracking knows.
	Original func(net.Conn) (netip.AddrPort, error)
	// CookieKey seals stickiness cookies; a key kept over restarts keeps
	// clients on their targets. Default: random.
	CookieKey []byte
	// MaxConns bounds client connections; above it new ones are closed at
	// once and counted as rejected. Default 20000.
	MaxConns int
	Log      *slog.Logger
}

// Server is a running proxy. Use New.
type Server struct {
	opts   Options
	sealer *sealer
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	conns  atomic.Int64
	seed   atomic.Uint64

	mu        sync.Mutex // held by Apply; guards what follows
	sockets   map[string]*socket
	groups    map[string]*group
	owners    map[string]*owner
	listeners map[string]*listenerMeter // by Listener.ID
}

// owner holds the metrics of all listeners with the same Owner.
type owner struct {
	meter     meter
	accepted  atomic.Int64
	active    atomic.Int64
	rejected  atomic.Int64
	tlsErrors atomic.Int64
	unmatched atomic.Int64
}

// New makes a Server that serves nothing until Apply.
func New(opts Options) (*Server, error) {
	if opts.Listen == nil || opts.Dial == nil {
		return nil, errors.New("proxy: Options.Listen and Options.Dial are required")
	}
	if opts.Original == nil {
		opts.Original = originalDestination
	}
	if opts.MaxConns == 0 {
		opts.MaxConns = 20000
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	seal, err := newSealer(opts.CookieKey)
	if err != nil {
		return nil, fmt.Errorf("proxy: cookie key: %w", err)
	}
	s := &Server{
		opts: opts, sealer: seal,
		sockets: map[string]*socket{}, groups: map[string]*group{}, owners: map[string]*owner{},
		listeners: map[string]*listenerMeter{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.wg.Go(s.reap)
	return s, nil
}

// drained reports a target on a goroutine of its own.
func (s *Server) drained(t *target) {
	if s.opts.Drained != nil {
		s.wg.Go(func() { s.opts.Drained(t.group.id, t.addr) })
	}
}

// reap closes connections to targets that nobody has used for a while.
func (s *Server) reap() {
	tick := time.NewTicker(idleKeep / 4)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		for _, g := range s.allGroups() {
			g.reap(nanos())
		}
	}
}

func (s *Server) allGroups() []*group {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.groups))
}

// Serves reports whether a listener is among those applied, with its socket
// open.
func (s *Server) Serves(listenerID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, so := range s.sockets {
		for _, v := range so.binding.Load().all {
			if v.cfg.ID == listenerID {
				return true
			}
		}
	}
	return false
}

// Drained reports whether nothing is in flight on a target that the applied
// configuration has as Draining, or does not have at all.
func (s *Server) Drained(groupID, addr string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.groups[groupID]; g != nil {
		if m := g.roster.Load().byAddr[addr]; m != nil {
			return m.state == Draining && m.inflight.Load() == 0
		}
	}
	return true
}

// Inflight is the number of requests and tunnels a target is serving; 0 for
// an unknown one.
func (s *Server) Inflight(groupID, addr string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.groups[groupID]; g != nil {
		if m := g.roster.Load().byAddr[addr]; m != nil {
			return int(m.inflight.Load())
		}
	}
	return 0
}

// Owners reads the counters of every owner of a listener.
func (s *Server) Owners() map[string]Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]Stats{}
	for id, o := range s.owners {
		st := o.meter.read()
		st.NewConns, st.ActiveConns = o.accepted.Load(), o.active.Load()
		st.RejectedConns, st.TLSErrors, st.UnmatchedConns = o.rejected.Load(), o.tlsErrors.Load(), o.unmatched.Load()
		out[id] = st
	}
	return out
}

// Groups reads the counters of every group, by id.
func (s *Server) Groups() map[string]Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]Stats{}
	for id, g := range s.groups {
		st := g.meter.read()
		st.Pending, st.Codes = g.slots.waiting.Load(), map[int]int64{}
		for code := range g.codes {
			if n := g.codes[code].Load(); n > 0 {
				st.Codes[code] = n
			}
		}
		for _, t := range g.targets() {
			st.Targets = append(st.Targets, t.read())
			if t.ejected.Load() {
				st.Ejected++
			}
		}
		slices.SortFunc(st.Targets, func(a, b TargetStats) int { return compare(a.Addr, b.Addr) })
		out[id] = st
	}
	return out
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Close stops listening, lets requests in flight finish until ctx is done,
// then closes everything and waits for every goroutine.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	var wg sync.WaitGroup
	for addr, so := range s.sockets {
		delete(s.sockets, addr)
		wg.Go(func() { so.drain(ctx) })
	}
	s.mu.Unlock()
	wg.Wait()
	s.cancel()
	for _, g := range s.allGroups() {
		for _, t := range g.targets() {
			t.close(true)
		}
	}
	s.wg.Wait()
	return ctx.Err()
}
