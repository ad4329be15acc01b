package pattern

import (
	"encoding/json"
	"io"
	"strings"
)

// condition is a test of a decoded JSON event.
type condition func(event any) bool

// parseJSON reads { condition }:
//
//	{ $.level = "ERROR" && ($.latency > 3e2 || $.user[0].name = "a*") }
//	{ $.error IS NULL }  { $.ok IS TRUE }  { $.x NOT EXISTS }  { $.ip = %10\.0\..*% }
//
// && binds tighter than ||. A comparison of a property that the event lacks
// is false, whatever the operator; only NOT EXISTS is true then. An event
// that is not JSON never matches.
func parseJSON(s string) (func(string) bool, error) {
	c := &scan{s: s, i: 1}
	cond, err := c.either()
	if err != nil {
		return nil, err
	}
	if !c.take("}") {
		return nil, syntax("Invalid filter pattern: unexpected %q", c.s[c.i:])
	}
	if c.space(); !c.end() {
		return nil, syntax("Invalid filter pattern: unexpected %q", c.s[c.i:])
	}
	return func(message string) bool {
		event, ok := decode(message)
		return ok && cond(event)
	}, nil
}

// decode reads an event that is one JSON object or array. The first byte
// tells most others apart without decoding.
func decode(message string) (any, bool) {
	text := strings.TrimLeft(message, " \t\r\n")
	if text == "" || text[0] != '{' && text[0] != '[' {
		return nil, false
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, false
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, false
	}
	return v, true
}

func (c *scan) either() (condition, error) {
	left, err := c.both()
	for err == nil && c.take("||") {
		var right condition
		if right, err = c.both(); err == nil {
			l := left
			left = func(e any) bool { return l(e) || right(e) }
		}
	}
	return left, err
}

func (c *scan) both() (condition, error) {
	left, err := c.single()
	for err == nil && c.take("&&") {
		var right condition
		if right, err = c.single(); err == nil {
			l := left
			left = func(e any) bool { return l(e) && right(e) }
		}
	}
	return left, err
}

func (c *scan) single() (condition, error) {
	if c.take("(") {
		if c.depth++; c.depth > maxDepth {
			return nil, syntax("Invalid filter pattern: nested too deeply")
		}
		cond, err := c.either()
		c.depth--
		if err == nil && !c.take(")") {
			err = syntax("Invalid filter pattern: ) expected at %q", c.s[c.i:])
		}
		return cond, err
	}
	sel, err := c.selector()
	if err != nil {
		return nil, err
	}
	switch {
	case c.word("IS"):
		return c.is(sel)
	case c.word("NOT"):
		if !c.word("EXISTS") {
			return nil, syntax("Invalid filter pattern: EXISTS expected at %q", c.s[c.i:])
		}
		return func(e any) bool { return !sel.any(e, func(any) bool { return true }) }, nil
	case c.word("EXISTS"):
		return func(e any) bool { return sel.any(e, func(any) bool { return true }) }, nil
	}
	op := c.operator()
	if op == "" {
		return nil, syntax("Invalid filter pattern: operator expected at %q", c.s[c.i:])
	}
	o, err := c.operand(`()&|{}"`)
	if err != nil {
		return nil, err
	}
	return func(e any) bool {
		return sel.any(e, func(v any) bool {
			text, ok := scalar(v)
			return ok && o.compare(op, text)
		})
	}, o.checkOrder(op)
}

func (c *scan) is(sel selector) (condition, error) {
	var want any
	switch {
	case c.word("NULL"):
	case c.word("TRUE"):
		want = true
	case c.word("FALSE"):
		want = false
	default:
		return nil, syntax("Invalid filter pattern: NULL, TRUE or FALSE expected at %q", c.s[c.i:])
	}
	return func(e any) bool {
		return sel.any(e, func(v any) bool {
			switch v.(type) {
			case map[string]any, []any: // not comparable
				return false
			}
			return v == want
		})
	}, nil
}

// scalar is the text of a string, number or boolean; others do not compare.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	}
	return "", false
}
