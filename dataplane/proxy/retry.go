package proxy

import (
	"slices"
	"strconv"
	"time"
)

const (
	defaultBackoff = 25 * time.Millisecond
	maxBackoffs    = 10 // times the first
)

// wants reports whether an answer is one to try again after.
func (p *Retry) wants(r *response) bool {
	if slices.Contains(p.Status, r.status) || slices.Contains(p.Status, r.status/100) {
		return true
	}
	if len(p.GRPC) == 0 || !r.whole {
		return false
	}
	code, err := strconv.Atoi(string(fieldOf(r.fields, "grpc-status")))
	return err == nil && slices.Contains(p.GRPC, code)
}

func (p *Retry) covers(out outcome) bool {
	switch out {
	case unwanted:
		return true
	case unreached:
		return p.Connect || p.Reset
	case reset, late:
		return p.Reset
	case refused, declined:
		return p.Refused || p.Reset || slices.Contains(p.Status, 503) || slices.Contains(p.Status, 5)
	}
	return false
}

// again decides whether another try follows, and counts it.
func (x *exchange) again(out outcome) bool {
	m := &x.group.meter
	switch p := x.policy; {
	case p == nil:
		if !x.harmless(out) || x.tries >= attempts-1 || !x.replayable() {
			return false
		}
	case !p.covers(out) || p.Max <= 0 || !x.replayable():
		return false
	case x.tries >= p.Max:
		m.exhausted.Add(1)
		x.v.owner.meter.exhausted.Add(1)
		return false
	}
	x.tries++
	m.retries.Add(1)
	x.v.owner.meter.retries.Add(1)
	return true
}

// well counts a request that was tried again and has its answer now.
func (x *exchange) well() {
	if x.tries > 0 {
		x.group.meter.retriesOK.Add(1)
		x.v.owner.meter.retriesOK.Add(1)
	}
}

// pause waits between two tries and reports whether there is time for another.
func (x *exchange) pause() bool {
	if x.policy == nil {
		return true
	}
	base := x.policy.Backoff
	if base <= 0 {
		base = defaultBackoff
	}
	most := min(base<<min(x.tries-1, maxBackoffs), maxBackoffs*base)
	d := time.Duration(x.c.rnd.float() * float64(most))
	in := true
	if limit := x.limit.Load(); limit != 0 && time.Duration(limit-nanos()) <= d {
		d, in = time.Duration(limit-nanos()), false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return in
	case <-x.c.srv.ctx.Done():
		return false
	}
}

// clock sets the times of the exchange and of a try that begin now.
func (x *exchange) clock(now int64) {
	limit := x.limit.Load()
	if t := x.rt.rule.Action.Forward.Timeout; t > 0 && limit == 0 {
		limit = now + int64(t)
		x.limit.Store(limit)
	}
	if p := x.policy; p != nil && p.PerTry > 0 && !x.relaying.Load() {
		if end := now + int64(p.PerTry); limit == 0 || end < limit {
			limit = end
		}
	}
	x.tryLimit.Store(limit)
}

// past reports whether a time is set and over.
func past(limit int64) bool { return limit != 0 && nanos() >= limit }

// tooLate tells a try that took too long from an exchange that did.
func (x *exchange) tooLate() (outcome, int) {
	if past(x.limit.Load()) {
		return overdue, x.overdue()
	}
	x.why = whyTimeout
	x.group.meter.perTry.Add(1)
	x.v.owner.meter.perTry.Add(1)
	return late, 504
}

// overdue counts an exchange that took too long and is its status.
func (x *exchange) overdue() int {
	x.why = whyTimeout
	x.group.meter.timeouts.Add(1)
	x.v.owner.meter.timeouts.Add(1)
	return 504
}

// dropAnswer gives up a response of which only the head has been read. Its
// connection is kept when the body has come with it.
func (x *exchange) dropAnswer() {
	u, t, resp := x.u, x.u.target, &x.c.resp
	clean := u.shared == nil && !resp.close && resp.status != 101 && resp.length >= 0 && resp.length <= int64(u.src.w-u.src.r)
	if x.upload != nil {
		clean = x.endUpload() == nil && clean
	}
	if clean {
		u.src.r += int(resp.length)
		u.put(nanos())
	} else {
		u.discard()
	}
	t.release()
	x.u = nil
}
