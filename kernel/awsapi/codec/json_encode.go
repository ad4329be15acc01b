package codec

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// absent reports whether a field is left out of a message: nil pointers,
// slices and maps, and empty enumerations. Scalars behind pointers and empty
// but made lists are sent.
func absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface, reflect.Func:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0
	}
	return false
}

func deref(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return v
}

func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

// AppendJSON appends v, a value of the plan's type or a pointer to one. Of a
// structure only the members of the body are written.
func AppendJSON(b []byte, p *Plan, v reflect.Value) []byte {
	return appendJSON(b, p, v, "")
}

func appendJSON(b []byte, p *Plan, v reflect.Value, timeFormat string) []byte {
	v = deref(v)
	switch p.Kind {
	case Struct:
		return appendObject(b, p, v)
	case List:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, p.Elem, v.Index(i), p.elem.TimestampFormat)
		}
		return append(b, ']')
	case Map:
		b = append(b, '{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(AppendJSONString(b, k.String()), ':')
			b = appendJSON(b, p.Elem, v.MapIndex(k), p.elem.TimestampFormat)
		}
		return append(b, '}')
	case String:
		return AppendJSONString(b, v.String())
	case Int:
		return strconv.AppendInt(b, v.Int(), 10)
	case Float:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return AppendJSONString(b, floatText(f, 64))
		}
		return strconv.AppendFloat(b, v.Float(), 'g', -1, v.Type().Bits())
	case Bool:
		return strconv.AppendBool(b, v.Bool())
	case Blob:
		b = base64.StdEncoding.AppendEncode(append(b, '"'), v.Bytes())
		return append(b, '"')
	case Time:
		return appendJSONTime(b, v.Interface().(time.Time), timeFormat)
	case Document:
		raw, err := json.Marshal(v.Interface())
		if err != nil {
			return append(b, "null"...)
		}
		return append(b, raw...)
	}
	return append(b, "null"...)
}

func appendObject(b []byte, p *Plan, v reflect.Value) []byte {
	b = append(b, '{')
	first := true
	for i := range p.Fields {
		f := &p.Fields[i]
		fv := f.Value(v)
		if !f.InBody() || f.Plan.Kind == Stream || absent(fv) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendJSON(append(b, f.jsonKey...), f.Plan, fv, f.timeFormat)
	}
	return append(b, '}')
}

// appendJSONTime writes seconds since 1970, with milliseconds when there are
// any, unless the model asks for text.
func appendJSONTime(b []byte, t time.Time, format string) []byte {
	switch format {
	case "iso8601", "rfc822":
		return append(append(append(b, '"'), timeText(t, format)...), '"')
	}
	ms := t.UnixMilli()
	if ms%1000 == 0 {
		return strconv.AppendInt(b, ms/1000, 10)
	}
	return strconv.AppendFloat(b, float64(ms)/1000, 'f', 3, 64)
}

// AppendJSONString appends s as a JSON string. Bytes that are not UTF-8
// become U+FFFD.
func AppendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c < 0x20 || c == '"' || c == '\\' {
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			start = i + 1
		}
		i++
	}
	return append(append(b, s[start:]...), '"')
}
