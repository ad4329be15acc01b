package proxy

import (
	"errors"
	"net"
	"strings"
)

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
