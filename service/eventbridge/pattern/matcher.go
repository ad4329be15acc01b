package pattern

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// matcher says whether the values of a field are as asked for; a field that is
// absent has none.
type matcher interface{ match(values []any) bool }

// each holds when it does for one value.
type each func(v any) bool

func (e each) match(values []any) bool { return slices.ContainsFunc(values, e) }

// exists holds when there is a value, or when there is none.
type exists bool

func (e exists) match(values []any) bool { return (len(values) > 0) == bool(e) }

// matcherOf reads an element of a list in a pattern.
func matcherOf(v any) (matcher, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return literal(v)
	}
	if len(m) != 1 {
		return nil, errors.New("only one key is allowed in a match expression")
	}
	for name, arg := range m {
		switch name {
		case "exists":
			b, ok := arg.(bool)
			if !ok {
				return nil, errors.New("exists match pattern must be either true or false")
			}
			return exists(b), nil
		case "numeric":
			return numeric(arg)
		case "cidr":
			return cidr(arg)
		case "anything-but":
			return anythingBut(arg)
		default:
			return words(name, arg)
		}
	}
	return nil, nil
}

// literal is a value that has to be equal. Numbers are, however written.
func literal(v any) (each, error) {
	switch want := v.(type) {
	case json.Number:
		n, err := number(want)
		if err != nil {
			return nil, err
		}
		return func(v any) bool {
			have, ok := v.(json.Number)
			if !ok {
				return false
			}
			f, err := number(have)
			return err == nil && f == n
		}, nil
	case string, bool, nil:
		return func(v any) bool { return v == want }, nil
	}
	return nil, fmt.Errorf("match value must be String, number, true, false, or null, not %T", v)
}

func number(n json.Number) (float64, error) {
	f, err := n.Float64()
	if err != nil || math.IsInf(f, 0) {
		return 0, fmt.Errorf("value of %s is out of range", n)
	}
	return f, nil
}

// words are the tests of strings: prefix, suffix, equals-ignore-case, wildcard.
// The first two take an equals-ignore-case themselves.
func words(name string, arg any) (each, error) {
	fold := false
	if m, ok := arg.(map[string]any); ok && (name == "prefix" || name == "suffix") && len(m) == 1 {
		arg, fold = m["equals-ignore-case"], true
	}
	want, ok := arg.(string)
	if !ok {
		return nil, fmt.Errorf("%s match pattern must be a string", name)
	}
	lower := func(s string) string {
		if fold {
			return strings.ToLower(s)
		}
		return s
	}
	var test func(s string) bool
	switch name {
	case "prefix":
		test = func(s string) bool { return strings.HasPrefix(lower(s), lower(want)) }
	case "suffix":
		test = func(s string) bool { return strings.HasSuffix(lower(s), lower(want)) }
	case "equals-ignore-case":
		test = func(s string) bool { return strings.EqualFold(s, want) }
	case "wildcard":
		parts, err := wildcard(want)
		if err != nil {
			return nil, err
		}
		test = func(s string) bool { return matchParts(parts, s) }
	default:
		return nil, fmt.Errorf("unrecognized match type %s", name)
	}
	return func(v any) bool {
		s, ok := v.(string)
		return ok && test(s)
	}, nil
}

// anythingBut holds when there is a value, and none of those named.
func anythingBut(arg any) (matcher, error) {
	var not []each
	one := func(name string, v any) error {
		var test each
		var err error
		if name == "" {
			test, err = literal(v)
			if _, isBool := v.(bool); isBool || v == nil {
				err = errors.New("anything-but takes strings and numbers")
			}
		} else {
			test, err = words(name, v)
		}
		not = append(not, test)
		return err
	}
	name := ""
	if m, ok := arg.(map[string]any); ok {
		if len(m) != 1 {
			return nil, errors.New("only one key is allowed in an anything-but")
		}
		for name, arg = range m { //nolint:revive // there is one
		}
	}
	list, ok := arg.([]any)
	if !ok {
		list = []any{arg}
	}
	if len(list) == 0 {
		return nil, errors.New("anything-but list must not be empty")
	}
	for _, v := range list {
		if err := one(name, v); err != nil {
			return nil, err
		}
	}
	return each(func(v any) bool {
		return !slices.ContainsFunc(not, func(test each) bool { return test(v) })
	}), nil
}

// cidr is a range of addresses, or one address.
func cidr(arg any) (matcher, error) {
	text, ok := arg.(string)
	if !ok {
		return nil, errors.New("cidr match pattern must be a string")
	}
	block, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, fmt.Errorf("malformed CIDR, one '/' required: %s", text)
	}
	return each(func(v any) bool {
		s, _ := v.(string)
		ip, err := netip.ParseAddr(s)
		return err == nil && block.Contains(ip.Unmap())
	}), nil
}

// numeric is one comparison, or two that make a range: [">", 0, "<=", 5].
func numeric(arg any) (matcher, error) {
	list, ok := arg.([]any)
	if !ok || len(list) != 2 && len(list) != 4 {
		return nil, errors.New("value of numeric must be an array of one comparison or two")
	}
	var all []func(float64) bool
	for i := 0; i < len(list); i += 2 {
		op, _ := list[i].(string)
		n, isNumber := list[i+1].(json.Number)
		if !isNumber {
			return nil, errors.New("value of numeric comparison must be a number")
		}
		want, err := number(n)
		if err != nil {
			return nil, err
		}
		test := comparison(op, want)
		if test == nil || len(list) == 4 && (op == "=" || (op[0] == '<') != (i == 2)) {
			return nil, fmt.Errorf("unrecognized numeric range operator: %q", op)
		}
		all = append(all, test)
	}
	return each(func(v any) bool {
		n, ok := v.(json.Number)
		if !ok {
			return false
		}
		f, err := number(n)
		return err == nil && !slices.ContainsFunc(all, func(test func(float64) bool) bool { return !test(f) })
	}), nil
}

func comparison(op string, want float64) func(float64) bool {
	switch op {
	case "=":
		return func(f float64) bool { return f == want }
	case "<":
		return func(f float64) bool { return f < want }
	case "<=":
		return func(f float64) bool { return f <= want }
	case ">":
		return func(f float64) bool { return f > want }
	case ">=":
		return func(f float64) bool { return f >= want }
	}
	return nil
}

// wildcard cuts a pattern at its stars. A backslash takes a star or a backslash
// as it is.
func wildcard(text string) (parts []string, err error) {
	var part strings.Builder
	star := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\\':
			if i++; i == len(text) || text[i] != '*' && text[i] != '\\' {
				return nil, errors.New("invalid escape character in wildcard")
			}
			part.WriteByte(text[i])
			star = false
		case '*':
			if star {
				return nil, errors.New("consecutive wildcard characters are not allowed")
			}
			parts = append(parts, part.String())
			part.Reset()
			star = true
		default:
			part.WriteByte(c)
			star = false
		}
	}
	return append(parts, part.String()), nil
}

// matchParts matches parts with anything between them.
func matchParts(parts []string, s string) bool {
	if len(parts) == 1 {
		return s == parts[0]
	}
	last := len(parts) - 1
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for _, p := range parts[1:last] {
		at := strings.Index(s, p)
		if at < 0 {
			return false
		}
		s = s[at+len(p):]
	}
	return strings.HasSuffix(s, parts[last])
}
