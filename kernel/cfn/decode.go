package cfn

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// PropertyError says what is wrong with a resource's properties, in CloudFormation's words.
type PropertyError struct {
	Message string   // when a single property of the resource itself is to blame
	Faults  []string // otherwise: "#/Path: fault"
}

func (e *PropertyError) Error() string { return e.For("") }

// For is the message as the events of the resource with that logical id show it.
func (e *PropertyError) For(logicalID string) string {
	if e.Message != "" {
		return e.Message
	}
	return "Properties validation failed for resource " + logicalID + " with message:\n[" + strings.Join(e.Faults, ", ") + "]"
}

// Check validates resolved properties without making anything. The error is a *PropertyError.
func (t Type) Check(properties map[string]any) error {
	return t.decode(properties, t.handler.fresh())
}

// CheckNames validates what can be known before intrinsic functions are resolved: that every property exists and every required one is given.
func (t Type) CheckNames(properties map[string]any) error {
	for _, name := range sortedKeys(properties) {
		if f := t.schema.byName[name]; (f == nil || !f.writable()) && t.schema.rest == nil {
			return &PropertyError{Message: "Encountered unsupported property " + name}
		}
	}
	for _, f := range t.schema.fields {
		if _, ok := properties[f.name]; f.required && !ok {
			return &PropertyError{Message: fmt.Sprintf("Property %s cannot be empty.", f.name)}
		}
	}
	return nil
}

// decode fills *p from properties: strictly, but with CloudFormation's coercions between strings, numbers and booleans.
func (t Type) decode(properties map[string]any, p any) error {
	properties = withoutNulls(properties)
	if err := t.CheckNames(properties); err != nil {
		return err
	}
	var d decoder
	d.object(t.schema, "#", properties, reflect.ValueOf(p).Elem())
	if len(d.faults) > 0 {
		return &PropertyError{Faults: d.faults}
	}
	return nil
}

func withoutNulls(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		if v != nil {
			out[k] = v
		}
	}
	return out
}

type decoder struct{ faults []string }

func (d *decoder) fault(path, format string, args ...any) {
	d.faults = append(d.faults, path+": "+fmt.Sprintf(format, args...))
}

func (d *decoder) mismatch(path, want string, got any) {
	d.fault(path, "expected type: %s, found: %s", want, kindName(got))
}

// object decodes a map into a struct.
func (d *decoder) object(s *schema, path string, m map[string]any, v reflect.Value) {
	rest := map[string]any{}
	for _, name := range sortedKeys(m) {
		f := s.byName[name]
		switch {
		case s.rest != nil && (f == nil || !f.writable()):
			rest[name] = plain(m[name])
		case f == nil || !f.writable():
			d.fault(path, "extraneous key [%s] is not permitted", name)
		case m[name] != nil:
			d.value(path+"/"+name, m[name], f.value(v))
		}
	}
	if len(rest) > 0 {
		s.rest.value(v).Set(reflect.ValueOf(rest))
	}
	for _, f := range s.fields {
		if f.required && m[f.name] == nil {
			d.fault(path, "required key [%s] not found", f.name)
		}
	}
}

func (d *decoder) value(path string, in any, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(path, in, v.Elem())
	case reflect.Interface:
		v.Set(reflect.ValueOf(plain(in)))
	case reflect.Struct:
		m, ok := in.(map[string]any)
		if !ok {
			d.mismatch(path, "JSONObject", in)
			return
		}
		s, err := fieldsOf(v.Type(), nil)
		if err != nil {
			d.fault(path, "%v", err)
			return
		}
		d.object(s, path, m, v)
	case reflect.Slice:
		d.list(path, in, v)
	case reflect.Map:
		d.dictionary(path, in, v)
	default:
		d.scalar(path, in, v)
	}
}

func (d *decoder) list(path string, in any, v reflect.Value) {
	if v.Type() == reflect.TypeFor[json.RawMessage]() {
		raw, err := json.Marshal(in)
		if err != nil {
			d.fault(path, "%v", err)
		}
		v.SetBytes(raw)
		return
	}
	items, ok := in.([]any)
	if !ok {
		d.mismatch(path, "JSONArray", in)
		return
	}
	out := reflect.MakeSlice(v.Type(), 0, len(items))
	for i, item := range items {
		if item == nil {
			continue
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		d.value(path+"/"+strconv.Itoa(i), item, elem)
		out = reflect.Append(out, elem)
	}
	v.Set(out)
}

func (d *decoder) dictionary(path string, in any, v reflect.Value) {
	m, ok := in.(map[string]any)
	if !ok {
		d.mismatch(path, "JSONObject", in)
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(m))
	for _, k := range sortedKeys(m) {
		if m[k] == nil {
			continue
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		d.value(path+"/"+k, m[k], elem)
		out.SetMapIndex(reflect.ValueOf(k).Convert(v.Type().Key()), elem)
	}
	v.Set(out)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
