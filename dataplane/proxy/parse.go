package proxy

import "bytes"

// parseRequest reads a whole request head (RFC 9112), empty line included.
// r must have been reset. After an error r holds as much as could be read,
// for the access log.
func parseRequest(b []byte, r *request) *fault {
	eol := bytes.IndexByte(b, '\n')
	if eol < 1 || b[eol-1] != '\r' {
		return errBareLF
	}
	line := b[:eol-1]
	if len(line) > maxLine {
		return errLineTooLong
	}
	if f := parseRequestLine(line, r); f != nil {
		return f
	}
	var f *fault
	if r.fields, f = parseFields(b[eol+1:], r.fields); f != nil {
		return f
	}
	if f := r.frame(); f != nil {
		return f
	}
	switch string(r.method) {
	case "TRACE":
		return errTrace
	case "CONNECT":
		return errConnect
	}
	return nil
}

func parseRequestLine(line []byte, r *request) *fault {
	i := 0
	for i < len(line) && class[line[i]]&isToken != 0 {
		i++
	}
	if i == 0 || i >= len(line) || line[i] != ' ' {
		return errRequestLine
	}
	r.method = line[:i]
	rest := line[i+1:]
	j := 0
	for j < len(rest) && class[rest[j]]&isTarget != 0 {
		j++
	}
	if j == 0 || j+1 > len(rest) || j < len(rest) && rest[j] != ' ' {
		return errRequestLine
	}
	r.target = rest[:j]
	if j == len(rest) {
		return errRequestLine
	}
	switch v := rest[j+1:]; string(v) {
	case "HTTP/1.1":
		r.minor, r.version = 1, "HTTP/1.1"
	case "HTTP/1.0":
		r.minor, r.version = 0, "HTTP/1.0"
	default:
		if len(v) == 8 && bytes.HasPrefix(v, []byte("HTTP/")) && v[6] == '.' && digit(v[5]) && digit(v[7]) {
			return errVersion
		}
		return errRequestLine
	}
	r.major = 1
	return r.splitTarget()
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// splitTarget cuts the target into path and query. The absolute form
// (http://host/path) is accepted, and its host then counts instead of Host
// (RFC 9112, 3.2.2); the authority form is CONNECT's alone.
func (r *request) splitTarget() *fault {
	t := r.target
	if t[0] != '/' {
		switch {
		case len(t) == 1 && t[0] == '*':
			if string(r.method) != "OPTIONS" {
				return errRequestLine
			}
		case string(r.method) == "CONNECT":
			return errConnect
		default:
			scheme, after, ok := bytes.Cut(t, []byte("://"))
			if !ok || !equalFold(scheme, "http") && !equalFold(scheme, "https") {
				return errRequestLine
			}
			i := bytes.IndexAny(after, "/?")
			if i < 0 {
				i = len(after)
			}
			if r.host = after[:i]; i == 0 || !validHost(r.host) {
				return errHost
			}
			t = after[i:]
			if len(t) == 0 || t[0] == '?' {
				// The origin form of an empty path is "/".
				t = append([]byte("/"), t...)
			}
			r.target = t
		}
	}
	if i := bytes.IndexByte(t, '?'); i >= 0 {
		r.path, r.query = t[:i], t[i+1:]
	} else {
		r.path = t
	}
	return nil
}

func validHost(h []byte) bool { return all(h, isHost) && len(h) <= 255+6 }

// frame decides where the body ends and what the connection headers mean,
// and refuses every message for which two readers could differ.
func (r *request) frame() *fault {
	hosts, length, coded, upgrade := 0, int64(-1), false, false
	for i := range r.fields {
		f := &r.fields[i]
		switch f.kind {
		case fHost:
			if hosts++; hosts > 1 || !validHost(f.value) {
				return errHost
			}
			if r.host == nil { // the absolute form goes first
				r.host = f.value
			}
		case fContentLength:
			if length >= 0 {
				return errTwoLengths
			}
			n, ok := parseLength(f.value)
			if !ok {
				return errLength
			}
			length = n
		case fTransferEncoding:
			if coded {
				return errCodingTwice
			}
			if !equalFold(f.value, "chunked") {
				return errCoding
			}
			coded = true
		case fConnection:
			if r.connection(f.value) {
				upgrade = true
			}
		case fExpect:
			if !equalFold(f.value, "100-continue") {
				return errExpectation
			}
			r.expect = r.minor == 1
		case fForwardedFor:
			if r.forwarded < 0 {
				r.forwarded = i
			}
		case fTraceID:
			if r.trace < 0 {
				r.trace = i
			}
		case fCookie:
			r.cookies = true
		case fUpgrade:
			r.upgrade = true
		}
	}
	r.upgrade = r.upgrade && upgrade && r.minor == 1
	if hosts == 0 && r.minor == 1 {
		return errNoHost
	}
	switch {
	case coded && length >= 0:
		return errBoth
	case coded && r.minor == 0:
		return errCodingOld
	case coded:
		r.length = -1
	case length > 0:
		r.length = length
	}
	return nil
}

// connection reads one Connection field and reports whether it asks for an
// upgrade.
func (r *request) connection(v []byte) (upgrade bool) {
	for len(v) > 0 {
		var token []byte
		token, v = cutByte(v, ',')
		switch token = trim(token); {
		case len(token) == 0:
		case equalFold(token, "close"):
			r.close = true
		case equalFold(token, "keep-alive"):
			r.keepAlive = true
		case equalFold(token, "upgrade"):
			upgrade = true
		default:
			nominate(r.fields, token)
		}
	}
	return upgrade
}
