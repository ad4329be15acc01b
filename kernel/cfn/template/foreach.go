package template

import (
	"regexp"
	"strings"
)

const (
	forEach = "Fn::ForEach::"
	// deepestLoop is how many loops may stand within each other, as in AWS.
	deepestLoop = 5
)

var loopName = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// uniqueLoops refuses two loops of one name, and loops named like a parameter.
func (x *expansion) uniqueLoops(root *Node) (err error) {
	walk(root, func(n *Node) {
		for _, e := range n.Entries {
			name, ok := strings.CutPrefix(e.Key, forEach)
			switch {
			case !ok || err != nil:
			case !loopName.MatchString(name) || e.Value.Kind != List || len(e.Value.Items) != 3 || e.Value.Items[2].Kind != Map:
				err = macroFailed(ExtensionMacro, "%s layout is incorrect", e.Key)
			case x.loops[name] || x.b.parameters[name] != nil:
				err = macroFailed(ExtensionMacro, "%s: the loop name is not unique within the template", e.Key)
			default:
				x.loops[name] = true
			}
		}
	})
	return err
}

// unroll replaces every Fn::ForEach below a node by what its rounds give, merged into the map it stands in.
func (x *expansion) unroll(n *Node, loops int) (*Node, error) {
	if n == nil || (n.Kind != Map && n.Kind != List) {
		return n, nil
	}
	out := *n
	out.Items, out.Entries = nil, nil
	for _, item := range n.Items {
		item, err := x.unroll(item, loops)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, item)
	}
	seen := map[string]bool{}
	add := func(entries ...Entry) error {
		for _, e := range entries {
			if seen[e.Key] {
				return macroFailed(ExtensionMacro, "Duplicate key '%s' when merging keys to parent object in Fn::ForEach", e.Key)
			}
			seen[e.Key] = true
			out.Entries = append(out.Entries, e)
		}
		return nil
	}
	for _, e := range n.Entries {
		var entries []Entry
		var err error
		if strings.HasPrefix(e.Key, forEach) {
			entries, err = x.loop(e.Key, e.Value, loops+1)
		} else {
			var value *Node
			value, err = x.unroll(e.Value, loops)
			entries = []Entry{{e.Key, value}}
		}
		if err == nil {
			err = add(entries...)
		}
		if err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// loop gives the entries of every round of one Fn::ForEach.
func (x *expansion) loop(key string, arg *Node, depth int) ([]Entry, error) {
	if depth > deepestLoop {
		return nil, macroFailed(ExtensionMacro, "%s: loops may be nested up to %d times", key, deepestLoop)
	}
	variable := literal(arg.Items[0])
	if !loopName.MatchString(variable) || x.b.parameters[variable] != nil {
		return nil, macroFailed(ExtensionMacro, "%s layout is incorrect", key)
	}
	values, err := x.collection(key, arg.Items[1])
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, value := range values {
		r := round{variable: variable, value: value, plain: notAlphanumeric.ReplaceAllString(value, "")}
		body := r.apply(arg.Items[2])
		if x.size += r.size; x.size > Quotas.Bytes {
			return nil, macroFailed(ExtensionMacro, "Template may not exceed %d bytes in size.", Quotas.Bytes)
		}
		if body, err = x.unroll(body, depth); err != nil {
			return nil, err
		}
		out = append(out, body.Entries...)
	}
	return out, nil
}

// collection is what a loop runs over: texts, and lists of them that parameters and mappings give.
func (x *expansion) collection(key string, n *Node) ([]string, error) {
	v, err := x.static(n)
	if err != nil {
		return nil, macroFailed(ExtensionMacro, "%v", err)
	}
	items, ok := v.([]any)
	if !ok {
		return nil, macroFailed(ExtensionMacro, "%s layout is incorrect", key)
	}
	var out []string
	for _, item := range items {
		list, nested := item.([]any)
		if !nested {
			list = []any{item}
		}
		for _, one := range list {
			text, ok := Text(one)
			if !ok {
				return nil, macroFailed(ExtensionMacro, "%s layout is incorrect", key)
			}
			out = append(out, text)
		}
	}
	return out, nil
}

var notAlphanumeric = regexp.MustCompile(`[^A-Za-z0-9]+`)

// round is one turn of a loop: ${variable} and Ref become the value, &{variable} the value's letters and digits, so that it can be part of a logical id.
type round struct {
	variable, value, plain string
	size                   int
}

func (r *round) text(s string) string {
	r.size += len(s)
	s = strings.ReplaceAll(s, "${"+r.variable+"}", r.value)
	return strings.ReplaceAll(s, "&{"+r.variable+"}", r.plain)
}

func (r *round) apply(n *Node) *Node {
	if n == nil {
		return nil
	}
	r.size++
	out := *n
	switch n.Kind {
	case String:
		out.Text = r.text(n.Text)
	case List:
		out.Items = make([]*Node, len(n.Items))
		for i, item := range n.Items {
			out.Items[i] = r.apply(item)
		}
	case Map:
		if name, arg, ok := n.call(); ok && name == "Ref" && literal(arg) == r.variable {
			return &Node{Kind: String, Text: r.value, Line: n.Line, Column: n.Column}
		}
		out.Entries = make([]Entry, len(n.Entries))
		for i, e := range n.Entries {
			out.Entries[i] = Entry{r.text(e.Key), r.apply(e.Value)}
		}
	}
	return &out
}
