package proxy

import (
	"bytes"
	"net"
	"sync"

	"github.com/slipway-dev/slipway/dataplane/proxy/h2"
)

// multiplex serves the requests of an HTTP/2 connection: each on a goroutine
// and a conn of its own, which are used again, by the same code as those of
// HTTP/1.1.
func (c *conn) multiplex(nc net.Conn) {
	m := &crew{of: c}
	hc := h2.Server(nc, h2.Config{Handle: m.handle, Idle: c.chain.idle})
	c.h2.Store(hc)
	if c.sock.closing.Load() {
		hc.Shutdown()
	}
	_ = hc.Serve()
	m.end()
}

// crew is the conns that serve the streams of one connection.
type crew struct {
	of *conn
	wg sync.WaitGroup

	mu    sync.Mutex
	free  []*conn
	ended bool
}

// handle gives a stream to a conn that is free, or to a new one.
func (m *crew) handle(s *h2.Stream) {
	m.mu.Lock()
	var w *conn
	if n := len(m.free); n > 0 {
		w = m.free[n-1]
		m.free = m.free[:n-1]
	}
	m.mu.Unlock()
	if w == nil {
		w = m.of.worker()
		m.wg.Go(func() { m.work(w) })
	}
	w.next <- s
}

func (m *crew) work(w *conn) {
	for s := range w.next {
		w.stream(s)
		m.mu.Lock()
		if m.ended {
			m.mu.Unlock()
			return
		}
		m.free = append(m.free, w)
		m.mu.Unlock()
	}
}

func (m *crew) end() {
	m.mu.Lock()
	m.ended = true
	for _, w := range m.free {
		close(w.next)
	}
	m.free = nil
	m.mu.Unlock()
	m.wg.Wait()
}

// worker is a conn for streams of c, with all that is known of c.
func (c *conn) worker() *conn {
	w := &conn{
		srv: c.srv, sock: c.sock, nc: c.nc, opened: c.opened, chain: c.chain, bound: c.bound, dst: c.dst, hello: c.hello,
		ip: c.ip, tls: c.tls, cert: c.cert, parent: c, next: make(chan *h2.Stream, 1),
	}
	w.whole = w.x.received
	w.rnd.s = c.srv.seedOf()
	w.req.client, w.req.port, w.req.scheme = c.req.client, c.req.port, c.req.scheme
	return w
}

// stream serves one request.
func (c *conn) stream(s *h2.Stream) {
	defer s.Release()
	h, err := s.Await()
	if err != nil {
		return
	}
	c.src.attach(s)
	c.snk.attach(s)
	r := &c.req
	r.reset()
	f := r.adopt(h)
	c.start(f)
	c.rec.scheme = "h2"
	if f == nil {
		c.takeBody(s, h)
	}
	c.act()
	if !c.snk.ended {
		s.Reset(h2.InternalError)
	}
	if c.leaving || !c.young() {
		s.Conn().Shutdown()
	}
	c.src.attach(nil)
	c.snk.attach(nil)
	c.rest()
}

// takeBody reads a body that has come whole with its head. For any other it
// says what is known of its length.
func (c *conn) takeBody(s *h2.Stream, h *h2.Head) {
	r := &c.req
	switch n, whole := s.Whole(); {
	case h.End:
	case !whole || n > bufSize:
		if r.length == 0 {
			r.length = -1
		}
	case n == 0:
		r.length = 0
	default:
		if c.src.read(bufSize) == nil && c.src.w-c.src.r == n {
			r.length = int64(n)
		}
	}
}

// adopt makes a request of a head of HTTP/2, and refuses what HTTP/1.1 would
// not have had.
func (r *request) adopt(h *h2.Head) *fault {
	r.method, r.target, r.host = h.Method, h.Path, h.Authority
	r.version, r.major = "HTTP/2.0", 2
	hosts, cookies := 0, 0
	for _, hf := range h.Fields {
		f := field{name: hf.Name, value: hf.Value, kind: kindOf(hf.Name)}
		switch f.kind { //nolint:exhaustive // as in frame
		case fHost:
			if hosts++; len(r.host) == 0 {
				r.host = f.value
			}
		case fContentLength:
			r.length, _ = parseLength(f.value)
		case fExpect:
			if !equalFold(f.value, "100-continue") {
				return errExpectation
			}
			r.expect = true
		case fForwardedFor:
			if r.forwarded < 0 {
				r.forwarded = len(r.fields)
			}
		case fTraceID:
			if r.trace < 0 {
				r.trace = len(r.fields)
			}
		case fCookie:
			r.cookies = true
			cookies++
		}
		r.fields = append(r.fields, f)
	}
	if cookies > 1 {
		r.joinCookies()
	}
	switch {
	case !all(r.method, isToken):
		return errRequestLine
	case string(r.method) == "TRACE":
		return errTrace
	case string(r.method) == "CONNECT":
		return errConnect
	case !all(r.target, isTarget) || r.target[0] != '/' && !(string(r.target) == "*" && string(r.method) == "OPTIONS"):
		return errRequestLine
	case hosts > 1 || !validHost(r.host):
		return errHost
	case len(r.host) == 0:
		return errNoHost
	}
	return r.splitTarget()
}

// joinCookies makes one field of several, which is what HTTP/1.1 has (RFC
// 9113, 8.2.3).
func (r *request) joinCookies() {
	var all [][]byte
	first := -1
	for i := range r.fields {
		f := &r.fields[i]
		if f.kind != fCookie {
			continue
		}
		all = append(all, f.value)
		if first < 0 {
			first = i
		} else {
			f.drop, f.kind = true, other
		}
	}
	r.fields[first].value = bytes.Join(all, []byte("; "))
}
