package pattern

import "strings"

// field is one position of a space-delimited pattern.
type field struct {
	name string
	test func(value string) bool // nil: anything
}

// parseFields reads [name, name = value, ..., name > 3 && name < 9]. Fields of
// an event are parted by white space; what stands in "..." or [...] is one
// field, without its marks. Without ... the event must have exactly as many
// fields as the pattern; ... stands for any number of them, once.
func parseFields(s string) (func(string) bool, error) {
	c := &scan{s: s, i: 1}
	var before, after []field
	ellipsis := false
	for {
		if c.take("...") {
			if ellipsis {
				return nil, syntax("Invalid filter pattern: only one ... is possible")
			}
			ellipsis = true
		} else {
			f, err := c.field()
			if err != nil {
				return nil, err
			}
			if ellipsis {
				after = append(after, f)
			} else {
				before = append(before, f)
			}
		}
		if c.take(",") {
			continue
		}
		if !c.take("]") {
			return nil, syntax("Invalid filter pattern: unexpected %q", c.s[c.i:])
		}
		if c.space(); !c.end() {
			return nil, syntax("Invalid filter pattern: unexpected %q", c.s[c.i:])
		}
		break
	}
	return func(message string) bool {
		values := split(message)
		n := len(before) + len(after)
		if len(values) < n || len(values) > n && !ellipsis {
			return false
		}
		return hold(before, values) && hold(after, values[len(values)-len(after):])
	}, nil
}

func hold(fields []field, values []string) bool {
	for i, f := range fields {
		if f.test != nil && !f.test(values[i]) {
			return false
		}
	}
	return true
}

func (c *scan) field() (field, error) {
	f := field{}
	c.space()
	if ch := c.peek(); ch == ',' || ch == ']' { // an unnamed field
		return f, nil
	}
	var err error
	f.test, err = c.fieldEither(&f.name)
	return f, err
}

func (c *scan) fieldEither(name *string) (func(string) bool, error) {
	left, err := c.fieldBoth(name)
	for err == nil && c.take("||") {
		var right func(string) bool
		if right, err = c.fieldBoth(name); err == nil {
			l := left
			left = func(v string) bool { return l == nil || right == nil || l(v) || right(v) }
		}
	}
	return left, err
}

func (c *scan) fieldBoth(name *string) (func(string) bool, error) {
	left, err := c.fieldSingle(name)
	for err == nil && c.take("&&") {
		var right func(string) bool
		if right, err = c.fieldSingle(name); err == nil {
			l := left
			left = func(v string) bool { return (l == nil || l(v)) && (right == nil || right(v)) }
		}
	}
	return left, err
}

func (c *scan) fieldSingle(name *string) (func(string) bool, error) {
	if c.take("(") {
		if c.depth++; c.depth > maxDepth {
			return nil, syntax("Invalid filter pattern: nested too deeply")
		}
		test, err := c.fieldEither(name)
		c.depth--
		if err == nil && !c.take(")") {
			err = syntax("Invalid filter pattern: ) expected at %q", c.s[c.i:])
		}
		return test, err
	}
	c.space()
	n := c.while(isKey)
	switch {
	case n == "":
		return nil, syntax("Invalid filter pattern: field name expected at %q", c.s[c.i:])
	case *name == "":
		*name = n
	case *name != n:
		return nil, syntax("Invalid filter pattern: the conditions of field '%s' name '%s'", *name, n)
	}
	op := c.operator()
	if op == "" {
		return nil, nil
	}
	o, err := c.operand(`,]()&|"`)
	if err != nil {
		return nil, err
	}
	return func(v string) bool { return o.compare(op, v) }, o.checkOrder(op)
}

// split cuts an event into its fields.
func split(message string) []string {
	var out []string
	for rest := message; ; {
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest == "" {
			return out
		}
		var closing byte
		switch rest[0] {
		case '"':
			closing = '"'
		case '[':
			closing = ']'
		}
		if closing != 0 {
			if n := strings.IndexByte(rest[1:], closing); n >= 0 {
				out = append(out, rest[1:1+n])
				rest = rest[n+2:]
				continue
			}
		}
		n := strings.IndexAny(rest, " \t\r\n")
		if n < 0 {
			return append(out, rest)
		}
		out = append(out, rest[:n])
		rest = rest[n:]
	}
}
