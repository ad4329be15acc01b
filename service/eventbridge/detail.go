package eventbridge

import (
	"reflect"
	"strings"
	"time"
)

// detailOf is an API structure as details of events have it: members in lower
// camel case, times as text, and nothing that is absent.
func detailOf(v any) any { return plain(reflect.ValueOf(v)) }

func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return plain(v.Elem())
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			return stamp(t)
		}
		out := map[string]any{}
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if value := plain(v.Field(i)); value != nil {
				out[strings.ToLower(name[:1])+name[1:]] = value
			}
		}
		return out
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = plain(v.Index(i))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return nil
		}
		out := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			out[it.Key().String()] = plain(it.Value())
		}
		return out
	case reflect.String:
		if v.Len() == 0 {
			return nil // an enumeration that is absent
		}
		return v.String()
	}
	return v.Interface()
}
