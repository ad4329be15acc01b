package codec

import (
	"reflect"
	"time"
)

// AppendCBOR appends v, a value of the plan's type or a pointer to one.
func AppendCBOR(b []byte, p *Plan, v reflect.Value) []byte {
	v = deref(v)
	switch p.Kind {
	case Struct:
		n := 0
		for i := range p.Fields {
			if !absent(p.Fields[i].Value(v)) {
				n++
			}
		}
		b = cborHead(b, cborMap, uint64(n))
		for i := range p.Fields {
			f := &p.Fields[i]
			if fv := f.Value(v); !absent(fv) {
				b = AppendCBOR(cborString(b, f.wire[CBOR]), f.Plan, fv)
			}
		}
		return b
	case List:
		b = cborHead(b, cborArray, uint64(v.Len()))
		for i := range v.Len() {
			b = AppendCBOR(b, p.Elem, v.Index(i))
		}
		return b
	case Map:
		keys := sortedKeys(v)
		b = cborHead(b, cborMap, uint64(len(keys)))
		for _, k := range keys {
			b = AppendCBOR(cborString(b, k.String()), p.Elem, v.MapIndex(k))
		}
		return b
	case String:
		return cborString(b, v.String())
	case Int:
		if n := v.Int(); n < 0 {
			return cborHead(b, cborNegative, uint64(-1-n))
		}
		return cborHead(b, cborUint, uint64(v.Int()))
	case Float:
		return cborFloat(b, v.Float())
	case Bool:
		if v.Bool() {
			return append(b, cborSimple<<5|cborTrue)
		}
		return append(b, cborSimple<<5|cborFalse)
	case Blob:
		return append(cborHead(b, cborBytes, uint64(v.Len())), v.Bytes()...)
	case Time:
		return cborTime(b, v.Interface().(time.Time))
	}
	return append(b, cborSimple<<5|cborNull)
}

func cborString(b []byte, s string) []byte {
	return append(cborHead(b, cborText, uint64(len(s))), s...)
}

// CBORError is the body of an error in rpc-v2-cbor: the shape's absolute name
// and the message.
func CBORError(typ, message string) []byte {
	b := cborHead(nil, cborMap, 2)
	b = cborString(cborString(b, "__type"), typ)
	return cborString(cborString(b, "message"), message)
}
