package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
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

// errSilent ends a connection without an answer; errSlow after one.
var (
	errSilent = &fault{0, "closed"}
	errSlow   = &fault{408, "request header not complete in time"}
)

// readHead waits for a request and returns its head. Once its first byte is
// there, the whole head must come within the idle timeout, whatever trickles
// in (slowloris).
func (c *conn) readHead() ([]byte, *fault) {
	s := &c.src
	s.timeout = c.chain.idle
	from, empty := 0, 0
	for {
		if s.r == s.w {
			if f := c.await(); f != nil {
				return nil, f
			}
			from = 0
		}
		// Some clients send an empty line after a body (RFC 9112, 2.2).
		for s.w-s.r >= 2 && s.buf[s.r] == '\r' && s.buf[s.r+1] == '\n' && empty < 4 {
			s.r += 2
			empty++
		}
		if s.r != s.w {
			break
		}
	}
	partial := false
	for {
		in := s.buffered()
		end, next := headEnd(in, from)
		switch from = next; {
		case end > maxRequestHead || end < 0 && len(in) >= maxRequestHead:
			return in, errHeadTooLong
		case end >= 0:
			return in[:end], nil
		case len(in) > maxLine+2 && next >= len(in) && !hasLine(in[:maxLine+2]):
			return in, errLineTooLong
		}
		if !partial {
			partial = true
			s.deadline(nanos() + int64(s.timeout))
		}
		if err := s.read(maxRequestHead + bufSize); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return s.buffered(), errSlow
			}
			return nil, errSilent
		}
	}
}

func hasLine(b []byte) bool {
	for _, c := range b {
		if c == '\n' {
			return true
		}
	}
	return false
}

// await waits for the first byte of a request.
func (c *conn) await() *fault {
	c.idle.Store(true)
	defer c.idle.Store(false)
	if c.sock.closing.Load() {
		return errSilent
	}
	if err := c.src.fill(bufSize); err != nil {
		return errSilent
	}
	return nil
}

// prepare parses a head that readHead or step found and starts the record.
// f is what is wrong with it already.
func (c *conn) prepare(head []byte, f *fault) {
	r := &c.req
	r.reset()
	if f == nil {
		f = parseRequest(head, r)
	} else if r.version = "HTTP/1.1"; f != errSlow {
		_ = parseRequest(head, r) // what can be told, for the log
	}
	c.src.r += len(head)
	c.start(f)
	c.rec.in = int64(len(head))
}

// start finds the listener of the request and starts its record. f is what is
// wrong with its head.
func (c *conn) start(f *fault) {
	wall := time.Now()
	v := c.pick(c.req.host)
	if f != nil && v == nil {
		v = c.chain.all[0]
	}
	c.begin(wall, int64(wall.Sub(epoch)), v)
	c.fault = f
}

// act serves the prepared request and reports whether another may follow.
func (c *conn) act() bool {
	r, v := &c.req, c.rec.virtual
	switch {
	case c.fault != nil:
		c.rec.why = c.fault.reason
		return c.refuse(c.fault.status)
	case v == nil:
		return c.refuse(404)
	case r.forwarded >= 0 && !v.cfg.Settings.Plain && commas(r.fields[r.forwarded].value) >= 30:
		return c.refuse(463)
	}
	keep := c.keeps(v)
	rt := v.route(r)
	c.rec.route = rt
	switch {
	case rt == nil:
		return c.reply(c.error(404), keep)
	case rt.rule.Action.Redirect != nil:
		a := rt.rule.Action.Redirect.answer(r, v)
		c.rec.location = a.location
		return c.reply(a, keep)
	case rt.rule.Action.Fixed != nil:
		return c.reply(rt.rule.Action.Fixed.answer(), keep)
	}
	return c.forward(v, rt, keep)
}

// begin starts the record of a request.
func (c *conn) begin(wall time.Time, start int64, v *virtual) {
	c.rec = record{text: c.rec.text[:0], start: start, wall: wall, virtual: v, client: c.req.client, tls: c.tls, scheme: c.req.scheme}
	if c.req.upgrade {
		c.rec.scheme = map[string]string{"http": "ws", "https": "wss"}[c.req.scheme]
	}
	if v == nil {
		return
	}
	c.count(v)
	c.src.timeout, c.snk.timeout = v.idle, v.idle
	c.snk.sent = 0
}

// keeps reports whether the connection may serve another request after this.
func (c *conn) keeps(v *virtual) bool {
	return !c.req.close && (c.req.minor == 1 || c.req.keepAlive) && !c.leaving && !c.sock.closing.Load() && c.rec.start-c.opened < v.age
}

// young reports whether the connection may go on for its age.
func (c *conn) young() bool {
	v := c.rec.virtual
	return v == nil || c.rec.start-c.opened < v.age
}

// count books the connection on a listener and its owner, once.
func (c *conn) count(v *virtual) {
	if c.parent != nil {
		c = c.parent
	}
	if c.counted.Load() || c.counted.Swap(true) {
		return
	}
	c.owner, c.meter = v.owner, v.meter
	c.owner.accepted.Add(1)
	c.owner.active.Add(1)
	c.meter.accepted.Add(1)
	c.meter.active.Add(1)
}

func commas(b []byte) (n int) {
	for _, c := range b {
		if c == ',' {
			n++
		}
	}
	return n
}

// refuse answers an error and ends the connection.
func (c *conn) refuse(status int) bool {
	c.req.length = 0
	c.reply(c.error(status), false)
	c.linger = true
	return false
}

// reply sends an answer made here. A body that the client is still sending
// is read when it is short, else the connection ends.
func (c *conn) reply(a answer, keep bool) bool {
	if keep && c.req.length != 0 {
		keep = c.skipBody()
	}
	c.rec.own, c.rec.status = true, a.status
	set, fields := &Settings{}, []byte(nil)
	v := c.rec.virtual
	if v != nil {
		set, fields = &v.cfg.Settings, v.set
	} else {
		c.snk.timeout = 10 * time.Second
	}
	c.logHead(nil)
	c.snk.begin(appendAnswer(scratch(c.snk.out), a, set, fields, string(c.req.method) == "HEAD", keep, c.rec.wall))
	err := c.snk.end(nil)
	c.rec.out = c.snk.sent
	c.srv.finish(&c.rec)
	if !keep && c.req.length != 0 {
		c.linger = true
	}
	return err == nil && keep
}

// logHead saves what the log needs while the head is still in its buffer.
func (c *conn) logHead(trace []byte) {
	if v := c.rec.virtual; v != nil && v.cfg.Settings.AccessLog && len(c.rec.text) == 0 {
		c.rec.keep(&c.req, trace)
	}
}

// skipBody drops a request body that is wholly in the buffer.
func (c *conn) skipBody() bool {
	if n := c.req.length; n > 0 && n <= int64(c.src.w-c.src.r) {
		c.src.r += int(n)
		c.req.length = 0
		return true
	}
	return false
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
