package codec

import (
	"encoding/binary"
	"math"
	"time"
)

// ParseCBOR makes a tree of a CBOR body (RFC 8949, as far as Smithy's
// rpc-v2-cbor uses it): map[string]any, []any, string, []byte, int64, float64,
// bool, time.Time (tag 1) and nil. An empty body is an empty map.
func ParseCBOR(body []byte) (any, error) {
	if len(body) == 0 {
		return map[string]any{}, nil
	}
	r := cborReader{rest: body}
	tree, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if len(r.rest) > 0 {
		return nil, cborError("data follows the value")
	}
	return tree, nil
}

func cborError(what string) error {
	return &DecodeError{Message: "could not parse CBOR: " + what}
}

// Major types and the values of the additional information that matter.
const (
	cborUint, cborNegative, cborBytes, cborText         = 0, 1, 2, 3
	cborArray, cborMap, cborTag, cborSimple             = 4, 5, 6, 7
	cborIndefinite                                      = 31
	cborFalse, cborTrue, cborNull, cborUndefined        = 20, 21, 22, 23
	cborHalf, cborSingle, cborDouble, cborBreak         = 25, 26, 27, 31
	indefinite                                   uint64 = math.MaxUint64
)

type cborReader struct{ rest []byte }

// head reads the first bytes of an item. For floats arg holds the bits.
func (r *cborReader) head() (major, info byte, arg uint64, err error) {
	if len(r.rest) == 0 {
		return 0, 0, 0, cborError("it ends too early")
	}
	major, info = r.rest[0]>>5, r.rest[0]&31
	r.rest = r.rest[1:]
	switch {
	case info < 24:
		return major, info, uint64(info), nil
	case info <= 27:
		n := 1 << (info - 24)
		if len(r.rest) < n {
			return 0, 0, 0, cborError("it ends too early")
		}
		var b [8]byte
		copy(b[8-n:], r.rest[:n])
		r.rest = r.rest[n:]
		return major, info, binary.BigEndian.Uint64(b[:]), nil
	case info == cborIndefinite:
		return major, info, indefinite, nil
	}
	return 0, 0, 0, cborError("reserved additional information")
}

func (r *cborReader) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, cborError("it is nested too deeply")
	}
	major, info, arg, err := r.head()
	if err != nil {
		return nil, err
	}
	switch major {
	case cborUint:
		if arg > math.MaxInt64 {
			return float64(arg), nil
		}
		return int64(arg), nil
	case cborNegative:
		if arg > math.MaxInt64 {
			return -1 - float64(arg), nil
		}
		return -1 - int64(arg), nil
	case cborBytes:
		return r.bytes(major, info, arg)
	case cborText:
		b, err := r.bytes(major, info, arg)
		return string(b), err
	case cborArray:
		return r.array(info, arg, depth)
	case cborMap:
		return r.dict(info, arg, depth)
	case cborTag:
		return r.tagged(arg, depth)
	}
	return simple(info, arg)
}

// bytes reads a byte or text string, also one that comes in chunks.
func (r *cborReader) bytes(major, info byte, n uint64) ([]byte, error) {
	if info != cborIndefinite {
		if n > uint64(len(r.rest)) {
			return nil, cborError("a string is longer than the message")
		}
		b := r.rest[:n:n]
		r.rest = r.rest[n:]
		return b, nil
	}
	var all []byte
	for !r.endOfIndefinite() {
		m, i, n, err := r.head()
		if err != nil {
			return nil, err
		}
		if m != major || i == cborIndefinite {
			return nil, cborError("a string has a chunk of another type")
		}
		b, err := r.bytes(m, i, n)
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
	return all, nil
}

// endOfIndefinite consumes the break that ends an item of unknown length.
func (r *cborReader) endOfIndefinite() bool {
	if len(r.rest) > 0 && r.rest[0] == cborSimple<<5|cborBreak {
		r.rest = r.rest[1:]
		return true
	}
	return false
}

// more reports whether the i-th item of an array or map follows.
func (r *cborReader) more(i uint64, info byte, n uint64) bool {
	if info == cborIndefinite {
		return !r.endOfIndefinite()
	}
	return i < n
}

func (r *cborReader) array(info byte, n uint64, depth int) (any, error) {
	if info != cborIndefinite && n > uint64(len(r.rest)) {
		return nil, cborError("an array is longer than the message")
	}
	list := []any{}
	for i := uint64(0); r.more(i, info, n); i++ {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func (r *cborReader) dict(info byte, n uint64, depth int) (any, error) {
	if info != cborIndefinite && n > uint64(len(r.rest)) {
		return nil, cborError("a map is longer than the message")
	}
	m := map[string]any{}
	for i := uint64(0); r.more(i, info, n); i++ {
		k, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		key, ok := k.(string)
		if !ok {
			return nil, cborError("a map key is not text")
		}
		if m[key], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// tagged reads what follows a tag. Tag 1 is a time in seconds; other tags say
// nothing that a model could use.
func (r *cborReader) tagged(tag uint64, depth int) (any, error) {
	v, err := r.value(depth + 1)
	if err != nil || tag != 1 {
		return v, err
	}
	if t, ok := moment(v); ok {
		return t, nil
	}
	return nil, cborError("tag 1 without a time")
}

func simple(info byte, arg uint64) (any, error) {
	switch info {
	case cborFalse, cborTrue:
		return info == cborTrue, nil
	case cborNull, cborUndefined:
		return nil, nil
	case cborHalf:
		return halfFloat(uint16(arg)), nil
	case cborSingle:
		return float64(math.Float32frombits(uint32(arg))), nil
	case cborDouble:
		return math.Float64frombits(arg), nil
	}
	return nil, cborError("unknown simple value")
}

// halfFloat expands IEEE 754 binary16 (RFC 8949, appendix D).
func halfFloat(h uint16) float64 {
	exp, mant := int(h>>10&31), float64(h&1023)
	var f float64
	switch exp {
	case 0:
		f = math.Ldexp(mant, -24)
	case 31:
		if f = math.Inf(1); mant != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(mant+1024, exp-25)
	}
	if h&0x8000 != 0 {
		return -f
	}
	return f
}

// cborTime is a time as tag 1 with a double, the form Smithy prescribes.
func cborTime(b []byte, t time.Time) []byte {
	return cborFloat(append(b, cborTag<<5|1), float64(t.UnixMilli())/1000)
}

func cborFloat(b []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, cborSimple<<5|cborDouble), math.Float64bits(f))
}

// cborHead appends the head of an item in its shortest form.
func cborHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major<<5|byte(n))
	case n <= math.MaxUint8:
		return append(b, major<<5|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major<<5|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major<<5|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major<<5|27), n)
}
