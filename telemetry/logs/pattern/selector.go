package pattern

import (
	"strconv"
	"strings"
	"unicode"
)

// selector is a path into an event: $.a.b, $['a.b'], $.list[0], $[1], and *
// for every element of an array or an object.
type selector []step

type step struct {
	key   string // of an object, unless index >= 0 or every
	index int    // of an array, or -1
	every bool
}

func (c *scan) selector() (selector, error) {
	if !c.take("$") {
		return nil, syntax("Invalid filter pattern: property selector expected at %q", c.s[c.i:])
	}
	var out selector
	for {
		switch c.peek() {
		case '.':
			c.i++
			if c.peek() == '[' { // $.[0]
				continue
			}
			if c.peek() == '*' {
				c.i++
				out = append(out, step{index: -1, every: true})
				continue
			}
			key := c.while(isKey)
			if key == "" {
				return nil, syntax("Invalid filter pattern: property name expected at %q", c.s[c.i:])
			}
			out = append(out, step{key: key, index: -1})
		case '[':
			st, err := c.bracket()
			if err != nil {
				return nil, err
			}
			out = append(out, st)
		default:
			if len(out) == 0 {
				return nil, syntax("Invalid filter pattern: property name expected at %q", c.s[c.i:])
			}
			return out, nil
		}
	}
}

func (c *scan) bracket() (step, error) {
	n := strings.IndexByte(c.s[c.i:], ']')
	if n < 0 {
		return step{}, syntax("Invalid filter pattern: ] expected at %q", c.s[c.i:])
	}
	inner := strings.TrimSpace(c.s[c.i+1 : c.i+n])
	if len(inner) > 0 && (inner[0] == '\'' || inner[0] == '"') {
		// The name itself may hold a bracket: it ends at its quote.
		return c.quotedKey()
	}
	c.i += n + 1
	if inner == "*" {
		return step{index: -1, every: true}, nil
	}
	i, err := strconv.Atoi(inner)
	if err != nil || i < 0 {
		return step{}, syntax("Invalid filter pattern: array index '%s'", inner)
	}
	return step{index: i}, nil
}

func (c *scan) quotedKey() (step, error) {
	c.i++
	c.space()
	quote := c.peek()
	rest := c.s[c.i+1:]
	n := strings.IndexByte(rest, quote)
	if n < 1 {
		return step{}, syntax("Invalid filter pattern: property name expected at %q", c.s[c.i:])
	}
	c.i += n + 2
	if !c.take("]") {
		return step{}, syntax("Invalid filter pattern: ] expected at %q", c.s[c.i:])
	}
	return step{key: rest[:n], index: -1}, nil
}

// any reports whether test holds for a value that the selector leads to.
func (s selector) any(v any, test func(any) bool) bool {
	if len(s) == 0 {
		return test(v)
	}
	st, rest := s[0], s[1:]
	switch v := v.(type) {
	case map[string]any:
		if st.every {
			for _, e := range v {
				if rest.any(e, test) {
					return true
				}
			}
			return false
		}
		e, ok := v[st.key]
		return ok && st.index < 0 && rest.any(e, test)
	case []any:
		if st.every {
			for _, e := range v {
				if rest.any(e, test) {
					return true
				}
			}
			return false
		}
		return st.index >= 0 && st.index < len(v) && rest.any(v[st.index], test)
	}
	return false
}

func isKey(r rune) bool {
	return r == '_' || r == '-' || r == '@' || r == '$' || unicode.IsLetter(r) || unicode.IsDigit(r)
}
