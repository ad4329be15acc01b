package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
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
	gone  bool
}

// upstream is one connection to a target.
type upstream struct {
	target *target
	src    source
	snk    sink
	turn   turn
	since  int64 // when it became idle
	reused bool
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

func (t *target) dial(ctx context.Context) (*upstream, error) {
	cfg := &t.group.roster.Load().cfg
	ctx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
	defer cancel()
	nc, err := t.srv.opts.Dial(ctx, cfg.Network, t.addr)
	if err == nil && cfg.TLS != nil {
		tc := tls.Client(nc, cfg.TLS)
		if err = tc.HandshakeContext(ctx); err != nil {
			_ = nc.Close()
		}
		nc = tc
	}
	if err != nil {
		t.group.meter.connErrs.Add(1)
		t.avoid.Store(nanos() + int64(avoidFor))
		return nil, err
	}
	u := &upstream{target: t, src: source{nc: nc}, snk: sink{nc: nc}}
	u.prepare(nc)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		_ = nc.Close()
		return nil, errGone
	}
	t.conns[u] = struct{}{}
	return u, nil
}

// put keeps a connection whose exchange ended cleanly.
func (u *upstream) put(now int64) {
	t := u.target
	if u.src.r != u.src.w { // bytes nobody asked for: never reuse
		u.discard()
		return
	}
	u.since = now
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

// close ends the target: pooled connections and those in use, whose clients
// then get 502, as ALB does when the deregistration delay is over.
func (t *target) close() {
	t.mu.Lock()
	t.gone = true
	t.idle = nil
	var conns []net.Conn
	for u := range t.conns {
		conns = append(conns, u.src.nc)
	}
	clear(t.conns)
	t.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}
