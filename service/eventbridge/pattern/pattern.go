// Package pattern matches events with the patterns of EventBridge rules.
//
// A pattern has the shape of the events it matches: an object whose fields are
// objects, or lists of matchers of which one has to hold. A field of an event
// that is a list matches when one of its elements does; of a list of objects
// one must match the whole pattern below. "$or" is a list of patterns of which
// one has to match.
// Source: Amazon EventBridge user guide, Creating event patterns.
package pattern

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Pattern is a pattern that was read.
type Pattern struct{ root node }

// node is a pattern for an object.
type node struct {
	fields []field
	or     []node // one has to match, when there are any
}

// field is what a field of an object has to be: an object, or a leaf.
type field struct {
	name  string
	below *node
	leaf  []matcher
}

// limits bound what is read at a trust boundary.
const (
	maxLength = 4096 // characters; PutRule in the API reference
	maxDepth  = 50
)

// Parse reads a pattern. The error says what is wrong with it.
func Parse(text string) (Pattern, error) {
	if len(text) > maxLength {
		return Pattern{}, fmt.Errorf("the pattern is longer than %d characters", maxLength)
	}
	v, err := decode([]byte(text))
	if err != nil {
		return Pattern{}, fmt.Errorf("the pattern is not valid JSON: %w", err)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return Pattern{}, errors.New("filter is not an object")
	}
	root, err := object(m, 0)
	if err == nil && len(root.fields) == 0 && len(root.or) == 0 {
		err = errors.New("empty patterns are not allowed")
	}
	return Pattern{root}, err
}

// decode reads one JSON value, with its numbers as they are written.
func decode(text []byte) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the first value")
	}
	return v, nil
}

func object(m map[string]any, depth int) (n node, err error) {
	if depth > maxDepth {
		return n, fmt.Errorf("the pattern is nested deeper than %d levels", maxDepth)
	}
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		list, isList := m[name].([]any)
		if name == "$or" && isList {
			if n.or, err = alternatives(list, depth); err != nil {
				return n, err
			}
			continue
		}
		f := field{name: name}
		switch v := m[name].(type) {
		case map[string]any:
			below, err := object(v, depth+1)
			if err != nil {
				return n, err
			}
			if len(below.fields) == 0 && len(below.or) == 0 {
				return n, fmt.Errorf("%q must be an object or an array, and not empty", name)
			}
			f.below = &below
		case []any:
			if len(v) == 0 {
				return n, fmt.Errorf("empty arrays are not allowed: %q", name)
			}
			for _, one := range v {
				m, err := matcherOf(one)
				if err != nil {
					return n, fmt.Errorf("%q: %w", name, err)
				}
				f.leaf = append(f.leaf, m)
			}
		default:
			return n, fmt.Errorf("%q must be an object or an array", name)
		}
		n.fields = append(n.fields, f)
	}
	return n, nil
}

func alternatives(list []any, depth int) (all []node, err error) {
	if len(list) < 2 {
		return nil, errors.New("there must be at least 2 objects in an $or")
	}
	for _, v := range list {
		m, ok := v.(map[string]any)
		if !ok || len(m) == 0 {
			return nil, errors.New("only objects that are not empty are allowed in an $or")
		}
		n, err := object(m, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// Match says whether an event, a JSON object, is one of those meant. What is
// no JSON object is none.
func (p Pattern) Match(event []byte) bool {
	v, err := decode(event)
	if err != nil {
		return false
	}
	m, ok := v.(map[string]any)
	return ok && p.root.match(m)
}

func (n node) match(event map[string]any) bool {
	for _, f := range n.fields {
		v, present := event[f.name]
		if !f.match(v, present) {
			return false
		}
	}
	return len(n.or) == 0 || slices.ContainsFunc(n.or, func(o node) bool { return o.match(event) })
}

func (f field) match(v any, present bool) bool {
	if f.below != nil {
		return f.below.within(v)
	}
	leaves := leavesOf(v, present)
	return slices.ContainsFunc(f.leaf, func(m matcher) bool { return m.match(leaves) })
}

// within matches an object, or one of a list of objects. Where there is no
// object, a pattern may still ask that fields be absent.
func (n node) within(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return n.match(v)
	case []any:
		return slices.ContainsFunc(v, n.within)
	}
	return n.match(nil)
}

// leavesOf are the values of a field that are no objects.
func leavesOf(v any, present bool) []any {
	if !present {
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		return nil
	case []any:
		var all []any
		for _, e := range v {
			all = append(all, leavesOf(e, true)...)
		}
		return all
	}
	return []any{v}
}
