package template

import (
	"encoding/json"
	"strings"
)

// Kind is what a Node is.
type Kind uint8

// The kinds of nodes, as in JSON.
const (
	Null Kind = iota
	Bool
	Number
	String
	List
	Map
)

// Node is a piece of template source with its place. Short tags of YAML have become the long form: !Ref x is the Map {Ref: x}.
type Node struct {
	Kind         Kind
	Text         string // of scalars: "true", "80", any string
	Items        []*Node
	Entries      []Entry
	Line, Column int
}

// Entry is a key of a Map with its value, in source order.
type Entry struct {
	Key   string
	Value *Node
}

// Get is the value under key, or nil.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, e := range n.Entries {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

// Value is the node as plain data, intrinsic functions left as they are written.
func (n *Node) Value() any {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case Null:
		return nil
	case Bool:
		return n.Text == "true"
	case Number:
		return json.Number(n.Text)
	case String:
		return n.Text
	case List:
		out := make([]any, len(n.Items))
		for i, item := range n.Items {
			out[i] = item.Value()
		}
		return out
	default:
		out := make(map[string]any, len(n.Entries))
		for _, e := range n.Entries {
			out[e.Key] = e.Value.Value()
		}
		return out
	}
}

// scalar reports whether the node is a string, number or boolean.
func (n *Node) scalar() bool { return n.Kind == Bool || n.Kind == Number || n.Kind == String }

// call takes an intrinsic function apart: a Map with the single key Ref or Fn::X. Condition counts only where a condition is wanted: see Bound.truth.
func (n *Node) call() (name string, arg *Node, ok bool) {
	if n == nil || n.Kind != Map || len(n.Entries) != 1 {
		return "", nil, false
	}
	e := n.Entries[0]
	if e.Key == "Ref" || strings.HasPrefix(e.Key, "Fn::") {
		return e.Key, e.Value, true
	}
	return "", nil, false
}
