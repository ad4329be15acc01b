package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy/h2"
)

// shared is an HTTP/2 connection to a target, which many requests use at once.
type shared struct {
	*h2.Conn
	tls      *tls.Config // Group.TLS it was made by
	born     int64
	answered atomic.Bool // something has come from it
}

// protocol is what a target speaks.
type protocol int8

const (
	unknown protocol = iota // its TLS has yet to tell
	http1
	http2
)

// speaks is what a target is to be spoken to in: what the group says, or what
// the last connection found.
func (t *target) speaks(ro *roster) protocol {
	switch {
	case ro.cfg.Version == HTTP2 || ro.cfg.Version == GRPC:
		return http2
	case ro.cfg.Version == Any && ro.cfg.TLS != nil:
		return protocol(t.found.Load())
	}
	return http1
}

// lease is the upstream of a request on a shared connection.
func (t *target) lease(s *shared, reused bool) *upstream {
	u := leases.Get().(*upstream)
	u.target, u.shared, u.reused, u.retire, u.tls = t, s, reused, false, s.tls
	return u
}

var leases = sync.Pool{New: func() any { return &upstream{} }}

// giveBack ends an upstream of a shared connection.
func (u *upstream) giveBack() {
	if u.src.st != nil {
		u.src.st.Release()
	}
	u.src.attach(nil)
	u.snk.attach(nil)
	u.src.nc, u.snk.nc = nil, nil
	u.src.release()
	putBuf(u.snk.out)
	u.snk.out, u.target, u.shared = nil, nil, nil
	leases.Put(u)
}

// usable finds a shared connection that takes requests, was made by the
// group's present TLS and after a time. One with room goes before one without.
// Caller holds t.mu.
func (t *target) usable(cfg *tls.Config, after int64) (best *shared, room bool) {
	for _, s := range t.sharing {
		if s.tls != cfg || s.born <= after || !s.Usable() {
			continue
		}
		if s.Room() {
			return s, true
		}
		best = s
	}
	return best, false
}

// maxShared is how many HTTP/2 connections a target gets when those it has
// take no more requests.
const maxShared = 8

// share takes a shared connection, or makes one, which one request does for
// all that wait for it. It returns an upstream of HTTP/1.1 when that is what
// the target turned out to speak.
func (t *target) share(ctx context.Context, ro *roster, w want) (*upstream, error) {
	for waited := false; ; waited = true {
		t.mu.Lock()
		s, room := t.usable(ro.cfg.TLS, w.after)
		if room || s != nil && len(t.sharing) >= maxShared {
			t.mu.Unlock()
			return t.lease(s, !waited), nil
		}
		if making := t.making; making != nil {
			t.mu.Unlock()
			if err := w.await(ctx, making); err != nil {
				return nil, err
			}
			if t.speaks(ro) == http1 {
				return t.get(ctx, nanos(), w)
			}
			continue
		}
		done := make(chan struct{})
		t.making = done
		t.mu.Unlock()
		u, err := t.dialFirst(ctx, w)
		t.mu.Lock()
		t.making = nil
		t.mu.Unlock()
		close(done)
		return u, err
	}
}

// await waits for a connection that another request makes.
func (w *want) await(ctx context.Context, done chan struct{}) error {
	patience := max(w.wait, time.Second)
	if w.limit != 0 {
		patience = min(patience, time.Duration(w.limit-nanos()))
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return errWaited
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dialFirst makes a connection that others may wait for.
func (t *target) dialFirst(ctx context.Context, w want) (*upstream, error) {
	u, err := t.group.reserve(ctx, t, w)
	if err != nil || u != nil {
		return u, err
	}
	return t.dial(ctx, w)
}

// adopt makes a new connection a shared one, whose slot it keeps until it has
// ended.
func (t *target) adopt(nc net.Conn, cfg *tls.Config) (*upstream, error) {
	s := &shared{Conn: h2.Client(nc, h2.Config{}), tls: cfg, born: nanos()}
	t.mu.Lock()
	gone, cut := t.gone, t.cut
	if !cut {
		t.sharing = append(t.sharing, s)
	}
	t.mu.Unlock()
	if cut {
		_ = nc.Close()
		t.group.freed()
		return nil, errGone
	}
	t.srv.wg.Go(func() {
		if err := s.Serve(); err != nil && refusal(err) {
			t.refusedUs()
		}
		t.mu.Lock()
		t.sharing = slices.DeleteFunc(t.sharing, func(o *shared) bool { return o == s })
		t.mu.Unlock()
		t.group.freed()
	})
	u := t.lease(s, false)
	u.retire = gone
	return u, nil
}

// request sends the request on a stream of its own.
func (x *exchange) request() (outcome, int) {
	c, u := x.c, x.u
	m := &x.marks
	r := h2.Request{
		Method: c.out[:m.path-1], Path: c.out[m.path:m.pathEnd], Authority: c.out[m.host:m.hostEnd],
		Scheme: "http", Fields: c.out[m.fields:m.body], Bare: x.head,
	}
	if u.tls != nil {
		r.Scheme = "https"
	}
	wait := c.src.timeout
	if limit := x.tryLimit.Load(); limit != 0 {
		wait = min(wait, time.Duration(limit-nanos()))
	}
	st, err := u.shared.Open(&r, c.out[m.body:], !x.streaming, wait)
	if st != nil {
		u.src.attach(st)
		u.snk.attach(st)
		u.snk.sent = int64(len(c.out))
	}
	if u.retire {
		u.shared.Shutdown()
	}
	switch {
	case errors.Is(err, h2.ErrGone):
		x.why = whyConnect
		if u.reused {
			return stale, 503
		}
		return unreached, 502
	case err != nil && st == nil:
		if past(x.tryLimit.Load()) {
			return x.tooLate()
		}
		x.why = whyOverflow
		x.group.meter.overflows.Add(1)
		return overflow, 503
	case err != nil:
		return x.cut(err)
	}
	u.src.timeout, u.snk.timeout = c.src.timeout, c.src.timeout
	u.src.limit.Store(x.tryLimit.Load())
	if x.streaming {
		if status := x.startUpload(); status != 0 {
			return broken, status
		}
	}
	return x.awaitStream()
}

// awaitStream waits for the head of the response.
func (x *exchange) awaitStream() (outcome, int) {
	c, u := x.c, x.u
	for {
		u.src.guard(nanos())
		h, err := u.src.st.Await()
		if err != nil {
			if u.src.extend(err) {
				continue
			}
			if st := x.uploadFault(err); st != 0 {
				return broken, st
			}
			return x.cut(err)
		}
		c.rec.first = nanos()
		u.shared.answered.Store(true)
		c.resp.adopt(h, x.head)
		if h.Status >= 200 {
			return answered, 0
		}
		if h.Status != 100 && !x.interim() {
			return broken, 460
		}
	}
}

// cut is the outcome of a stream that ended without a response.
func (x *exchange) cut(err error) (outcome, int) {
	var end *h2.StreamError
	switch {
	case errors.Is(err, h2.ErrRefused):
		x.why = whyRefused
		return refused, 503
	case isTimeout(err):
		// Is it the request that takes long, or is nobody there?
		x.u.shared.Check(5 * time.Second)
		return x.lost(err, true)
	case errors.As(err, &end) && !end.Peer:
		x.why = whyProtocol
		return broken, 502
	case refusal(err) && !x.u.shared.answered.Load():
		x.why = whyConnect
		return unreached, 502
	}
	x.why = whyReset
	if end == nil && x.u.reused && x.safe && !x.streaming { // the connection has ended, as a kept one may
		return stale, 502
	}
	return reset, 502
}

// adopt makes a response of a head of HTTP/2, whose body ends with the stream.
// bodyless says that the request was a HEAD.
func (r *response) adopt(h *h2.Head, bodyless bool) {
	*r = response{fields: r.fields[:0], status: h.Status, minor: 1, reason: []byte(reason(h.Status)), length: untilClose}
	trailers := false
	for _, hf := range h.Fields {
		f := field{name: hf.Name, value: hf.Value, kind: kindOf(hf.Name)}
		switch f.kind { //nolint:exhaustive // those HTTP/1.1 frames by
		case fContentLength:
			r.length, _ = parseLength(f.value)
		case fTrailer:
			trailers = true
		case fRefused:
			r.refused, f.drop = true, true
		case fHost:
			continue
		}
		r.fields = append(r.fields, f)
	}
	if r.whole = h.End; bodyless || h.Status < 200 || h.Status == 204 || h.Status == 304 {
		r.length = 0
	} else if trailers && r.length >= 0 && !h.End { // HTTP/1.1 has them in chunks only
		r.length = untilClose
		for i := range r.fields {
			f := &r.fields[i]
			f.drop = f.drop || f.kind == fContentLength
		}
	}
}
