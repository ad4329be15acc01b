package proxy

// Why a request has no answer of a target, in Envoy's words, which are what
// clients of a mesh are told (Envoy, "Response code details").
const (
	whyNoTarget = "no healthy upstream"
	whyTimeout  = "upstream request timeout"
	whyOverflow = "overflow"
	whyConnect  = "connection failure"
	whyReset    = "connection termination"
	whyProtocol = "protocol error"
	whyRefused  = "remote refused stream reset"
)

// answer is what the client gets instead of a target's response. A load
// balancer's clients get its page, those of a Plain listener what Envoy says:
// 503 for a target that failed, so that a retry policy of theirs sees it.
func (x *exchange) answer(status int) answer {
	if !x.v.cfg.Settings.Plain {
		a := errorAnswer(status)
		a.overloaded = x.why == whyOverflow
		return a
	}
	a := answer{status: status, kind: "text/plain", body: x.why}
	switch x.why {
	case whyConnect, whyReset, whyOverflow, whyRefused:
		a.status = 503
		fallthrough
	case whyProtocol:
		a.body = "upstream connect error or disconnect/reset before headers. reset reason: " + x.why
	}
	a.overloaded = x.why == whyOverflow
	a.refused = x.v.cfg.Settings.Refused && x.untouched()
	return x.c.called(a)
}

// error is an answer to a request that is not forwarded.
func (c *conn) error(status int) answer {
	v := c.rec.virtual
	if v == nil {
		v = c.chain.all[0]
	}
	if v.cfg.Settings.Plain {
		return c.called(answer{status: status, kind: "text/plain"})
	}
	return errorAnswer(status)
}

// called turns an answer to a call of gRPC into what its clients understand
// (gRPC over HTTP2, "HTTP to gRPC Status Code Mapping").
func (c *conn) called(a answer) answer {
	if c.src.st == nil || !c.req.grpc() {
		return a
	}
	code := 2 // UNKNOWN
	switch a.status {
	case 400:
		code = 13 // INTERNAL
	case 401:
		code = 16
	case 403:
		code = 7
	case 404:
		code = 12 // UNIMPLEMENTED
	case 429, 502, 503, 504:
		code = 14 // UNAVAILABLE
	}
	why := a.body
	if why == "" {
		why = reason(a.status)
	}
	return answer{status: 200, kind: "application/grpc", overloaded: a.overloaded, refused: a.refused, grpc: code, body: why}
}
