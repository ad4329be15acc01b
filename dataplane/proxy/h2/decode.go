package h2

import "bytes"

// decoder reads HPACK header blocks.
type decoder struct {
	table table
}

var errHPACK = fatal(CompressionError, "malformed header block")

// block decodes a whole block into h. A block that makes the head too long is
// decoded to its end, as the table must stay in step; the head is then bad.
// Errors end the connection.
func (d *decoder) block(b []byte, h *Head) error {
	begun := false // a field has come
	for len(b) > 0 {
		var err error
		c := b[0]
		switch {
		case c&0x80 != 0: // indexed
			var i uint64
			if i, b, err = integer(b, 7); err != nil {
				return err
			}
			err = d.indexed(i, h)
		case c&0xc0 == 0x40: // literal, to be added
			b, err = d.literal(b, 6, h, true)
		case c&0xe0 == 0x20: // new size of the table, at the beginning only
			var n uint64
			if n, b, err = integer(b, 5); err != nil {
				return err
			}
			if begun || n > tableSize {
				return errHPACK
			}
			d.table.resize(int(n))
		default: // literal, not to be added; 0x10: never
			b, err = d.literal(b, 4, h, false)
		}
		if err != nil {
			return err
		}
		begun = begun || c&0xe0 != 0x20
		if h.size > maxHead {
			h.bad = true
		}
	}
	return nil
}

func (d *decoder) indexed(i uint64, h *Head) error {
	if i == 0 {
		return errHPACK
	}
	if i <= uint64(len(static)) {
		e := &staticEntries[i-1]
		h.add(e.name, e.value, e.valid)
		return nil
	}
	e := d.table.index(i - 1 - uint64(len(static)))
	if e == nil {
		return errHPACK
	}
	h.add(e.name, e.value, e.valid)
	return nil
}

// staticEntries is the static table in the form of the dynamic one.
var staticEntries = func() (t [61]entry) {
	for i, e := range static {
		t[i] = entry{name: []byte(e.name), value: []byte(e.value)}
		t[i].valid = checkField(t[i].name, t[i].value)
	}
	return t
}()

func (d *decoder) literal(b []byte, prefix uint8, h *Head, keep bool) ([]byte, error) {
	i, b, err := integer(b, prefix)
	if err != nil {
		return nil, err
	}
	var name []byte
	known := i > 0
	switch {
	case !known:
		if name, b, err = d.text(b, h); err != nil {
			return nil, err
		}
	case i <= uint64(len(static)):
		name = staticEntries[i-1].name
	default:
		e := d.table.index(i - 1 - uint64(len(static)))
		if e == nil {
			return nil, errHPACK
		}
		name = e.name
	}
	value, b, err := d.text(b, h)
	if err != nil {
		return nil, err
	}
	what := checkField(name, value)
	if keep {
		e := entry{bytes.Clone(name), bytes.Clone(value), what}
		if known {
			e.name = name // never changed either
		}
		d.table.add(e)
		name, value = e.name, e.value
	}
	h.add(name, value, what)
	return b, nil
}

// text reads a string literal into the head's buffer.
func (d *decoder) text(b []byte, h *Head) (s, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, errHPACK
	}
	coded := b[0]&0x80 != 0
	n, b, err := integer(b, 7)
	if err != nil || n > uint64(len(b)) {
		return nil, nil, errHPACK
	}
	if h.size > maxHead { // it is only read for the table's sake
		h.buf = nil
	}
	from := len(h.buf)
	if coded {
		if h.buf, err = appendHuffman(h.buf, b[:n]); err != nil {
			return nil, nil, errHPACK
		}
	} else {
		h.buf = append(h.buf, b[:n]...)
	}
	// Should the buffer move, earlier strings stay in its former place.
	return h.buf[from:len(h.buf):len(h.buf)], b[n:], nil
}

// integer reads an integer with a prefix of some bits (RFC 7541, 5.1), of up
// to 28 bits more.
func integer(b []byte, prefix uint8) (uint64, []byte, error) {
	if len(b) == 0 {
		return 0, nil, errHPACK
	}
	most := uint64(1)<<prefix - 1
	n := uint64(b[0]) & most
	b = b[1:]
	if n < most {
		return n, b, nil
	}
	for shift := 0; shift < 28; shift += 7 {
		if len(b) == 0 {
			return 0, nil, errHPACK
		}
		c := b[0]
		b = b[1:]
		n += uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			return n, b, nil
		}
	}
	return 0, nil, errHPACK
}
