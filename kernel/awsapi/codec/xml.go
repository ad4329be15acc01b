package codec

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// Element is a node of a parsed XML document. Namespaces are dropped.
type Element struct {
	Name     string
	Text     string // character data, when there are no children
	Attrs    []xml.Attr
	Children []*Element
}

// elements are the repetitions of a flattened list.
type elements []*Element

// ParseXML reads one document and returns its root; nil for an empty body.
func ParseXML(body []byte) (*Element, error) {
	type open struct {
		*Element
		text []byte
	}
	d := xml.NewDecoder(bytes.NewReader(body))
	var stack []open
	var root *Element
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) && len(stack) == 0 {
			return root, nil
		}
		if err != nil {
			return nil, &DecodeError{Message: "could not parse XML: " + err.Error()}
		}
		switch t := t.(type) {
		case xml.StartElement:
			e := &Element{Name: t.Name.Local, Attrs: t.Copy().Attr}
			switch {
			case len(stack) >= maxDepth:
				return nil, &DecodeError{Message: "the document is nested too deeply"}
			case len(stack) > 0:
				top := stack[len(stack)-1]
				top.Children = append(top.Children, e)
			case root != nil:
				return nil, &DecodeError{Message: "could not parse XML: more than one root element"}
			default:
				root = e
			}
			stack = append(stack, open{Element: e})
		case xml.EndElement:
			top := stack[len(stack)-1]
			if len(top.Children) == 0 {
				top.Text = string(top.text)
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if n := len(stack); n > 0 {
				stack[n-1].text = append(stack[n-1].text, t...)
			}
		}
	}
}

// Child is the first child of that name, or nil.
func (e *Element) Child(name string) *Element {
	if e == nil {
		return nil
	}
	for _, c := range e.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// named are all children of that name.
func (e *Element) named(name string) elements {
	var list elements
	for _, c := range e.Children {
		if c.Name == name {
			list = append(list, c)
		}
	}
	return list
}

// member finds a structure's member: an attribute, the repetitions of a
// flattened list or map, or a child. The result is nil when it is absent.
func (e *Element) member(f *Field) any {
	name := f.wire[XML]
	if f.Ref.XMLAttribute {
		local := name[strings.IndexByte(name, ':')+1:]
		for _, a := range e.Attrs {
			if a.Name.Local == local {
				return a.Value
			}
		}
		return nil
	}
	if f.flattened() {
		if list := e.named(name); len(list) > 0 {
			return list
		}
		return nil
	}
	if c := e.Child(name); c != nil {
		return c
	}
	return nil
}

// flattened reports whether the member is a list or map without an element
// around its items.
func (f *Field) flattened() bool {
	return (f.Plan.Kind == List || f.Plan.Kind == Map) && (f.Ref.Flattened || f.Ref.Shape.Flattened)
}

// list are the items inside a list's own element.
func (e *Element) list(p *Plan) []any {
	name := p.elem.LocationName
	if name == "" {
		name = "member"
	}
	return e.named(name).items()
}

func (es elements) items() []any {
	items := make([]any, len(es))
	for i, e := range es {
		items[i] = e
	}
	return items
}

// entries are the pairs inside a map's own element.
func (e *Element) entries(p *Plan) map[string]any { return e.named("entry").entries(p) }

func (es elements) entries(p *Plan) map[string]any {
	keyName, valueName := entryNames(p)
	m := make(map[string]any, len(es))
	for _, e := range es {
		if key, value := e.Child(keyName), e.Child(valueName); key != nil && value != nil {
			m[key.Text] = value
		}
	}
	return m
}
