package template

import (
	"encoding/json"
	"maps"
	"slices"
)

// appendJSON writes a node as JSON, in the order of the source.
func (n *Node) appendJSON(out []byte) []byte {
	switch {
	case n == nil || n.Kind == Null:
		return append(out, "null"...)
	case n.Kind == Bool:
		return append(out, n.Text...)
	case n.Kind == Number && json.Valid([]byte(n.Text)):
		return append(out, n.Text...)
	case n.Kind == List:
		out = append(out, '[')
		for i, item := range n.Items {
			if i > 0 {
				out = append(out, ',')
			}
			out = item.appendJSON(out)
		}
		return append(out, ']')
	case n.Kind == Map:
		out = append(out, '{')
		for i, e := range n.Entries {
			if i > 0 {
				out = append(out, ',')
			}
			out = e.Value.appendJSON(append(appendText(out, e.Key), ':'))
		}
		return append(out, '}')
	}
	return appendText(out, n.Text)
}

func appendText(out []byte, s string) []byte {
	raw, _ := json.Marshal(s) // text always encodes
	return append(out, raw...)
}

// nodeOf is a computed value as template source.
func nodeOf(v any, at *Node) *Node {
	n := &Node{Line: at.Line, Column: at.Column}
	switch x := v.(type) {
	case bool:
		n.Kind, n.Text = Bool, "false"
		if x {
			n.Text = "true"
		}
	case json.Number:
		n.Kind, n.Text = Number, x.String()
	case string:
		n.Kind, n.Text = String, x
	case []any:
		n.Kind = List
		for _, item := range x {
			n.Items = append(n.Items, nodeOf(item, at))
		}
	case map[string]any:
		n.Kind = Map
		for _, k := range slices.Sorted(maps.Keys(x)) {
			n.Entries = append(n.Entries, Entry{k, nodeOf(x[k], at)})
		}
	}
	return n
}
