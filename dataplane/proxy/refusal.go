package proxy

import (
	"errors"
	"net"
	"strings"

	"github.com/slipway-dev/slipway/dataplane/proxy/h2"
)

// RefusedField is the field of responses by which a proxy tells a load
// balancer that the request got no further than to itself: nobody has acted
// on it, so that it may be sent to another target, whatever its method. No
// proxy passes it on, neither from an application nor to a client, and it is
// believed of vouched targets alone (Options.Vouch). Proxies of a mesh refuse
// each other's streams instead (RFC 9113, 8.7), which says the same.
const RefusedField = "x-slipway-refused"

// harmless reports whether a request may be sent to another target after a try
// that ended so.
func (x *exchange) harmless(out outcome) bool {
	switch out {
	case unreached, refused, declined:
		return true
	case reset:
		return x.safe && !x.streaming
	}
	return false
}

// untouched reports whether a request that failed reached no target: no
// connection was had, now and with every try before, or such as are free to be
// repeated had ended.
func (x *exchange) untouched() bool { return x.why == whyConnect && x.spared && !x.acted }

// vouched reports whether a target's word is taken for that it has refused a
// request.
func (x *exchange) vouched(t *target) bool {
	vouch := x.c.srv.opts.Vouch
	return vouch != nil && vouch(t.group.roster.Load().cfg.Network, t.addr)
}

// elsewhere reports whether there is a target for one more try after t. If
// not, its answer is passed on.
func (x *exchange) elsewhere(t *target) bool {
	c := x.c
	x.tried.add(t)
	return x.policy != nil || x.group.pick(x.group.roster.Load(), c.dst, &c.rnd, c.rec.start, &x.tried) != nil
}

// refuseStream refuses the stream of a peer in the mesh whose request reached
// no target, and reports whether it did: other clients are answered. Peers
// are those that have proved who they are.
func (x *exchange) refuseStream() bool {
	c := x.c
	if c.src.st == nil || !x.v.cfg.Settings.Plain || c.tls == nil || len(c.tls.PeerCertificates) == 0 || !x.untouched() {
		return false
	}
	c.src.st.Reset(h2.RefusedStream)
	c.snk.ended = true
	c.rec.own, c.rec.status, c.rec.first, c.rec.flags = true, 503, 0, flags[x.why]
	c.logHead(nil)
	c.srv.finish(&c.rec)
	return true
}

// refused reports whether the target has refused the identity shown to it,
// and counts that as a connection that failed. In TLS 1.3 a client learns of
// it by its first read only; what it has sent by then was not looked at.
func (u *upstream) refused(err error) bool {
	if u.reused || u.answered || !refusal(err) {
		return false
	}
	if u.shared == nil { // else whoever reads the connection counts it
		u.target.refusedUs()
	}
	return true
}

// refusal reports whether an error is the alert of a peer that does not accept
// our certificate.
func refusal(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" {
		return false
	}
	// crypto/tls does not tell alerts apart but by their text.
	why := op.Err.Error()
	return strings.Contains(why, "certificate") || strings.Contains(why, "access denied")
}

// refusedUs counts a refusal.
func (t *target) refusedUs() {
	t.group.meter.tls.other.Add(1)
	t.group.meter.connErrs.Add(1)
	t.refusal.Add(1)
}
