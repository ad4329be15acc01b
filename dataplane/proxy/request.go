package proxy

import "net/netip"

// special tells apart the header fields the proxy looks at.
type special uint8

const (
	other special = iota
	fConnection
	fKeepAlive
	fProxyConnection
	fTE
	fTrailer
	fTransferEncoding
	fUpgrade
	fContentLength
	fHost
	fExpect
	fForwardedFor
	fForwardedProto
	fForwardedPort
	fTraceID
	fTraceParent
	fClientCert
	fCookie
	fSetCookie
	fHTTP2Settings
	fRefused
)

// field is one header field; both slices lie in the buffer of the head.
type field struct {
	name, value []byte
	kind        special
	drop        bool // nominated by Connection: not to be forwarded
}

// request is a parsed request head, of whatever protocol version. Its slices
// lie in the head's buffer and hold until the next head is read.
type request struct {
	method  []byte
	target  []byte // as it came
	path    []byte // before the question mark
	query   []byte // after it
	host    []byte // Host, with port, or :authority
	scheme  string // http, https, ws, wss
	version string // for the log: HTTP/1.1
	minor   int    // of HTTP/1
	major   int
	fields  []field

	length    int64 // of the body; 0 = none, -1 = chunked
	close     bool  // the client wants the connection closed after this
	keepAlive bool  // Connection: keep-alive, for HTTP/1.0
	upgrade   bool  // Connection: upgrade together with Upgrade
	expect    bool  // Expect: 100-continue
	forwarded int   // index of X-Forwarded-For, or -1
	trace     int   // index of X-Amzn-Trace-Id, or -1
	cookies   bool  // there is a Cookie field

	client netip.AddrPort
	port   uint16 // that the connection was going to
}

func (r *request) reset() {
	*r = request{fields: r.fields[:0], client: r.client, port: r.port, scheme: r.scheme, forwarded: -1, trace: -1}
}

// hostname is the host without its port, in the case it came.
func (r *request) hostname() []byte { return stripPort(r.host) }

func stripPort(h []byte) []byte {
	for i := len(h) - 1; i >= 0; i-- {
		switch c := h[i]; {
		case c == ':':
			return h[:i]
		case c < '0' || c > '9': // also the ']' of an address without port
			return h
		}
	}
	return h
}

func (r *request) idempotent() bool {
	switch string(r.method) {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE":
		return true
	}
	return false
}

// grpc reports whether the request is a call of gRPC.
func (r *request) grpc() bool {
	const t = "application/grpc"
	kind := fieldOf(r.fields, "content-type")
	return len(kind) >= len(t) && string(kind[:len(t)]) == t && (len(kind) == len(t) || kind[len(t)] == '+' || kind[len(t)] == ';')
}

// cookie finds the value of a cookie by its name, nil when absent.
func (r *request) cookie(name string) []byte {
	if !r.cookies {
		return nil
	}
	for i := range r.fields {
		if r.fields[i].kind != fCookie {
			continue
		}
		rest := r.fields[i].value
		for len(rest) > 0 {
			var pair []byte
			pair, rest = cutByte(rest, ';')
			pair = trim(pair)
			if len(pair) > len(name) && pair[len(name)] == '=' && string(pair[:len(name)]) == name {
				return pair[len(name)+1:]
			}
		}
	}
	return nil
}

// cutByte splits b at the first sep; rest is nil when there is none.
func cutByte(b []byte, sep byte) (first, rest []byte) {
	for i, c := range b {
		if c == sep {
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// trim removes optional white space (RFC 9110: spaces and tabs) at both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
