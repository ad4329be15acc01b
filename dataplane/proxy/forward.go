package proxy

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
)

// attempts bounds how many targets one request is tried on.
const attempts = 3

// exchange is one request on its way to a target and back.
type exchange struct {
	c         *conn
	v         *virtual
	rt        *route
	place     placement
	group     *group
	tried     tried
	head      bool // HEAD: the response has no body
	streaming bool // the request's body is not wholly in the buffer
	safe      bool // idempotent: may be sent twice
	keep      bool // the client connection may go on
	upload    chan error
	u         *upstream
}

// forward carries the request to a target and its response back.
func (c *conn) forward(v *virtual, rt *route, keep bool) bool {
	r := &c.req
	x := &c.x
	*x = exchange{
		c: c, v: v, rt: rt, keep: keep,
		head: string(r.method) == "HEAD", safe: r.idempotent(),
		streaming: r.length < 0 || r.length > int64(c.src.w-c.src.r),
	}
	x.place = c.srv.place(rt, r, &c.rnd, c.rec.wall)
	x.group = x.place.group
	c.rec.group = x.group
	switch {
	case x.group == nil:
		return c.reply(errorAnswer(503), keep)
	case x.group.roster.Load().cfg.Version != HTTP1:
		return c.reply(errorAnswer(464), keep)
	}
	c.buildHead(x)
	if !x.streaming {
		n := int(r.length)
		c.out = append(c.out, c.src.buf[c.src.r:c.src.r+n]...)
		c.src.r += n
		c.rec.in += int64(n)
		r.length = 0
	}
	status := x.send()
	if status != 0 {
		return x.fail(status)
	}
	return x.relay()
}

// send finds a target that takes the request and answers it. It returns with
// the response head parsed and a zero status, or the status of the failure.
func (x *exchange) send() int {
	c, status, fresh := x.c, 0, false
	for try := 0; try < attempts; try++ {
		t := x.place.target
		if t == nil {
			t = x.group.pick(x.group.roster.Load(), c.dst, &c.rnd, c.rec.start, &x.tried)
		}
		if t == nil {
			break
		}
		t.acquire()
		c.rec.target = t
		u, err := t.get(c.srv.ctx, c.rec.start, fresh, !x.safe || x.streaming)
		if err != nil {
			t.release()
			status = statusOf(err)
			x.tried.add(t)
			x.place.target, fresh = nil, false
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break // ten seconds are gone: no second try
			}
			continue
		}
		x.u = u
		c.rec.sent = c.rec.start
		if try > 0 || fresh || !u.reused {
			c.rec.sent = nanos()
		}
		again, st := x.roundTrip()
		if st == 0 {
			return 0
		}
		status = st
		if x.upload != nil {
			_ = x.endUpload() // it uses u's buffers
		}
		reused := u.reused
		u.discard()
		t.release()
		x.u = nil
		switch {
		case !again:
			return status
		case reused:
			// A kept connection the target had closed: the same target on a
			// new connection, not counted as a failure of it.
			fresh = true
			x.place.target = t
			try--
		default:
			t.avoid.Store(nanos() + int64(avoidFor))
			x.tried.add(t)
			x.place.target, fresh = nil, false
		}
	}
	if status == 0 {
		status = 503
	}
	return status
}

// roundTrip writes the request and reads the response's head. again says
// that the request may be sent once more: nothing was written, or it is
// idempotent, and no byte of a response has come.
func (x *exchange) roundTrip() (again bool, status int) {
	c, u := x.c, x.u
	u.src.timeout, u.snk.timeout = x.v.idle, x.v.idle
	u.snk.sent = 0
	if wrote, err := u.roundTrip(c.out, c.rec.sent, !x.streaming); err != nil {
		return !wrote && u.snk.sent == 0 || x.safe && !x.streaming && !isTimeout(err), statusOf(noEOF(err))
	}
	if x.streaming {
		if status := x.startUpload(); status != 0 {
			return false, status
		}
	}
	for {
		head, err := u.readHead()
		if err != nil {
			if u.refused(err) {
				return !x.streaming, 502
			}
			if st := x.uploadFault(err); st != 0 {
				return false, st
			}
			return len(u.src.buffered()) == 0 && x.safe && !x.streaming && !isTimeout(err), statusOf(err)
		}
		c.rec.first = nanos()
		if f := parseResponse(head, &c.resp, x.head); f != nil {
			return false, 502
		}
		u.src.r += len(head)
		switch {
		case c.resp.status == 101:
			if !c.req.upgrade {
				return false, 502
			}
			return false, 0
		case c.resp.status >= 200:
			return false, 0
		case c.resp.status != 100 && c.req.minor == 1:
			// Interim responses are passed on (RFC 9110, 15.2); 100 was
			// answered here.
			c.snk.out = c.appendStatus(scratch(c.snk.out))
			c.snk.out = appendFields(c.snk.out, c.resp.fields)
			c.snk.out = append(c.snk.out, "\r\n"...)
			if c.snk.flush() != nil {
				return false, 460
			}
		}
	}
}

// statusOf is what a failure towards a target is to the client: 504 when it
// took too long, else 502.
func statusOf(err error) int {
	if isTimeout(err) {
		return 504
	}
	return 502
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}

var errNoHead = errors.New("response head above 32 K")

// readHead reads a response head without consuming it.
func (u *upstream) readHead() ([]byte, error) {
	from := 0
	for {
		in := u.src.buffered()
		end, next := headEnd(in, from)
		if end >= 0 {
			return in[:end], nil
		}
		from = next
		if len(in) >= maxResponseHead {
			return nil, errNoHead
		}
		if err := u.src.fill(2 * maxResponseHead); err != nil {
			return nil, noEOF(err)
		}
	}
}

// fail answers a request no target has answered.
func (x *exchange) fail(status int) bool {
	c := x.c
	c.rec.first = 0
	if x.group != nil && c.rec.target == nil {
		c.rec.sent = 0
	}
	if status == 460 { // nobody there to answer
		c.rec.own, c.rec.status = true, 460
		c.logHead(nil)
		c.srv.finish(&c.rec)
		return false
	}
	ok := c.reply(errorAnswer(status), x.keep)
	return ok
}

// relay carries the response back.
func (x *exchange) relay() bool {
	c, u, resp := x.c, x.u, &x.c.resp
	t := u.target
	defer t.release()
	c.rec.upstream, c.rec.status = resp.status, resp.status
	if resp.status == 101 {
		x.tunnel()
		return false
	}
	if c.sock.closing.Load() {
		x.keep = false
	}
	wrap := c.req.minor == 1 && (resp.length == chunked || resp.length == untilClose)
	if resp.length < 0 && !wrap {
		x.keep = false
	}
	if x.upload != nil {
		// Whether the rest of the body will be read is not known yet; an
		// early answer to a large body mostly ends it.
		select {
		case err := <-x.upload:
			x.upload <- err
			x.keep = x.keep && err == nil
		default:
		}
	}
	c.respond(x, wrap)
	p := pump{body: newBody(resp.length), src: &u.src, dst: &c.snk, wrap: wrap}
	err := p.run()
	c.rec.out = c.snk.sent
	clean := err == nil && !resp.close
	if x.upload != nil {
		clean = x.endUpload() == nil && clean
	}
	if clean {
		u.put(c.rec.first)
	} else {
		u.discard()
	}
	if err != nil && errors.As(err, new(errSink)) {
		c.rec.status = 460
	}
	c.srv.finish(&c.rec)
	if err == nil && !x.keep && c.src.r != c.src.w {
		c.linger = true
	}
	return err == nil && x.keep
}

// respond writes the response head for the client into its sink.
func (c *conn) respond(x *exchange, wrap bool) {
	resp, out := &c.resp, c.appendStatus(scratch(c.snk.out))
	appSet := false
	for i := range resp.fields {
		f := &resp.fields[i]
		switch f.kind {
		case fConnection, fKeepAlive, fProxyConnection, fTransferEncoding, fUpgrade:
			continue
		case fContentLength:
			if resp.status == 204 {
				continue
			}
		case fSetCookie:
			if st := x.place.bind; st {
				appSet = appSet || setsCookie(f.value, x.group)
			}
		}
		if f.drop || len(x.v.set) > 0 && x.v.replaces(f.name) {
			continue
		}
		out = appendField(out, f.name, f.value)
	}
	if wrap {
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	}
	if x.place.bind || x.rt.rule.Action.Forward.Sticky > 0 {
		for _, v := range c.srv.binds(x.rt, &x.place, x.u.target, appSet, c.tls != nil, c.rec.wall) {
			out = append(append(append(out, "Set-Cookie: "...), v...), "\r\n"...)
		}
	}
	out = append(out, x.v.set...)
	out = append(out, connectionLine(x.keep)...)
	c.snk.out = append(out, "\r\n"...)
}

func setsCookie(v []byte, g *group) bool {
	st := g.roster.Load().cfg.Sticky
	return st != nil && len(v) > len(st.Cookie) && string(v[:len(st.Cookie)]) == st.Cookie && v[len(st.Cookie)] == '='
}

func (c *conn) appendStatus(out []byte) []byte {
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(c.resp.status), 10)
	out = append(out, ' ')
	out = append(out, c.resp.reason...)
	return append(out, "\r\n"...)
}

func appendFields(out []byte, fields []field) []byte {
	for i := range fields {
		switch f := &fields[i]; f.kind {
		case fConnection, fKeepAlive, fProxyConnection, fTransferEncoding, fUpgrade, fContentLength:
		default:
			if !f.drop {
				out = appendField(out, f.name, f.value)
			}
		}
	}
	return out
}
