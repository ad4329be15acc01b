package proxy

import "bytes"

// Body lengths of a response besides a plain count of bytes.
const (
	chunked    = -1
	untilClose = -2
)

// response is a parsed response head.
type response struct {
	status int
	reason []byte
	minor  int
	fields []field
	length int64 // of the body, or chunked, or untilClose
	close  bool  // the target closes the connection after this
	whole  bool  // of a stream: it ended with its head
	// refused says that there is a RefusedField, which goes no further.
	refused bool
}

// parseResponse reads a whole response head. bodyless says that the request
// was a HEAD. Every fault is the target's: the client gets 502.
func parseResponse(b []byte, r *response, bodyless bool) *fault {
	*r = response{fields: r.fields[:0]}
	eol := bytes.IndexByte(b, '\n')
	if eol < 13 || b[eol-1] != '\r' {
		return errStatusLine
	}
	line := b[:eol-1]
	switch string(line[:9]) {
	case "HTTP/1.1 ":
		r.minor = 1
	case "HTTP/1.0 ":
		r.close = true
	default:
		return errStatusLine
	}
	for _, c := range line[9:12] {
		if !digit(c) {
			return errStatusLine
		}
		r.status = r.status*10 + int(c-'0')
	}
	if r.status < 100 {
		return errStatusLine
	}
	if len(line) > 12 {
		if line[12] != ' ' || !all(line[13:], isValue) {
			return errStatusLine
		}
		r.reason = line[13:]
	}
	var f *fault
	if r.fields, f = parseFields(b[eol+1:], r.fields); f != nil {
		return f
	}
	return r.frame(bodyless)
}

func (r *response) frame(bodyless bool) *fault {
	length, coded := int64(-1), false
	for i := range r.fields {
		f := &r.fields[i]
		switch f.kind {
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
		case fRefused:
			r.refused, f.drop = true, true
		case fConnection:
			for v := f.value; len(v) > 0; {
				var token []byte
				token, v = cutByte(v, ',')
				switch token = trim(token); {
				case equalFold(token, "close"):
					r.close = true
				case equalFold(token, "keep-alive"):
					r.close = false
				case len(token) > 0:
					nominate(r.fields, token)
				}
			}
		}
	}
	switch {
	case coded && length >= 0:
		return errBoth
	case coded && r.minor == 0:
		return errCodingOld
	case bodyless || r.status < 200 || r.status == 204 || r.status == 304:
		r.length = 0
	case coded:
		r.length = chunked
	case length >= 0:
		r.length = length
	default:
		r.length, r.close = untilClose, true
	}
	return nil
}
