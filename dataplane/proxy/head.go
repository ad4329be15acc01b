package proxy

import (
	"bytes"
)

// The limits of heads, as ALB's quotas state them: request line and single
// field 16 K, the whole head of a request 64 K, of a response 32 K.
const (
	maxLine         = 16 << 10
	maxRequestHead  = 64 << 10
	maxResponseHead = 32 << 10
	maxFields       = 1000
)

// fault is why a message is refused: the status to answer and the reason,
// which ends up in the access log's classification.
type fault struct {
	status int
	reason string
}

func (f *fault) Error() string { return f.reason }

// The faults of requests. Whatever is ambiguous is refused, so that no server
// behind can see other message borders than this one (request smuggling).
var (
	errRequestLine   = &fault{400, "malformed request line"}
	errLineTooLong   = &fault{414, "request line above 16 K"}
	errFieldTooLong  = &fault{400, "header field above 16 K"}
	errHeadTooLong   = &fault{400, "header above 64 K"}
	errTooManyFields = &fault{400, "too many header fields"}
	errVersion       = &fault{505, "HTTP version not supported"}
	errBareLF        = &fault{400, "line not ended by CR LF"}
	errFold          = &fault{400, "folded header line"}
	errName          = &fault{400, "invalid header name"}
	errValue         = &fault{400, "invalid character in header value"}
	errLength        = &fault{400, "invalid Content-Length"}
	errTwoLengths    = &fault{400, "more than one Content-Length"}
	errBoth          = &fault{400, "both Content-Length and Transfer-Encoding"}
	errCoding        = &fault{501, "unsupported Transfer-Encoding"}
	errCodingTwice   = &fault{400, "more than one Transfer-Encoding"}
	errCodingOld     = &fault{400, "Transfer-Encoding in HTTP/1.0"}
	errNoHost        = &fault{400, "no Host"}
	errHost          = &fault{400, "invalid Host"}
	errExpectation   = &fault{417, "unknown expectation"}
	errTrace         = &fault{405, "TRACE is not supported"}
	errConnect       = &fault{400, "CONNECT is not supported"}
	errChunk         = &fault{400, "malformed chunk"}
	errTrailer       = &fault{400, "malformed trailer"}
	errStatusLine    = &fault{502, "malformed status line"}
)

const (
	isToken  = 1 << iota // of a header name or method: RFC 9110 tchar
	isValue              // in a header value: VCHAR, obs-text, space, tab
	isTarget             // in a request target: visible, not ASCII control
	isHost               // in a Host: reg-name, address literals and port
	isPlain              // letter, digit or hyphen: what ALB calls a valid header name
)

var class = func() (t [256]uint8) {
	for c := range 256 {
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if alnum || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), byte(c)) >= 0 {
			t[c] |= isToken
		}
		if c == '\t' || c >= ' ' && c != 0x7f {
			t[c] |= isValue
		}
		if c > ' ' && c != 0x7f {
			t[c] |= isTarget
		}
		if alnum || bytes.IndexByte([]byte("-._~%!$&'()*+,;=:[]"), byte(c)) >= 0 {
			t[c] |= isHost
		}
		if alnum || c == '-' {
			t[c] |= isPlain
		}
	}
	return t
}()

func all(b []byte, mask uint8) bool {
	for _, c := range b {
		if class[c]&mask == 0 {
			return false
		}
	}
	return true
}

// headEnd finds the end of a head: the index behind its empty line, or -1
// when it is not there yet. from is where an earlier call gave up; the second
// result is where the next may begin. An empty line ended by a bare LF counts
// as an end, so that the parser sees the head and refuses it.
func headEnd(b []byte, from int) (end, resume int) {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return -1, len(b)
		}
		i += from
		switch {
		case i+1 >= len(b):
			return -1, i
		case b[i+1] == '\n':
			return i + 2, 0
		case b[i+1] != '\r':
			from = i + 1
		case i+2 >= len(b):
			return -1, i
		case b[i+2] == '\n':
			return i + 3, 0
		default:
			from = i + 1
		}
	}
}

// parseFields reads header lines up to the empty one, which must be the last
// thing in b. Names are checked to be tokens with no white space before the
// colon, values to have no control characters, lines to end in CR LF.
func parseFields(b []byte, fields []field) ([]field, *fault) {
	for {
		if len(b) >= 2 && b[0] == '\r' && b[1] == '\n' {
			if len(b) != 2 {
				return fields, errBareLF
			}
			return fields, nil
		}
		i := 0
		for i < len(b) && class[b[i]]&isToken != 0 {
			i++
		}
		if i == 0 || i >= len(b) || b[i] != ':' {
			if i == 0 && len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
				return fields, errFold
			}
			return fields, errName
		}
		name := b[:i]
		j := i + 1
		for j < len(b) && class[b[j]]&isValue != 0 {
			j++
		}
		if j+1 >= len(b) || b[j] != '\r' || b[j+1] != '\n' {
			if j < len(b) && (b[j] == '\n' || b[j] == '\r') {
				return fields, errBareLF
			}
			return fields, errValue
		}
		if j > maxLine {
			return fields, errFieldTooLong
		}
		if len(fields) >= maxFields {
			return fields, errTooManyFields
		}
		fields = append(fields, field{name: name, value: trim(b[i+1 : j]), kind: kindOf(name)})
		b = b[j+2:]
	}
}

// kindOf recognises the names the proxy acts on: by length first, so that
// most names cost one comparison at most.
func kindOf(n []byte) special {
	switch len(n) {
	case 2:
		return pick(n, "te", fTE)
	case 4:
		return pick(n, "host", fHost)
	case 6:
		if equalFold(n, "cookie") {
			return fCookie
		}
		return pick(n, "expect", fExpect)
	case 7:
		if equalFold(n, "upgrade") {
			return fUpgrade
		}
		return pick(n, "trailer", fTrailer)
	case 10:
		if equalFold(n, "connection") {
			return fConnection
		}
		if equalFold(n, "set-cookie") {
			return fSetCookie
		}
		return pick(n, "keep-alive", fKeepAlive)
	case 11:
		return pick(n, "traceparent", fTraceParent)
	case 14:
		if equalFold(n, "content-length") {
			return fContentLength
		}
		return pick(n, "http2-settings", fHTTP2Settings)
	case 15:
		if equalFold(n, "x-forwarded-for") {
			return fForwardedFor
		}
		return pick(n, "x-amzn-trace-id", fTraceID)
	case 16:
		if equalFold(n, "x-forwarded-port") {
			return fForwardedPort
		}
		return pick(n, "proxy-connection", fProxyConnection)
	case 17:
		if equalFold(n, "transfer-encoding") {
			return fTransferEncoding
		}
		if equalFold(n, "x-forwarded-proto") {
			return fForwardedProto
		}
		return pick(n, RefusedField, fRefused)
	case 23:
		return pick(n, "x-forwarded-client-cert", fClientCert)
	}
	return other
}

func pick(n []byte, want string, k special) special {
	if equalFold(n, want) {
		return k
	}
	return other
}

// parseLength reads a Content-Length: digits only, no sign, no list, at most
// 18 of them so that it always fits.
func parseLength(v []byte) (int64, bool) {
	if len(v) == 0 || len(v) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// nominate marks the fields that a Connection field names as hop-by-hop, but
// none that the proxy or the routing relies on: else a client could have
// X-Forwarded-For or Authorization removed behind the proxy's back.
func nominate(fields []field, token []byte) {
	for i := range fields {
		f := &fields[i]
		if f.kind == other && len(f.name) == len(token) && bytes.EqualFold(f.name, token) && !equalFold(f.name, "authorization") {
			f.drop = true
		}
	}
}
