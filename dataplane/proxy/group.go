package proxy

import (
	"crypto/tls"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// group is the running side of a Group. Its roster is replaced whole.
type group struct {
	id     string
	srv    *Server
	meter  meter
	codes  [600]atomic.Int64 // requests by the status their client got
	roster atomic.Pointer[roster]
	turn   atomic.Uint32

	slots    slots
	interval time.Duration // of looking for outliers; 0: none
	stop     func()        // ends the looking

	mu        sync.Mutex
	originals map[netip.AddrPort]*target // of Group.Original, see original
}

// roster is one configuration of a group.
type roster struct {
	cfg    Group
	all    []*member
	usable []*member // who may get new requests
	byAddr map[string]*member
	uneven bool        // some weight or slow start counts
	heavy  int         // greatest weight
	tls    *tls.Config // of cfg, completed
	tls1   *tls.Config // the same for HTTP/1.1 alone
}

type member struct {
	*target
	state  State
	since  int64 // nanos, begin of the slow start
	weight int
}

// tried are the targets a request has failed on already.
type tried struct {
	t [8]*target
	n int
}

func (t *tried) add(x *target) {
	if t.n < len(t.t) {
		t.t[t.n] = x
		t.n++
	}
}

func (t *tried) has(x *target) bool {
	for _, y := range t.t[:t.n] {
		if x == y {
			return true
		}
	}
	return false
}

// pick chooses a target for a new request, nil when there is none left.
// Targets that just refused a connection are passed over while another one
// is there. dst is where the client was going.
func (g *group) pick(r *roster, dst netip.AddrPort, rnd *random, now int64, not *tried) *target {
	if r.cfg.Original {
		return g.original(dst, not)
	}
	n := len(r.usable)
	if n == 0 {
		return nil
	}
	ok := func(m *member) bool { return m.avoid.Load() < now && !m.ejected.Load() && !not.has(m.target) }
	if m := g.choose(r, rnd, now, ok); m != nil {
		return m.target
	}
	// All are avoided: any that was not tried yet. One that is ejected is taken only when all are, as when the others have
	// left the group.
	at, out, last := int(rnd.next()%uint32(n)), 0, (*target)(nil)
	for i := range n {
		switch m := r.usable[(at+i)%n]; {
		case m.ejected.Load():
			out++
			if !not.has(m.target) {
				last = m.target
			}
		case !not.has(m.target):
			return m.target
		}
	}
	if out < n {
		return nil
	}
	return last
}

func (g *group) choose(r *roster, rnd *random, now int64, ok func(*member) bool) *member {
	n := uint32(len(r.usable))
	switch r.cfg.Balance {
	case LeastOutstanding:
		return least(r, rnd, ok)
	case TwoChoice:
		a, b := r.usable[rnd.next()%n], r.usable[rnd.next()%n]
		if !ok(a) || ok(b) && b.inflight.Load() < a.inflight.Load() {
			a = b
		}
		if ok(a) {
			return a
		}
	}
	at := g.turn.Add(1) - 1
	if r.cfg.Balance == Random {
		at = rnd.next()
	}
	// A light or warming target lets its turn pass with the fitting chance;
	// after some rounds the first fitting one is taken.
	var first *member
	for i := range 4 * n {
		m := r.usable[(at+i)%n]
		if !ok(m) {
			if i >= n && first == nil {
				return nil
			}
			continue
		}
		if !r.uneven || rnd.float() < r.share(m, now) {
			if i > 0 && r.cfg.Balance != Random {
				g.turn.Add(i)
			}
			return m
		}
		if first == nil {
			first = m
		}
	}
	return first
}

// share is the chance of m to take its turn: its weight against the
// greatest, times how far it has come in its slow start (a linear ramp).
func (r *roster) share(m *member, now int64) float64 {
	s := float64(m.weight) / float64(r.heavy)
	if d := int64(r.cfg.SlowStart); d > 0 && now-m.since < d {
		s *= max(float64(now-m.since)/float64(d), 0.01)
	}
	return s
}

func least(r *roster, rnd *random, ok func(*member) bool) *member {
	var best *member
	n := len(r.usable)
	at := int(rnd.next() % uint32(n)) // ties: by chance
	for i := range n {
		m := r.usable[(at+i)%n]
		if ok(m) && (best == nil || m.inflight.Load() < best.inflight.Load()) {
			best = m
		}
	}
	return best
}

// stuck is the target a sticky request belongs to, nil when it may get none.
func (r *roster) stuck(addr []byte) *target {
	m := r.byAddr[string(addr)]
	if m == nil || m.state == Draining || m.state == Unhealthy && len(r.usable) > 0 && r.usable[0].state == Healthy {
		return nil
	}
	return m.target
}

// newRoster builds the roster of cfg, keeping the targets that stay.
func newRoster(cfg Group, old *roster, make func(addr string) *target) *roster {
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 10 * time.Second
	}
	if cfg.Balance == "" {
		cfg.Balance = RoundRobin
	}
	if cfg.Version == "" {
		cfg.Version = HTTP1
	}
	r := &roster{cfg: cfg, byAddr: map[string]*member{}, heavy: 1}
	r.secure()
	var weak []*member
	for _, t := range cfg.Targets {
		m := &member{state: t.State, weight: max(t.Weight, 1), since: int64(t.Since.Sub(epoch))}
		if old != nil && old.byAddr[t.Addr] != nil {
			m.target = old.byAddr[t.Addr].target
		} else {
			m.target = make(t.Addr)
		}
		if r.byAddr[t.Addr] != nil {
			continue
		}
		r.byAddr[t.Addr] = m
		r.all = append(r.all, m)
		r.heavy = max(r.heavy, m.weight)
		switch t.State {
		case Healthy:
			r.usable = append(r.usable, m)
		case Unhealthy:
			weak = append(weak, m)
		}
	}
	if len(r.usable) == 0 {
		r.usable = weak // fail open
	}
	now := nanos()
	for _, m := range r.usable {
		if m.weight != r.heavy || cfg.SlowStart > 0 && now-m.since < int64(cfg.SlowStart) {
			r.uneven = true
		}
	}
	return r
}

// secure completes the configuration of TLS: what is offered is what can be
// spoken.
func (r *roster) secure() {
	if r.cfg.TLS == nil {
		return
	}
	with := func(protocols ...string) *tls.Config {
		c := r.cfg.TLS.Clone()
		c.DynamicRecordSizingDisabled = true // what is written is there at once, or long
		c.NextProtos = protocols
		return c
	}
	r.tls1 = with("http/1.1")
	switch r.tls = r.tls1; r.cfg.Version {
	case Any:
		r.tls = with("h2", "http/1.1")
	case HTTP2, GRPC:
		r.tls = with("h2")
	}
}

// random is a small fast generator (xorshift), one per connection.
type random struct{ s uint64 }

func (r *random) next() uint32 {
	r.s ^= r.s << 13
	r.s ^= r.s >> 7
	r.s ^= r.s << 17
	return uint32(r.s >> 16)
}

func (r *random) float() float64 { return float64(r.next()) / (1 << 32) }
