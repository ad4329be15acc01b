package codec

import (
	"reflect"
	"unicode/utf8"
)

// AppendXMLMembers appends the members of the struct v as elements, without an
// element around them.
func AppendXMLMembers(b []byte, p *Plan, v reflect.Value) []byte {
	v = deref(v)
	for i := range p.Fields {
		f := &p.Fields[i]
		fv := f.Value(v)
		if !f.InBody() || f.Plan.Kind == Stream || f.Ref.XMLAttribute || absent(fv) {
			continue
		}
		b = appendXMLMember(b, f, fv)
	}
	return b
}

func appendXMLMember(b []byte, f *Field, v reflect.Value) []byte {
	name, v := f.wire[XML], deref(v)
	if !f.flattened() {
		return AppendXML(b, name, f.Plan, v, f.timeFormat)
	}
	if f.Plan.Kind == Map {
		return appendEntries(b, name, f.Plan, v)
	}
	for i := range v.Len() {
		b = AppendXML(b, name, f.Plan.Elem, v.Index(i), f.Plan.elem.TimestampFormat)
	}
	return b
}

// AppendXML appends the element <name> that holds v.
func AppendXML(b []byte, name string, p *Plan, v reflect.Value, timeFormat string) []byte {
	v = deref(v)
	b = append(append(b, '<'), name...)
	if p.Kind == Struct {
		b = appendAttributes(b, p, v)
	}
	b = append(b, '>')
	switch p.Kind {
	case Struct:
		b = AppendXMLMembers(b, p, v)
	case List:
		item := p.elem.LocationName
		if item == "" {
			item = "member"
		}
		for i := range v.Len() {
			b = AppendXML(b, item, p.Elem, v.Index(i), p.elem.TimestampFormat)
		}
	case Map:
		b = appendEntries(b, "entry", p, v)
	default:
		b = AppendXMLText(b, text(p, v, timeFormat))
	}
	return append(append(append(b, "</"...), name...), '>')
}

func appendEntries(b []byte, name string, p *Plan, v reflect.Value) []byte {
	keyName, valueName := entryNames(p)
	for _, k := range sortedKeys(v) {
		b = append(append(append(b, '<'), name...), '>')
		b = AppendXML(b, keyName, p.Key, k, "")
		b = AppendXML(b, valueName, p.Elem, v.MapIndex(k), p.elem.TimestampFormat)
		b = append(append(append(b, "</"...), name...), '>')
	}
	return b
}

// appendAttributes writes the members that are attributes, and the namespace
// of the structure that S3's grantee needs for its xsi:type.
func appendAttributes(b []byte, p *Plan, v reflect.Value) []byte {
	for i := range p.Fields {
		f := &p.Fields[i]
		fv := f.Value(v)
		if !f.Ref.XMLAttribute || absent(fv) {
			continue
		}
		if ns := p.Shape.XMLNamespace; ns != nil && ns.Prefix != "" {
			b = append(append(append(append(append(b, " xmlns:"...), ns.Prefix...), `="`...), ns.URI...), '"')
		}
		b = append(append(append(b, ' '), f.wire[XML]...), `="`...)
		b = append(AppendXMLText(b, text(f.Plan, deref(fv), f.timeFormat)), '"')
	}
	return b
}

// AppendXMLText appends s with markup escaped. Characters that XML 1.0 cannot
// hold become U+FFFD.
func AppendXMLText(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '"':
			b = append(b, "&quot;"...)
		case r == '\r':
			b = append(b, "&#xD;"...)
		case r < 0x20 && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF:
			b = append(b, "\ufffd"...)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}
