package h2

import "strings"

// Field is a header field; the name is lower case.
type Field struct{ Name, Value []byte }

// Head is the head of a message, or its trailers. Its bytes hold until the
// stream is released.
type Head struct {
	Method, Scheme, Authority, Path []byte // of a request
	Status                          int    // of a response
	Fields                          []Field
	End                             bool // nothing follows

	length int64 // Content-Length, -1 when there is none
	buf    []byte
	pseudo uint8 // which pseudo-fields there are
	size   int
	bad    bool // malformed: RFC 9113, 8.1.1
}

const (
	pMethod = 1 << iota
	pScheme
	pAuthority
	pPath
	pStatus
)

func (h *Head) reset() {
	if cap(h.buf) > 16<<10 {
		h.buf = nil
	}
	*h = Head{Fields: h.Fields[:0], buf: h.buf[:0], length: -1}
}

// What checkField says of a field.
const (
	fieldOK uint8 = iota
	fieldPseudo
	fieldLength
	fieldTE
	fieldBad
)

var class = func() (t [256]uint8) {
	for c := range 256 {
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z'
		if alnum || strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0 {
			t[c] |= isName
		}
		if c == '\t' || c >= ' ' && c != 0x7f {
			t[c] |= isValue
		}
	}
	return t
}()

const (
	isName  = 1 << iota // in a name: a token without capitals
	isValue             // in a value, as of HTTP/1.1
)

// checkField tells what a field is. Bad is what HTTP/2 does not allow: capital
// letters, control characters, fields of the connection (RFC 9113, 8.2).
func checkField(name, value []byte) uint8 {
	for _, c := range value {
		if class[c]&isValue == 0 {
			return fieldBad
		}
	}
	if len(name) == 0 {
		return fieldBad
	}
	if name[0] == ':' {
		return fieldPseudo
	}
	for _, c := range name {
		if class[c]&isName == 0 {
			return fieldBad
		}
	}
	switch string(name) {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return fieldBad
	case "te":
		return fieldTE
	case "content-length":
		return fieldLength
	}
	return fieldOK
}

// add takes a decoded field in. What makes the message malformed is noted, as
// the rest of the block is to be decoded all the same.
func (h *Head) add(name, value []byte, what uint8) {
	h.size += len(name) + len(value) + 32
	switch what {
	case fieldPseudo:
		h.addPseudo(name, value)
		return
	case fieldBad:
		h.bad = true
		return
	case fieldTE:
		if string(value) != "trailers" {
			h.bad = true
		}
	case fieldLength:
		n, ok := parseLength(value)
		if !ok || h.length >= 0 {
			h.bad = true
		}
		h.length = n
	}
	if len(h.Fields) >= maxFields {
		h.bad = true
		return
	}
	h.Fields = append(h.Fields, Field{name, value})
}

func (h *Head) addPseudo(name, value []byte) {
	bit := uint8(0)
	switch string(name) {
	case ":method":
		bit, h.Method = pMethod, value
	case ":scheme":
		bit, h.Scheme = pScheme, value
	case ":authority":
		bit, h.Authority = pAuthority, value
	case ":path":
		bit, h.Path = pPath, value
	case ":status":
		bit = pStatus
		for _, c := range value {
			h.Status = h.Status*10 + int(c-'0')
			if c < '0' || c > '9' || len(value) != 3 {
				h.bad = true
				return
			}
		}
	}
	if bit == 0 || h.pseudo&bit != 0 || len(h.Fields) > 0 {
		h.bad = true
	}
	h.pseudo |= bit
}

// request checks what a request must have (RFC 9113, 8.3.1). CONNECT has no
// path; it is not for a proxy of this kind.
func (h *Head) request() bool {
	const must = pMethod | pScheme | pPath
	return !h.bad && h.pseudo&must == must && h.pseudo&pStatus == 0 && len(h.Path) > 0 && len(h.Method) > 0 && (h.length <= 0 || !h.End)
}

func (h *Head) response() bool { return !h.bad && h.pseudo == pStatus && h.Status >= 100 }

func (h *Head) trailers() bool { return !h.bad && h.pseudo == 0 }

func parseLength(v []byte) (n int64, ok bool) {
	if len(v) == 0 || len(v) > 18 {
		return 0, false
	}
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
