package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// target is one upstream address with its pool of kept connections. It lives
// as long as its group's configuration names it.
type target struct {
	addr     string
	srv      *Server
	group    *group
	inflight atomic.Int64
	requests atomic.Int64
	avoid    atomic.Int64 // nanos until which new requests go elsewhere
	draining atomic.Bool

	errors  atomic.Int64 // answers of 500 and above
	refusal atomic.Int64 // connections that failed
	fails   atomic.Int64 // failures in a row, see Outlier
	ejected atomic.Bool
	times   int   // ejections in a row; of group.mu
	back    int64 // when it may come back; of group.mu

	mu    sync.Mutex
	idle  []*upstream
	conns map[*upstream]struct{}
	gone  bool // keeps no connection any more
	cut   bool // and gets none

	found   atomic.Int32 // protocol, of groups of Version Any
	sharing []*shared
	making  chan struct{} // closed when the HTTP/2 connection that is being made is there; nil: none is
}

func newTarget(s *Server, g *group, addr string) *target {
	return &target{addr: addr, srv: s, group: g, conns: map[*upstream]struct{}{}}
}

// upstream is one connection to a target.
type upstream struct {
	target *target
	src    source
	snk    sink
	turn   turn
	since  int64 // when it became idle
	reused bool
	// answered says that something has come from it.
	answered bool
	tls      *tls.Config // Group.TLS it was made by
	shared   *shared     // of HTTP/2; nil: the connection is its own
	retire   bool        // the shared connection is not to be used by others
}

const (
	maxIdle     = 256              // pooled connections per target
	idleKeep    = 60 * time.Second // how long a pooled one is kept
	avoidFor    = time.Second      // after a refused connection
	trustedIdle = 20 * time.Millisecond
)

var errGone = errors.New("target deregistered")

// want is what a request needs of a connection.
type want struct {
	fresh   bool          // no pooled one
	after   int64         // no shared one that is older
	upgrade bool          // one of HTTP/1.1
	careful bool          // it cannot be sent again: look whether a pooled one is still open
	limit   int64         // nanos when there is no time left; 0 = never
	wait    time.Duration // for one to become free, where their number is limited; 0: not at all
}

// get takes a pooled connection, the latest used first, or dials.
func (t *target) get(ctx context.Context, now int64, w want) (*upstream, error) {
	ro := t.group.roster.Load()
	if speaks := t.speaks(ro); speaks != http1 && !w.upgrade {
		return t.share(ctx, ro, w)
	}
	if !w.fresh {
		for u := t.pop(); u != nil; u = t.pop() {
			if u.fit(now, w.careful) {
				return u, nil
			}
		}
	}
	u, err := t.group.reserve(ctx, t, w)
	switch {
	case err != nil:
		return nil, err
	case u == nil:
		return t.dial(ctx, w)
	case u.fit(now, true):
		return u, nil
	}
	return t.get(ctx, now, w)
}

// pop takes a connection out of the pool, nil when it is empty.
func (t *target) pop() *upstream {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.idle)
	if n == 0 {
		return nil
	}
	u := t.idle[n-1]
	t.idle[n-1] = nil
	t.idle = t.idle[:n-1]
	return u
}

// fit reports whether a pooled connection can be used, and discards it if
// not. A target may have closed it meanwhile: look, unless it was used just
// now.
func (u *upstream) fit(now int64, careful bool) bool {
	if u.outdated() || (careful || now-u.since > int64(trustedIdle)) && isStale(u.src.nc) {
		u.discard()
		return false
	}
	u.reused = true
	return true
}

// outdated reports whether the group's trust or identity has changed since the
// connection was made.
func (u *upstream) outdated() bool { return u.tls != u.target.group.roster.Load().cfg.TLS }

// dial makes a connection in a slot that was reserved.
func (t *target) dial(ctx context.Context, w want) (*upstream, error) {
	ro, limit := t.group.roster.Load(), w.limit
	within := ro.cfg.ConnectTimeout
	if limit != 0 {
		within = min(within, time.Duration(limit-nanos()))
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	nc, err := t.srv.opts.Dial(ctx, ro.cfg.Network, t.addr)
	multiplexed := !w.upgrade && (ro.cfg.Version == HTTP2 || ro.cfg.Version == GRPC)
	if err == nil && ro.tls != nil {
		nc, multiplexed, err = t.handshake(ctx, nc, ro, w.upgrade)
	}
	if err != nil {
		t.group.freed()
		if past(limit) {
			return nil, err
		}
		t.group.meter.connErrs.Add(1)
		t.refusal.Add(1)
		t.avoid.Store(nanos() + int64(avoidFor))
		return nil, err
	}
	if multiplexed {
		return t.adopt(nc, ro.cfg.TLS)
	}
	u := &upstream{target: t, src: source{nc: nc}, snk: sink{nc: nc}, tls: ro.cfg.TLS}
	u.prepare(nc)
	t.mu.Lock()
	cut := t.cut
	if !cut {
		t.conns[u] = struct{}{}
	}
	t.mu.Unlock()
	if cut {
		_ = nc.Close()
		t.group.freed()
		return nil, errGone
	}
	return u, nil
}

// handshake begins TLS, and tells whether HTTP/2 is to be spoken.
func (t *target) handshake(ctx context.Context, nc net.Conn, ro *roster, upgrade bool) (net.Conn, bool, error) {
	cfg := ro.tls
	if upgrade {
		cfg = ro.tls1
	}
	tc := tls.Client(nc, cfg)
	err := tc.HandshakeContext(ctx)
	t.group.meter.tls.count(err, false)
	if err != nil {
		_ = nc.Close()
		return nil, false, err
	}
	h2 := tc.ConnectionState().NegotiatedProtocol == "h2"
	switch version := ro.cfg.Version; {
	case upgrade, version == HTTP1:
		return tc, false, nil
	case version == Any:
		t.found.Store(int32(map[bool]protocol{false: http1, true: http2}[h2]))
		return tc, h2, nil
	case !h2:
		_ = tc.Close()
		return nil, false, errNoHTTP2
	}
	return tc, true, nil
}

var errNoHTTP2 = errors.New("the target's TLS does not agree to HTTP/2")

// put keeps a connection whose exchange ended cleanly.
func (u *upstream) put(now int64) {
	t := u.target
	if u.shared != nil {
		u.giveBack()
		return
	}
	if u.src.r != u.src.w || u.outdated() { // bytes nobody asked for: never reuse
		u.discard()
		return
	}
	u.since, u.answered = now, true
	u.src.release()
	t.mu.Lock()
	if t.gone || len(t.idle) >= maxIdle {
		t.mu.Unlock()
		u.discard()
		return
	}
	t.idle = append(t.idle, u)
	t.mu.Unlock()
	t.group.settle()
}

// discard closes the connection and forgets it.
func (u *upstream) discard() {
	if u.shared != nil {
		u.giveBack()
		return
	}
	if u.end() {
		u.target.group.freed()
	}
	u.src.r, u.src.w = 0, 0
	u.src.release()
	putBuf(u.snk.out)
	u.snk.out = nil
}

// end closes the connection and reports whether its slot is to be given back.
func (u *upstream) end() bool {
	_ = u.src.nc.Close()
	t := u.target
	t.mu.Lock()
	defer t.mu.Unlock()
	_, held := t.conns[u]
	delete(t.conns, u)
	return held
}

// pooled is how many connections wait to be used again.
func (t *target) pooled() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.idle) + len(t.sharing)
}

// acquire and release count requests in flight.
func (t *target) acquire() {
	t.inflight.Add(1)
	t.requests.Add(1)
}

func (t *target) release() {
	if t.inflight.Add(-1) == 0 && t.draining.Load() {
		t.srv.drained(t)
	}
}

// reap closes what was idle for too long.
func (t *target) reap(now int64) {
	t.mu.Lock()
	var old []*upstream
	for len(t.idle) > 0 && now-t.idle[0].since > int64(idleKeep) {
		old = append(old, t.idle[0])
		t.idle = t.idle[1:]
	}
	for _, s := range t.sharing {
		if s.Idle() > idleKeep {
			s.Shutdown()
		}
	}
	t.mu.Unlock()
	for _, u := range old {
		u.discard()
	}
}

// close ends the target's pool. With cut those in use end too, whose clients
// then get 502, as ALB does when the deregistration delay is over; without,
// what is in flight goes on.
func (t *target) close(cut bool) {
	t.mu.Lock()
	t.gone, t.cut = true, t.cut || cut
	ends := t.idle
	t.idle = nil
	if cut {
		ends = slices.Collect(maps.Keys(t.conns))
	}
	sharing := slices.Clone(t.sharing)
	t.mu.Unlock()
	for _, s := range sharing {
		if cut {
			s.Close()
		} else {
			s.Shutdown()
		}
	}
	for _, u := range ends {
		if u.end() {
			t.group.freed()
		}
	}
}

// flush closes the pooled connections that are of an earlier configuration.
func (t *target) flush() {
	t.mu.Lock()
	var old []*upstream
	t.idle = slices.DeleteFunc(t.idle, func(u *upstream) bool {
		if u.outdated() {
			old = append(old, u)
			return true
		}
		return false
	})
	ro := t.group.roster.Load()
	sharing := slices.DeleteFunc(slices.Clone(t.sharing), func(s *shared) bool {
		return s.tls == ro.cfg.TLS && ro.cfg.Version != HTTP1
	})
	t.mu.Unlock()
	for _, u := range old {
		u.discard()
	}
	for _, s := range sharing {
		s.Shutdown()
	}
	t.found.Store(int32(unknown))
}
