package cfn

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// schema is what a property struct's tags say.
type schema struct {
	fields []*field
	byName map[string]*field
	id     *field
	rest   *field // takes the properties that no other field has
}

type field struct {
	name      string
	index     []int
	typ       reflect.Type
	id        bool
	create    bool
	readOnly  bool
	required  bool
	writeOnly bool
	attribute bool
	kept      bool
	open      bool
}

func (f *field) value(v reflect.Value) reflect.Value { return v.FieldByIndex(f.index) }

// writable reports whether a template may set the field.
func (f *field) writable() bool { return !f.readOnly }

// answers reports whether GetAtt answers the field.
func (f *field) answers() bool { return (f.readOnly && !f.kept) || f.attribute }

// schemaOf reads the tags of a property struct, which must have one string id.
func schemaOf(t reflect.Type) (*schema, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("properties must be a struct, not %s", t)
	}
	s, err := fieldsOf(t, nil)
	if err != nil {
		return nil, err
	}
	for _, f := range s.fields {
		if !f.id {
			continue
		}
		if s.id != nil {
			return nil, fmt.Errorf("both %s and %s are tagged id", s.id.name, f.name)
		}
		s.id = f
	}
	if s.id == nil {
		return nil, fmt.Errorf("no field of %s is tagged id", t)
	}
	if s.id.typ.Kind() != reflect.String {
		return nil, fmt.Errorf("id %s must be a string", s.id.name)
	}
	return s, nil
}

// fieldsOf reads the tags of any struct in a property type, and of the structs below it.
func fieldsOf(t reflect.Type, seen []reflect.Type) (*schema, error) {
	s := &schema{byName: make(map[string]*field)}
	for sf := range reflectFields(t) {
		f := &field{name: sf.Name, index: sf.Index, typ: sf.Type}
		if name, _, _ := strings.Cut(sf.Tag.Get("json"), ","); name == "-" {
			continue
		} else if name != "" {
			f.name = name
		}
		for word := range strings.SplitSeq(sf.Tag.Get("cfn"), ",") {
			switch strings.TrimSpace(word) {
			case "":
			case "id":
				f.id, f.create = true, true
			case "createOnly":
				f.create = true
			case "readOnly":
				f.readOnly = true
			case "rest":
				s.rest, f.readOnly, f.kept = f, true, true
			case "open":
				f.open = true
			case "kept":
				f.readOnly, f.kept = true, true
			case "required":
				f.required = true
			case "writeOnly":
				f.writeOnly = true
			case "attribute":
				f.attribute = true
			default:
				return nil, fmt.Errorf("field %s: unknown word %q in its cfn tag", sf.Name, word)
			}
		}
		if s.byName[f.name] != nil {
			return nil, fmt.Errorf("two fields are named %s", f.name)
		}
		if err := checkKind(f.typ, append(slices.Clone(seen), t)); err != nil {
			return nil, fmt.Errorf("field %s: %w", sf.Name, err)
		}
		s.fields, s.byName[f.name] = append(s.fields, f), f
	}
	return s, nil
}

// reflectFields yields the exported fields of t, those of embedded structs included.
func reflectFields(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for _, sf := range reflect.VisibleFields(t) {
			if !sf.IsExported() || sf.Anonymous {
				continue
			}
			if !yield(sf) {
				return
			}
		}
	}
}

func checkKind(t reflect.Type, seen []reflect.Type) error {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return checkKind(t.Elem(), seen)
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return fmt.Errorf("map keys must be strings, not %s", t.Key())
		}
		return checkKind(t.Elem(), seen)
	case reflect.Struct:
		if slices.Contains(seen, t) {
			return nil
		}
		_, err := fieldsOf(t, seen)
		return err
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Errorf("interface %s has methods", t)
		}
		return nil
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return nil
	default:
		return fmt.Errorf("%s cannot hold a property", t)
	}
}

// carryOver copies into after what an update keeps: id, readOnly fields, and createOnly fields the template does not set.
func (s *schema) carryOver(before, after reflect.Value, properties map[string]any) {
	for _, f := range s.fields {
		_, set := properties[f.name]
		if f.id || (f.readOnly && f != s.rest) || (f.create && !set) {
			f.value(after).Set(f.value(before))
		}
	}
}
