package proxy

import (
	"time"

	"github.com/slipway-dev/slipway/dataplane/accesslog"
)

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
	c.rec.in, c.rec.head = int64(len(head)), int64(len(head))
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
		c.rec.why, c.rec.flags = c.fault.reason, accesslog.FlagClientError
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
		c.rec.flags = accesslog.FlagNoRoute
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
	c.rec = record{text: c.rec.text[:0], asked: c.rec.asked[:0], told: c.rec.told[:0], local: c.dst, start: start, wall: wall, virtual: v, client: c.req.client, tls: c.tls, scheme: c.req.scheme}
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
