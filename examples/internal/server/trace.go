package server

import (
	"context"
	"net/http"
	"regexp"
	"strings"
)

// Headers of the trace that a request belongs to. Source: W3C Trace Context.
const (
	traceParent = "Traceparent"
	traceState  = "Tracestate"
)

type traceKey struct{}

// trace is a request's place in a trace, as its headers say it.
type trace struct{ parent, state string }

// PassOn writes what a request is known by, its id and its trace, into the headers of a request that is made for it.
func PassOn(ctx context.Context, h http.Header) {
	h.Set(RequestIDHeader, RequestID(ctx))
	if t, ok := ctx.Value(traceKey{}).(trace); ok {
		h.Set(traceParent, t.parent)
		if t.state != "" {
			h.Set(traceState, t.state)
		}
	}
}

var plainTrace = regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$`)

// withTrace ties the trace that headers name to ctx and says its id; nothing where there is none, or one whose ids are all zeros.
func withTrace(ctx context.Context, h http.Header) (context.Context, string) {
	m := plainTrace.FindStringSubmatch(h.Get(traceParent))
	if m == nil || strings.Trim(m[1], "0") == "" || strings.Trim(m[2], "0") == "" {
		return ctx, ""
	}
	return context.WithValue(ctx, traceKey{}, trace{h.Get(traceParent), h.Get(traceState)}), m[1]
}
