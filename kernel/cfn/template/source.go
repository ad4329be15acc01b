package template

import "slices"

// Source is a template that has been read and not checked: its transforms have yet to be expanded.
type Source struct {
	Body string
	root *Node
}

// Read reads a template in JSON or YAML and checks nothing but its syntax and size. Errors are *Error.
func Read(body string, limits Limits) (*Source, error) {
	limits = limits.orQuotas()
	if len(body) > limits.Bytes {
		return nil, fail(nil, "Template may not exceed %d bytes in size.", limits.Bytes)
	}
	root, err := read([]byte(body))
	if err != nil {
		return nil, err
	}
	if root.Kind != Map {
		return nil, fail(root, "Template format error: unsupported structure.")
	}
	return &Source{Body: body, root: root}, nil
}

// Transforms lists the names of the macros a template calls, each once: those of its Transform section first, then those of Fn::Transform.
func (s *Source) Transforms() []string {
	var out []string
	for _, m := range macros(s.root.Get("Transform")) {
		out = append(out, m.name)
	}
	walk(s.root, func(n *Node) {
		for _, m := range macros(n.Get(transformCall)) {
			out = append(out, m.name)
		}
	})
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(name string) bool {
		again := seen[name]
		seen[name] = true
		return again
	})
}

const transformCall = "Fn::Transform"

// macro is one call of a macro.
type macro struct {
	name string
	node *Node
}

// macros reads what Transform and Fn::Transform hold: a name, {Name, Parameters}, or a list of such (of lists, too: SAM's own examples nest them).
func macros(n *Node) []macro {
	switch {
	case n == nil:
		return nil
	case n.Kind == List:
		var out []macro
		for _, item := range n.Items {
			out = append(out, macros(item)...)
		}
		return out
	case n.Kind == Map:
		return []macro{{literal(n.Get("Name")), n}}
	}
	return []macro{{n.Text, n}}
}

// walk visits every node, parents first.
func walk(n *Node, visit func(*Node)) {
	if n == nil {
		return
	}
	visit(n)
	for _, item := range n.Items {
		walk(item, visit)
	}
	for _, e := range n.Entries {
		walk(e.Value, visit)
	}
}

// Outline is what can be said of a template before its macros are expanded: its parameters, and the resources that it writes out. Nothing is checked but
// the parameters.
func (s *Source) Outline() (*Template, error) {
	t := &Template{Source: s.Body, byID: map[string]*Resource{}, parameters: map[string]*Parameter{}, Transforms: s.Transforms()}
	t.Description, t.Version, t.Metadata = literal(s.root.Get("Description")), literal(s.root.Get("AWSTemplateFormatVersion")), s.root.Get("Metadata")
	if e := s.root.Get("Parameters"); e != nil {
		if err := t.section(Entry{"Parameters", e}, Quotas.Parameters, t.parameter); err != nil {
			return nil, err
		}
	}
	if section := s.root.Get("Resources"); section != nil {
		for _, e := range section.Entries {
			r := &Resource{LogicalID: e.Key, Type: literal(e.Value.Get("Type")), Properties: e.Value.Get("Properties")}
			if r.Type != "" {
				t.Resources = append(t.Resources, r)
			}
		}
	}
	return t, nil
}
