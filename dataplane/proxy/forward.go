package proxy

import (
	"sync"
	"sync/atomic"

	"github.com/slipway-dev/slipway/dataplane/accesslog"
)

// exchange is one request on its way to a target and back.
type exchange struct {
	c         *conn
	v         *virtual
	rt        *route
	place     placement
	group     *group
	policy    *Retry // nil: only what is safe
	tried     tried
	head      bool         // HEAD: the response has no body
	streaming bool         // the request's body is not wholly in the buffer
	safe      bool         // idempotent: may be sent twice
	keep      bool         // the client connection may go on
	counted   bool         // in the group's requests in flight
	tries     int          // that followed the first
	roster    *roster      // of the group, when it was chosen
	spared    bool         // the target tried last cannot have acted on it, or may do so once more
	acted     bool         // some target may have, and may not once more
	why       string       // what went wrong, in Envoy's words
	limit     atomic.Int64 // nanos when the whole exchange must be over; 0 = never
	tryLimit  atomic.Int64 // when the present try must have its answer
	relaying  atomic.Bool  // it has
	upload    chan error
	uploading sync.WaitGroup
	sent      replay // the streaming body, as far as it was sent
	marks     marks
	born      int64 // of the HTTP/2 connection that was of no use
	u         *upstream
}

// marks are where things lie in the head for the target, and its body.
type marks struct{ path, pathEnd, host, hostEnd, fields, body int }

// forward carries the request to a target and its response back.
func (c *conn) forward(v *virtual, rt *route, keep bool) bool {
	r := &c.req
	f := rt.rule.Action.Forward
	x := &c.x
	*x = exchange{
		c: c, v: v, rt: rt, keep: keep, policy: f.Retry,
		head: string(r.method) == "HEAD", safe: r.idempotent(),
		streaming: r.length < 0 || r.length > int64(c.src.w-c.src.r),
	}
	x.place = c.srv.place(rt, r, &c.rnd, c.rec.wall)
	x.group = x.place.group
	c.rec.group = x.group
	if x.group != nil {
		x.roster = x.group.roster.Load()
	}
	switch {
	case x.group == nil:
		return x.fail(503)
	case !x.compatible():
		return x.fail(464)
	case !x.admit():
		return x.fail(503)
	}
	if f.Idle > 0 {
		c.src.timeout, c.snk.timeout = f.Idle, f.Idle
	}
	c.buildHead(x)
	x.marks.body = len(c.out)
	if !x.streaming {
		n := int(r.length)
		c.out = append(c.out, c.src.buf[c.src.r:c.src.r+n]...)
		c.src.r += n
		c.rec.in += int64(n)
		r.length = 0
	} else {
		x.sent.body, x.sent.keep = newBody(r.length), x.worthKeeping()
		x.sent.wrap = r.length < 0
	}
	status := x.send()
	if status != 0 && x.moved() {
		status = x.send()
	}
	if status != 0 && x.refuseStream() {
		keep = true
	} else if status != 0 {
		keep = x.fail(status)
	} else {
		keep = x.relay()
	}
	x.leave()
	return keep
}

// compatible reports whether the client's protocol goes with the group's. A
// load balancer does not translate (Elastic Load Balancing, "HTTP 464"); a
// mesh does.
func (x *exchange) compatible() bool {
	c := x.c
	if x.v.cfg.Settings.Plain {
		return true
	}
	version := x.group.roster.Load().cfg.Version
	if c.src.st == nil {
		return version == HTTP1
	}
	return !(version == GRPC && string(c.req.method) != "POST" || version == HTTP1 && c.req.grpc())
}

// fail answers a request no target has answered.
func (x *exchange) fail(status int) bool {
	c := x.c
	x.unread()
	c.rec.first = 0
	if x.group != nil && c.rec.target == nil {
		c.rec.sent = 0
	}
	c.rec.flags = flags[x.why]
	if status == 460 { // nobody there to answer
		c.rec.own, c.rec.status, c.rec.flags = true, 460, accesslog.FlagClientGone
		c.logHead(nil)
		c.srv.finish(&c.rec)
		return false
	}
	return c.reply(x.answer(status), x.keep)
}
