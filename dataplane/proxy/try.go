package proxy

import (
	"context"
	"errors"
	"net"
	"os"
)

// attempts bounds how many targets a request is tried on that has no Retry.
const attempts = 3

// outcome is how a try ended.
type outcome int8

const (
	answered  outcome = iota // there is a response to pass on
	unwanted                 // there is one that is better tried again
	unreached                // no connection was had, or nothing was sent
	stale                    // a kept connection had ended: the target is not to blame
	reset                    // the connection ended before any byte of a response
	refused                  // an HTTP/2 stream was refused
	declined                 // there is a response that says that the request got no further than to the target's proxy
	late                     // the try took too long
	overdue                  // so did the whole exchange
	overflow                 // the group bears no more
	broken                   // whatever else, never to be sent again
)

// send finds a target that takes the request and answers it. It returns with
// the response head parsed and a zero status, or the status of the failure.
func (x *exchange) send() int {
	c, status, fresh := x.c, 0, false
	for {
		t := x.next()
		if t == nil {
			if status == 0 {
				x.why, x.spared = whyNoTarget, true
				return 503
			}
			return status
		}
		var out outcome
		out, status = x.try(t, fresh)
		x.spared = x.harmless(out)
		x.acted = x.acted || !x.spared && out != stale
		switch out {
		case answered:
			x.well()
			return 0
		case stale:
			// The same target on a new connection, not counted as a failure of it.
			fresh = true
			x.place.target = t
			continue
		}
		fresh = false
		switch again := (out != declined || x.elsewhere(t)) && x.again(out); {
		case again:
		case out == unwanted || out == declined:
			return 0
		default:
			return status
		}
		if out == unwanted || out == declined {
			x.dropAnswer()
		}
		if out != unwanted {
			t.avoid.Store(nanos() + int64(avoidFor))
		}
		x.tried.add(t)
		x.place.target = nil
		if !x.pause() {
			c.rec.target = t
			return x.overdue()
		}
	}
}

// next is the target of the next try. With a Retry it may be one that was
// tried before, when there is no other.
func (x *exchange) next() *target {
	if x.place.target != nil {
		return x.place.target
	}
	c, ro := x.c, x.group.roster.Load()
	t := x.group.pick(ro, c.dst, &c.rnd, c.rec.start, &x.tried)
	if t == nil && x.policy != nil && x.tried.n > 0 {
		x.tried.n = 0
		t = x.group.pick(ro, c.dst, &c.rnd, c.rec.start, &x.tried)
	}
	return t
}

// try sends the request to one target and waits for its answer. status is
// what the client is to get if it was the last try.
func (x *exchange) try(t *target, fresh bool) (out outcome, status int) {
	c := x.c
	now := c.rec.start
	if x.tries > 0 {
		now = nanos()
	}
	if !x.streaming || x.sent.done {
		x.clock(now)
	}
	t.acquire()
	c.rec.target = t
	after := int64(0)
	if fresh {
		after = x.born
	}
	u, err := t.get(c.srv.ctx, now, want{
		fresh: fresh, after: after, careful: !x.safe || x.streaming, upgrade: c.req.upgrade,
		limit: x.tryLimit.Load(), wait: c.src.timeout,
	})
	if err != nil {
		t.release()
		return x.unreached(t, err)
	}
	x.u = u
	c.rec.sent = now
	if x.tries > 0 || fresh || !u.reused {
		c.rec.sent = nanos()
	}
	out, status = x.roundTrip()
	if out == answered {
		t.answered(c.resp.status)
		switch {
		case x.policy != nil && x.policy.wants(&c.resp):
			out = unwanted
		case c.resp.refused && x.vouched(t):
			out = declined
		}
		return out, 0
	}
	if x.upload != nil {
		_ = x.endUpload() // it uses u's buffers
	}
	if out == reset && u.shared == nil && u.reused && (x.safe && !x.streaming || !x.wrote()) {
		out = stale
	}
	if u.shared != nil {
		x.born = u.shared.born // a later one is wanted, should this one have ended
	}
	u.discard()
	t.release()
	x.u = nil
	if out != stale && (out != broken || status == 502 || status == 504) {
		t.failed()
	}
	return out, status
}

// wrote reports whether anything of the request has gone out.
func (x *exchange) wrote() bool { return x.u.snk.sent > 0 }

// unreached is the outcome of a connection that was not had.
func (x *exchange) unreached(t *target, err error) (outcome, int) {
	switch {
	case errors.Is(err, errOverflow):
		x.why = whyOverflow
		return overflow, 503
	case (isTimeout(err) || errors.Is(err, errWaited)) && past(x.tryLimit.Load()):
		return x.tooLate()
	case errors.Is(err, errWaited):
		x.why = whyTimeout
		return broken, 504
	}
	t.failed()
	x.why = whyConnect
	status := statusOf(err)
	if errors.Is(err, os.ErrDeadlineExceeded) && x.policy == nil {
		return broken, status // ten seconds are gone: no second try
	}
	return unreached, status
}

// roundTrip writes the request and reads the response's head.
func (x *exchange) roundTrip() (outcome, int) {
	c, u := x.c, x.u
	if u.shared != nil {
		return x.request()
	}
	u.src.timeout, u.snk.timeout = c.src.timeout, c.src.timeout
	u.src.limit.Store(x.tryLimit.Load())
	u.snk.sent = 0
	if wrote, err := u.roundTrip(c.out, c.rec.sent, !x.streaming); err != nil {
		return x.lost(err, wrote)
	}
	if x.streaming {
		if status := x.startUpload(); status != 0 {
			return broken, status
		}
	}
	for {
		head, err := u.readHead()
		if err != nil {
			if u.refused(err) {
				x.why = whyConnect
				return unreached, 502
			}
			if st := x.uploadFault(err); st != 0 {
				return broken, st
			}
			return x.lost(err, true)
		}
		c.rec.first = nanos()
		if f := parseResponse(head, &c.resp, x.head); f != nil {
			x.why = whyProtocol
			return broken, 502
		}
		u.src.r += len(head)
		switch {
		case c.resp.status == 101:
			if !c.req.upgrade {
				x.why = whyProtocol
				return broken, 502
			}
			return answered, 0
		case c.resp.status >= 200:
			return answered, 0
		case c.resp.status != 100 && !x.interim():
			return broken, 460
		}
	}
}

// interim passes an interim response on (RFC 9110, 15.2), to those who know
// such; 100 was answered here. It reports whether the client is still there.
func (x *exchange) interim() bool {
	c := x.c
	if c.src.st == nil && c.req.minor == 0 {
		return true
	}
	out := appendFields(c.appendStatus(scratch(c.snk.out)), c.resp.fields)
	c.snk.begin(append(out, "\r\n"...))
	return c.snk.flush() == nil
}

// lost is the outcome of a connection that failed while the request was
// written or its answer awaited.
func (x *exchange) lost(err error, wrote bool) (outcome, int) {
	if isTimeout(err) {
		if past(x.tryLimit.Load()) {
			return x.tooLate()
		}
		x.why = whyTimeout
		return broken, 504
	}
	if !wrote && !x.wrote() {
		x.why = whyConnect
		if x.u.reused {
			return reset, 502
		}
		return unreached, 502
	}
	x.why = whyReset
	if len(x.u.src.buffered()) > 0 {
		return broken, 502
	}
	return reset, 502
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
