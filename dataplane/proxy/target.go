package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
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

	mu    sync.Mutex
	idle  []*upstream
	conns map[*upstream]struct{}
	gone  bool // keeps no connection any more
	cut   bool // and gets none
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
}

const (
	maxIdle     = 256              // pooled connections per target
	idleKeep    = 60 * time.Second // how long a pooled one is kept
	avoidFor    = time.Second      // after a refused connection
	trustedIdle = 20 * time.Millisecond
)

var errGone = errors.New("target deregistered")

// get takes a pooled connection, the latest used first, or dials; with fresh
// it dials. careful looks at every pooled connection before it is used, for
// requests that cannot be sent again.
func (t *target) get(ctx context.Context, now int64, fresh, careful bool) (*upstream, error) {
	for !fresh {
		t.mu.Lock()
		n := len(t.idle)
		if n == 0 {
			t.mu.Unlock()
			break
		}
		u := t.idle[n-1]
		t.idle[n-1] = nil
		t.idle = t.idle[:n-1]
		t.mu.Unlock()
		if u.outdated() {
			u.discard()
			continue
		}
		// A target may have closed it meanwhile: look, unless it was used
		// just now.
		if (careful || now-u.since > int64(trustedIdle)) && stale(u.src.nc) {
			u.discard()
			continue
		}
		u.reused = true
		return u, nil
	}
	return t.dial(ctx)
}

// outdated reports whether the group's trust or identity has changed since the
// connection was made.
func (u *upstream) outdated() bool { return u.tls != u.target.group.roster.Load().cfg.TLS }

func (t *target) dial(ctx context.Context) (*upstream, error) {
	ro := t.group.roster.Load()
	ctx, cancel := context.WithTimeout(ctx, ro.cfg.ConnectTimeout)
	defer cancel()
	nc, err := t.srv.opts.Dial(ctx, ro.cfg.Network, t.addr)
	if err == nil && ro.tls != nil {
		tc := tls.Client(nc, ro.tls)
		err = tc.HandshakeContext(ctx)
		t.group.meter.tls.count(err, false)
		if err != nil {
			_ = nc.Close()
		}
		nc = tc
	}
	if err != nil {
		t.group.meter.connErrs.Add(1)
		t.avoid.Store(nanos() + int64(avoidFor))
		return nil, err
	}
	u := &upstream{target: t, src: source{nc: nc}, snk: sink{nc: nc}, tls: ro.cfg.TLS}
	u.prepare(nc)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cut {
		_ = nc.Close()
		return nil, errGone
	}
	t.conns[u] = struct{}{}
	return u, nil
}

// put keeps a connection whose exchange ended cleanly.
func (u *upstream) put(now int64) {
	t := u.target
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
}

// discard closes the connection and forgets it.
func (u *upstream) discard() {
	_ = u.src.nc.Close()
	t := u.target
	t.mu.Lock()
	delete(t.conns, u)
	t.mu.Unlock()
	u.src.r, u.src.w = 0, 0
	u.src.release()
	putBuf(u.snk.out)
	u.snk.out = nil
}

// pooled is how many connections wait to be used again.
func (t *target) pooled() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.idle)
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
		clear(t.conns)
	}
	for _, u := range ends {
		delete(t.conns, u)
	}
	t.mu.Unlock()
	for _, u := range ends {
		_ = u.src.nc.Close()
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
	t.mu.Unlock()
	for _, u := range old {
		u.discard()
	}
}
