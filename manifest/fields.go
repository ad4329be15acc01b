package manifest

import (
	"cmp"
	"reflect"
	"strconv"
	"strings"
)

// field is one key of a mapping: a struct field, those of inlined structs included.
type field struct {
	name  string
	index []int
	tag   reflect.StructTag
	typ   reflect.Type
}

// fieldsOf lists a struct's keys in declaration order.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for f := range t.Fields() {
		name, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case option == "inline":
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{f.Index[0]}, inner.index...)
				out = append(out, inner)
			}
		case f.IsExported() && name != "-" && name != "":
			out = append(out, field{name: name, index: f.Index, tag: f.Tag, typ: f.Type})
		}
	}
	return out
}

// setDefaults fills a struct from its default tags, nested structs included. A default that does not parse is a mistake in this package;
// the test of the defaults finds it.
func setDefaults(v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		at, text := v.FieldByIndex(f.index), f.tag.Get("default")
		switch {
		case f.typ.Kind() == reflect.Struct:
			setDefaults(at)
		case text == "":
		case f.typ == durationType:
			span, _ := parseDuration(text)
			at.SetInt(int64(span))
		case f.typ.Kind() == reflect.Int:
			i, _ := strconv.Atoi(text)
			at.SetInt(int64(i))
		case f.typ.Kind() == reflect.Bool:
			at.SetBool(text == "true")
		case f.typ.Kind() == reflect.Slice:
			at.Set(reflect.ValueOf(strings.Split(text, "|")))
		default:
			at.SetString(text)
		}
	}
}

// errorf notes an error; the values around it are still read.
func (d *decoder) errorf(at Position, path, format string, args ...any) {
	d.broken = append(d.broken, path)
	d.report(at, path, format, args...)
}

func (d *decoder) err() error {
	if len(d.errs) == 0 {
		return nil
	}
	return d.errs.sorted()
}

func (d *decoder) source(line int) string {
	if line < 1 || line > len(d.lines) {
		return ""
	}
	return strings.TrimSuffix(d.lines[line-1], "\r")
}

// nearest finds the position of a path, or of the closest written ancestor.
func nearest(at map[string]Position, path string) Position {
	for {
		if p, ok := at[path]; ok || path == "" {
			return cmp.Or(p, at[""])
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}
