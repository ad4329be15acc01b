package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy/h2"
)

// conn is a client connection on the fast path. All its buffers are used
// again for every request.
type conn struct {
	srv    *Server
	sock   *socket
	nc     net.Conn
	src    source
	snk    sink
	opened int64
	chain  *chain         // nil until it is known
	bound  *binding       // that chain is of
	dst    netip.AddrPort // where the client was going
	hello  *virtual       // whose TLS it is
	// leaving says that what the connection came in by is no more: it ends after the next response.
	leaving bool
	idle    atomic.Bool // waits for a request: may be closed
	meter   *listenerMeter
	owner   *owner // counted as active there; set by the first request
	rnd     random
	ip      []byte
	tls     *tls.ConnectionState
	cert    []byte // for X-Forwarded-Client-Cert; nil: not made yet
	moves   activity
	h2      atomic.Pointer[h2.Conn] // set when the connection speaks HTTP/2
	counted atomic.Bool             // by its listener and owner
	parent  *conn                   // of a conn that serves streams: their connection
	next    chan *h2.Stream         // likewise: to be served

	raw    syscall.RawConn // nil: only Read and Write
	state  int8            // how step left off
	fault  *fault          // of the prepared request
	linger bool            // unread input may be on its way: close gently

	req  request
	resp response
	x    exchange // of the current request
	// whole is x.received, made once.
	whole func()
	out   []byte // head for the target, with the body when that is at hand
	rec   record
}

func newConn(so *socket, nc net.Conn) *conn {
	c := &conn{srv: so.srv, sock: so, nc: nc, opened: nanos()}
	c.whole = c.x.received
	c.attach(nc)
	c.rnd.s = so.srv.seedOf()
	c.req.client = addrOf(nc.RemoteAddr())
	c.ip = c.req.client.Addr().AppendTo(nil)
	c.req.scheme = "http"
	return c
}

// seedOf is a seed for a connection's random numbers.
func (s *Server) seedOf() uint64 {
	return (s.seed.Add(1)*0x9E3779B97F4A7C15 ^ uint64(time.Now().UnixNano())) | 1
}

func (c *conn) attach(nc net.Conn) {
	c.src.nc, c.snk.nc = nc, nc
}

// serve runs the connection to its end.
func (c *conn) serve() {
	defer c.end()
	if !c.enter() {
		return
	}
	var tc *tls.Conn
	if c.chain.tls != nil {
		var ok bool
		if tc, ok = c.handshake(); !ok {
			return
		}
	}
	switch {
	case c.chain.tcp != nil:
		c.carry(c.chain.tcp)
		return
	case tc == nil:
		c.raw = rawOf(c.nc)
	case c.tls.NegotiatedProtocol == "h2":
		c.multiplex(tc)
		return
	}
	step := c.step
	for {
		ready := false
		if c.raw != nil {
			// The deadline may have passed while a long exchange did not read, or have cut a body off.
			c.state, c.src.timeout = running, c.chain.idle
			c.src.guard(nanos())
			err := c.raw.Read(step)
			c.idle.Store(false)
			c.snk.fd = 0
			switch {
			case c.state == ended || err != nil:
				return
			case c.state == prior:
				c.multiplex(&prefixed{Conn: c.nc, first: bytes.Clone(c.src.buffered())})
				return
			case c.state == parsed:
				ready = true
			}
		}
		if !ready {
			head, f := c.readHead()
			if f == errSilent {
				return
			}
			c.prepare(head, f)
		}
		if !c.act() {
			return
		}
	}
}

// How step left off.
const (
	running = iota // a head is incomplete, or there was nothing yet
	parsed         // a request that needs more reading is prepared
	prior          // the client speaks HTTP/2, without having asked
	ended
)

// step serves requests inside RawConn.Read for as long as each comes whole
// in one piece: it returns false to wait for the next. Whatever else comes,
// a partial head, a body that is still on its way, an upgrade, is left to
// serve, outside, where the connection can be read the usual way.
func (c *conn) step(fd uintptr) bool {
	c.idle.Store(false)
	s := &c.src
	for {
		if s.r == s.w {
			ready, err := s.rawRead(fd, bufSize)
			if !ready {
				return c.stay()
			}
			if err != nil {
				c.state = ended
				return true
			}
		}
		in := s.buffered()
		end, _ := headEnd(in, 0)
		if end < 0 || in[0] == '\r' {
			return true
		}
		if in[0] == 'P' && c.owner == nil && c.chain.prior && bytes.HasPrefix(in, []byte(h2.Preface[:18])) {
			c.state = prior
			return true
		}
		c.prepare(in[:end], nil)
		if c.req.upgrade || c.req.length < 0 || c.req.length > int64(s.w-s.r) {
			c.state = parsed
			return true
		}
		c.snk.fd = fd
		if !c.act() {
			c.state = ended
			return true
		}
		if s.r == s.w && s.drained {
			return c.stay()
		}
	}
}

// stay waits for the next request, within the idle timeout.
func (c *conn) stay() bool {
	c.src.timeout = c.chain.idle
	c.src.guard(max(c.rec.end, c.opened))
	c.rest()
	c.idle.Store(true)
	if c.sock.closing.Load() {
		c.state = ended
		return true
	}
	return false
}

// rest gives the buffers back, so that a waiting connection holds none.
func (c *conn) rest() {
	c.src.release()
	putBuf(c.out)
	putBuf(c.snk.out)
	c.out, c.snk.out = nil, nil
}

func (c *conn) end() {
	if c.linger {
		c.lingering()
	}
	_ = c.nc.Close()
	c.sock.forget(c)
	if c.owner != nil {
		c.owner.active.Add(-1)
		c.meter.active.Add(-1)
	}
	c.src.r, c.src.w = 0, 0
	c.rest()
}

// lingering lets the client read an answer before the connection ends: closing
// with unread input would reset it.
func (c *conn) lingering() {
	cw, ok := c.snk.nc.(interface{ CloseWrite() error })
	if !ok || cw.CloseWrite() != nil {
		return
	}
	c.src.deadline(nanos() + int64(2*time.Second))
	_, _ = io.Copy(io.Discard, c.src.nc)
}
