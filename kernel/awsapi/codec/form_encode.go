package codec

import (
	"net/url"
	"reflect"
	"strconv"
)

// EncodeForm adds the members of the struct v to a form, in the names of Query
// or EC2. A Client uses it.
func EncodeForm(form url.Values, proto Protocol, p *Plan, v reflect.Value) {
	formValue(form, proto, "", p, deref(v), "")
}

func formValue(form url.Values, proto Protocol, prefix string, p *Plan, v reflect.Value, timeFormat string) {
	v = deref(v)
	switch p.Kind {
	case Struct:
		for i := range p.Fields {
			f := &p.Fields[i]
			if fv := f.Value(v); !absent(fv) {
				formMember(form, proto, dotted(prefix, f.wire[proto]), f, deref(fv))
			}
		}
	case List:
		formList(form, proto, prefix, p, v, p.Shape.Flattened)
	case Map:
		formMap(form, proto, dotted(prefix, "entry"), p, v)
	default:
		form.Set(prefix, text(p, v, timeFormat))
	}
}

func formMember(form url.Values, proto Protocol, name string, f *Field, v reflect.Value) {
	switch {
	case f.Plan.Kind == List:
		formList(form, proto, name, f.Plan, v, f.flattened())
	case f.flattened():
		formMap(form, proto, name, f.Plan, v)
	default:
		formValue(form, proto, name, f.Plan, v, f.timeFormat)
	}
}

func formList(form url.Values, proto Protocol, prefix string, p *Plan, v reflect.Value, flat bool) {
	if v.Len() == 0 && proto == Query {
		form.Set(prefix, "")
		return
	}
	if !flat && proto == Query {
		item := p.elem.LocationName
		if item == "" {
			item = "member"
		}
		prefix = dotted(prefix, item)
	}
	for i := range v.Len() {
		formValue(form, proto, dotted(prefix, strconv.Itoa(i+1)), p.Elem, v.Index(i), p.elem.TimestampFormat)
	}
}

func formMap(form url.Values, proto Protocol, prefix string, p *Plan, v reflect.Value) {
	keyName, valueName := entryNames(p)
	for i, k := range sortedKeys(v) {
		entry := dotted(prefix, strconv.Itoa(i+1))
		form.Set(dotted(entry, keyName), k.String())
		formValue(form, proto, dotted(entry, valueName), p.Elem, v.MapIndex(k), p.elem.TimestampFormat)
	}
}

func dotted(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}
