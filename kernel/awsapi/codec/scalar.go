package codec

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// bindScalar sets v, not a pointer, from a leaf of a tree.
func bindScalar(p *Plan, node any, v reflect.Value) error {
	if e, ok := node.(*Element); ok {
		if len(e.Children) > 0 {
			return mismatch(p, node)
		}
		node = e.Text
	}
	switch p.Kind {
	case String:
		if s, ok := node.(string); ok {
			v.SetString(s)
			return nil
		}
	case Int:
		if n, ok := integer(node); ok && !v.OverflowInt(n) {
			v.SetInt(n)
			return nil
		}
	case Float:
		if f, ok := float(node); ok {
			v.SetFloat(f)
			return nil
		}
	case Bool:
		if b, ok := boolean(node); ok {
			v.SetBool(b)
			return nil
		}
	case Blob:
		switch n := node.(type) {
		case []byte:
			v.SetBytes(n)
			return nil
		case string:
			if raw, err := base64.StdEncoding.DecodeString(n); err == nil {
				v.SetBytes(raw)
				return nil
			}
		}
	case Time:
		if t, ok := moment(node); ok {
			v.Set(reflect.ValueOf(t))
			return nil
		}
	}
	return mismatch(p, node)
}

func integer(node any) (int64, bool) {
	switch n := node.(type) {
	case int64:
		return n, true
	case json.Number:
		if i, err := n.Int64(); err == nil {
			return i, true
		}
		f, err := n.Float64()
		return whole(f, err == nil)
	case float64:
		return whole(n, true)
	case string:
		i, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
		return i, err == nil
	}
	return 0, false
}

// whole accepts 80.0 and 1e3 for an integer, but not 80.5.
func whole(f float64, ok bool) (int64, bool) {
	if !ok || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

func float(node any) (float64, bool) {
	switch n := node.(type) {
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	case float64:
		return n, true
	case int64:
		return float64(n), true
	case string: // also "NaN", "Infinity" and "-Infinity"
		f, err := strconv.ParseFloat(strings.TrimSpace(n), 64)
		return f, err == nil
	}
	return 0, false
}

func boolean(node any) (value, ok bool) {
	switch n := node.(type) {
	case bool:
		return n, true
	case string:
		switch strings.ToLower(strings.TrimSpace(n)) {
		case "true":
			return true, true
		case "false":
			return false, true
		}
	}
	return false, false
}

// moment reads a time: seconds since 1970 as a number, or text in one of the
// formats that AWS writes.
func moment(node any) (time.Time, bool) {
	switch n := node.(type) {
	case time.Time:
		return n, true
	case json.Number:
		f, err := n.Float64()
		return epoch(f, err == nil)
	case float64:
		return epoch(n, true)
	case int64:
		return epoch(float64(n), true)
	case string:
		n = strings.TrimSpace(n)
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "20060102T150405Z", time.RFC1123, "2006-01-02T15:04Z07:00", "2006-01-02"} {
			if t, err := time.Parse(layout, n); err == nil {
				return t.UTC(), true
			}
		}
		f, err := strconv.ParseFloat(n, 64)
		return epoch(f, err == nil)
	}
	return time.Time{}, false
}

// epoch is a time from seconds, to the millisecond. Years beyond 9999 cannot be
// written in any of the formats and are refused.
func epoch(f float64, ok bool) (time.Time, bool) {
	const last = 253402300799
	if !ok || math.IsNaN(f) || f > last || f < -last {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(math.Round(f * 1000))).UTC(), true
}

// text is the form of a scalar in XML, forms, headers and paths.
func text(p *Plan, v reflect.Value, timeFormat string) string {
	switch p.Kind {
	case String:
		return v.String()
	case Int:
		return strconv.FormatInt(v.Int(), 10)
	case Float:
		return floatText(v.Float(), v.Type().Bits())
	case Bool:
		return strconv.FormatBool(v.Bool())
	case Blob:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	case Time:
		return timeText(v.Interface().(time.Time), timeFormat)
	}
	return ""
}

func floatText(f float64, bits int) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(f, 'g', -1, bits)
}

func timeText(t time.Time, format string) string {
	t = t.UTC()
	switch format {
	case "unixTimestamp":
		return strconv.FormatInt(t.Unix(), 10)
	case "rfc822":
		return t.Format("Mon, 02 Jan 2006 15:04:05 GMT")
	}
	return t.Format("2006-01-02T15:04:05.000Z")
}

// tokenName names a leaf's type as AWS's JSON parser does.
func tokenName(node any) string {
	switch n := node.(type) {
	case bool:
		return strings.ToUpper(strconv.FormatBool(n)) + "_VALUE"
	case json.Number, int64, float64:
		return "NUMBER_VALUE"
	}
	return "STRING_VALUE"
}
