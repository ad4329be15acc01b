package proxy

import (
	"errors"
	"strconv"

	"github.com/slipway-dev/slipway/dataplane/accesslog"
)

// relay carries the response back.
func (x *exchange) relay() bool {
	c, u, resp := x.c, x.u, &x.c.resp
	t := u.target
	defer t.release()
	c.rec.upstream, c.rec.status = resp.status, resp.status
	c.rec.keepResponse(resp)
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
	x.relaying.Store(true)
	if u.src.limit.Load() != 0 {
		u.src.limit.Store(x.limit.Load()) // the try is over, the exchange is not
	}
	c.respond(x, wrap)
	p := pump{body: newBody(resp.length), src: &u.src, dst: &c.snk, wrap: wrap}
	if u.shared != nil {
		p.body = newBody(untilClose)
	}
	p.whole = c.whole
	err := p.run()
	c.rec.out, c.rec.body = c.snk.sent, p.got
	clean := err == nil && !resp.close
	if x.upload != nil {
		clean = x.endUpload() == nil && clean
	}
	x.unread()
	x.part(clean)
	switch {
	case err == nil:
	case errors.As(err, new(errSink)):
		c.rec.status, c.rec.flags = 460, accesslog.FlagClientGone
	case isTimeout(err) && past(x.limit.Load()):
		x.overdue()
	}
	c.srv.finish(&c.rec)
	if err == nil && !x.keep && c.src.r != c.src.w {
		c.linger = true
	}
	return err == nil && x.keep
}

// received gives the target's connection back as soon as all of a response was
// read: the client's next request may come before this goroutine is done. With
// an upload that is not over it is too early.
func (x *exchange) received() {
	if x.c.resp.close {
		return
	}
	if x.upload != nil {
		select {
		case err := <-x.upload:
			if x.upload <- err; err != nil {
				return
			}
			_ = x.endUpload()
		default:
			return
		}
	}
	x.part(true)
}

// part ends the use of the target's connection.
func (x *exchange) part(clean bool) {
	u := x.u
	if u == nil {
		return
	}
	x.u = nil
	if u.src.limit.Store(0); x.streaming {
		u.src.until = 0 // see hasten
	}
	if clean {
		u.put(x.c.rec.first)
	} else {
		u.discard()
	}
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
	c.snk.begin(append(out, "\r\n"...))
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
