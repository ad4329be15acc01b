package h2

import (
	"bytes"
	"hash/maphash"
	"strconv"
)

// encoder writes HPACK header blocks, without Huffman's code: what it saves
// in bytes costs more in time where the peer is near.
type encoder struct {
	table   table
	slots   [256]uint32 // by hash, the number of the entry last added with it, plus one
	names   [64]uint32  // the same by name alone
	seen    [256]uint32 // by hash, more of the hash of the field last written as it is
	pending bool        // the table's size is to be told
	lowered []byte
}

var seed = maphash.MakeSeed()

// How a field that is not in the table is written (RFC 7541, 6.2).
const (
	literal = 0
	secret  = 0x10 // never to be added, as it could be guessed byte by byte (7.1)
	added   = 0x40
)

// field writes one field. It is added to the table when it comes for the
// second time: what differs each time must not push out what does not.
func (e *encoder) field(out, name, value []byte) []byte {
	h := maphash.Bytes(seed, value)
	hn := maphash.Bytes(seed, name)
	at := uint8(h ^ hn)
	slot := &e.slots[at]
	if known := e.table.at(*slot - 1); known != nil && bytes.Equal(known.value, value) && bytes.Equal(known.name, name) {
		return appendInteger(out, 0x80, 7, e.indexOf(*slot-1))
	}
	nameSlot := &e.names[hn%uint64(len(e.names))]
	index := uint64(staticNames[string(name)])
	if index == 0 {
		if known := e.table.at(*nameSlot - 1); known != nil && bytes.Equal(known.name, name) {
			index = e.indexOf(*nameSlot - 1)
		}
	}
	how := byte(literal)
	switch mark := uint32((h ^ hn) >> 8); {
	case guessable(name):
		how = secret
	case len(name)+len(value) > tableSize/8:
	case e.seen[at] != mark:
		e.seen[at] = mark
	default:
		how = added
	}
	if how == added {
		out = appendInteger(out, added, 6, index)
	} else {
		out = appendInteger(out, how, 4, index)
	}
	if index == 0 {
		out = appendText(out, name)
	}
	out = appendText(out, value)
	if how == added && e.table.add(entry{name: bytes.Clone(name), value: bytes.Clone(value)}) {
		*slot, *nameSlot = e.table.added, e.table.added
	}
	return out
}

func guessable(name []byte) bool {
	switch string(name) {
	case "authorization", "cookie", "set-cookie":
		return true
	}
	return false
}

func (e *encoder) indexOf(seq uint32) uint64 {
	return uint64(len(static)) + uint64(e.table.added-seq)
}

// begin tells of a new size of the table, at the beginning of a block.
func (e *encoder) begin(out []byte) []byte {
	if e.pending {
		e.pending = false
		out = appendInteger(out, 0x20, 5, uint64(e.table.limit))
	}
	return out
}

// resize is the peer's wish for a smaller table; more than tableSize is not
// used.
func (e *encoder) resize(limit uint32) {
	if n := int(min(limit, tableSize)); n != e.table.limit {
		e.table.resize(n)
		e.pending = true
	}
}

func appendInteger(out []byte, first byte, prefix uint8, n uint64) []byte {
	most := uint64(1)<<prefix - 1
	if n < most {
		return append(out, first|byte(n))
	}
	out = append(out, first|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}

func appendText(out, s []byte) []byte {
	return append(appendInteger(out, 0, 7, uint64(len(s))), s...)
}

// request writes the block of a request.
func (e *encoder) request(out []byte, r *Request) []byte {
	out = e.begin(out)
	switch string(r.Method) {
	case "GET":
		out = append(out, 0x80|2)
	case "POST":
		out = append(out, 0x80|3)
	default:
		out = e.field(out, []byte(":method"), r.Method)
	}
	if r.Scheme == "https" {
		out = append(out, 0x80|7)
	} else {
		out = append(out, 0x80|6)
	}
	out = e.field(out, []byte(":authority"), r.Authority)
	if string(r.Path) == "/" {
		out = append(out, 0x80|4)
	} else {
		out = e.field(out, []byte(":path"), r.Path)
	}
	return e.lines(out, r.Fields)
}

// response writes the block of a response.
func (e *encoder) response(out []byte, status int, lines []byte) []byte {
	out = e.begin(out)
	switch status {
	case 200:
		out = append(out, 0x80|8)
	case 204:
		out = append(out, 0x80|9)
	case 304:
		out = append(out, 0x80|11)
	case 404:
		out = append(out, 0x80|13)
	default:
		var text [3]byte
		out = e.field(out, []byte(":status"), strconv.AppendInt(text[:0], int64(status), 10))
	}
	return e.lines(out, lines)
}

// lines writes fields that are given as lines of HTTP/1.1, without those of
// the connection.
func (e *encoder) lines(out, lines []byte) []byte {
	for len(lines) > 0 {
		end := bytes.IndexByte(lines, '\n')
		colon := bytes.IndexByte(lines, ':')
		if end < 0 || colon <= 0 || colon > end {
			return out // the empty line
		}
		name, value := lines[:colon], trim(lines[colon+1:end])
		lines = lines[end+1:]
		e.lowered = lower(e.lowered[:0], name)
		if name = e.lowered; ofConnection(name, value) {
			continue
		}
		out = e.field(out, name, value)
	}
	return out
}

// ofConnection reports whether a field is of HTTP/1.1's connection, or the
// Host, which has gone before.
func ofConnection(name, value []byte) bool {
	switch string(name) {
	case "connection", "transfer-encoding", "keep-alive", "upgrade", "proxy-connection", "host", "http2-settings":
		return true
	case "te":
		return string(value) != "trailers"
	}
	return false
}

func lower(out, s []byte) []byte {
	for _, c := range s {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		out = append(out, c)
	}
	return out
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}
