package cfn

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// Attributes lists, sorted, the names that GetAtt answers. An attribute that is a document or a map answers dotted names below it too.
func (t Type) Attributes() []string {
	var out []string
	for _, f := range t.schema.fields {
		if f.answers() {
			out = append(out, leaves(f.name, f.typ)...)
		}
	}
	slices.Sort(out)
	return out
}

func leaves(name string, typ reflect.Type) []string {
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct {
		return []string{name}
	}
	s, err := fieldsOf(typ, nil)
	if err != nil {
		return nil
	}
	var out []string
	for _, f := range s.fields {
		out = append(out, leaves(name+"."+f.name, f.typ)...)
	}
	return out
}

// HasAttribute reports whether GetAtt answers a name.
func (t Type) HasAttribute(name string) bool {
	for _, f := range t.schema.fields {
		if f.open {
			return true
		}
		if !f.answers() {
			continue
		}
		if f.name == name {
			return true
		}
		if !strings.HasPrefix(name, f.name+".") {
			continue
		}
		typ := f.typ
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() == reflect.Map || typ.Kind() == reflect.Interface || slices.Contains(leaves(f.name, typ), name) {
			return true
		}
	}
	return false
}

// Attribute is the value of an attribute of an instance, as decoded JSON; false when the type has none of that name or it has no value.
func (t Type) Attribute(in Instance, name string) (any, bool) {
	if !t.HasAttribute(name) {
		return nil, false
	}
	if t.schema.id.name == name {
		return in.ID, true
	}
	var state map[string]any
	dec := json.NewDecoder(strings.NewReader(string(in.State)))
	dec.UseNumber()
	if dec.Decode(&state) != nil {
		return nil, false
	}
	if v, ok := state[name]; ok {
		return v, v != nil
	}
	for _, f := range t.schema.fields {
		if open, _ := state[f.name].(map[string]any); f.open && open[name] != nil {
			return open[name], true
		}
	}
	var at any = state
	for part := range strings.SplitSeq(name, ".") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		at = m[part]
	}
	return at, at != nil
}
