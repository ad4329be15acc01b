package proxy

import (
	"errors"
	"net"
	"strings"
)

// refused reports whether the target has refused the identity shown to it,
// and counts that as a connection that failed. In TLS 1.3 a
// client learns of it by its first read only; what it has sent by then was
// not looked at.
func (u *upstream) refused(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" || u.reused || u.answered {
		return false
	}
	// crypto/tls does not tell alerts apart but by their text.
	if why := op.Err.Error(); !strings.Contains(why, "certificate") && !strings.Contains(why, "access denied") {
		return false
	}
	g := u.target.group
	g.meter.tls.other.Add(1)
	g.meter.connErrs.Add(1)
	u.target.refusal.Add(1)
	return true
}
