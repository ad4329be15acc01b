package proxy

import (
	"bytes"
	"time"
)

// appendTrace writes X-Amzn-Trace-Id as ALB does: a request without one gets
// Root=1-<time>-<96 random bits>; one with a Root gets a Self before it,
// replacing an older Self; one with other fields only gets a Root before them.
//
// Source: Elastic Load Balancing, "Request tracing for your Application Load
// Balancer".
func appendTrace(out, old []byte, now time.Time, rnd *random) []byte {
	if len(old) == 0 {
		return appendTraceID(append(out, "Root="...), now, rnd)
	}
	if hasTraceField(old, "root=") {
		out = append(out, "Self="...)
	} else {
		out = append(out, "Root="...)
	}
	out = appendTraceID(out, now, rnd)
	for len(old) > 0 {
		var part []byte
		part, old = cutByte(old, ';')
		part = trim(part)
		if len(part) == 0 || len(part) >= 5 && equalFold(part[:5], "self=") {
			continue
		}
		out = append(out, ';')
		out = append(out, part...)
	}
	return out
}

func hasTraceField(v []byte, name string) bool {
	for len(v) > 0 {
		var part []byte
		part, v = cutByte(v, ';')
		part = bytes.TrimSpace(part)
		if len(part) > len(name) && equalFold(part[:len(name)], name) {
			return true
		}
	}
	return false
}

func appendTraceID(out []byte, now time.Time, rnd *random) []byte {
	out = append(out, '1', '-')
	out = appendHex32(out, uint32(now.Unix()))
	out = append(out, '-')
	for range 3 {
		out = appendHex32(out, rnd.next())
	}
	return out
}

func appendHex32(out []byte, n uint32) []byte {
	const digits = "0123456789abcdef"
	for s := 28; s >= 0; s -= 4 {
		out = append(out, digits[n>>s&15])
	}
	return out
}

// appendTraceParent writes a new traceparent of W3C Trace Context, version 00:
// a trace that begins here and is sampled.
func appendTraceParent(out []byte, rnd *random) []byte {
	out = append(out, "00-"...)
	for range 4 {
		out = appendHex32(out, rnd.next())
	}
	out = append(out, '-')
	for range 2 {
		out = appendHex32(out, rnd.next())
	}
	return append(out, "-01"...)
}
