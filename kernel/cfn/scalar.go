package cfn

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// scalar decodes strings, numbers and booleans into one another, as CloudFormation does.
func (d *decoder) scalar(path string, in any, v reflect.Value) {
	text, ok := scalarText(in)
	if !ok {
		d.mismatch(path, scalarName(v.Kind()), in)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil || len(text) < 4 {
			d.mismatch(path, "Boolean", in)
			return
		}
		v.SetBool(b)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			d.mismatch(path, "Number", in)
			return
		}
		v.SetFloat(f)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := parseInt(text)
		if err != nil || v.OverflowInt(n) {
			d.mismatch(path, "Integer", in)
			return
		}
		v.SetInt(n)
	default:
		n, err := parseInt(text)
		if err != nil || n < 0 || v.OverflowUint(uint64(n)) {
			d.mismatch(path, "Integer", in)
			return
		}
		v.SetUint(uint64(n))
	}
}

// plain gives a JSON document the types encoding/json would: services see the same before and after a restart.
func plain(in any) any {
	switch x := in.(type) {
	case json.Number:
		if f, err := x.Float64(); err == nil {
			return f
		}
		return x.String()
	case []any:
		out := make([]any, len(x))
		for i, item := range x {
			out[i] = plain(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, item := range x {
			out[k] = plain(item)
		}
		return out
	default:
		return in
	}
}

// parseInt takes "80" and "80.0" and "8e1": what a JSON number may look like.
func parseInt(text string) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, fmt.Errorf("%q is not an integer", text)
	}
	return int64(f), nil
}

// scalarText is the text form of a JSON scalar, which String properties and Join see.
func scalarText(in any) (string, bool) {
	switch x := in.(type) {
	case string:
		return x, true
	case bool:
		return strconv.FormatBool(x), true
	case json.Number:
		return x.String(), true
	case int:
		return strconv.Itoa(x), true
	case int64:
		return strconv.FormatInt(x, 10), true
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64), true
	default:
		return "", false
	}
}

func scalarName(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "String"
	case reflect.Bool:
		return "Boolean"
	case reflect.Float32, reflect.Float64:
		return "Number"
	default:
		return "Integer"
	}
}

func kindName(in any) string {
	switch in.(type) {
	case nil:
		return "Null"
	case string:
		return "String"
	case bool:
		return "Boolean"
	case []any:
		return "JSONArray"
	case map[string]any:
		return "JSONObject"
	case json.Number, float64:
		return "Number"
	default:
		return "Integer"
	}
}
