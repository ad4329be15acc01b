package pattern

import (
	"strconv"
	"strings"
)

// operand is the right side of a comparison.
type operand struct {
	text  string
	num   float64
	isNum bool
	parts []string // the text between the wildcards; nil without any
	re    *regex
}

// operand consumes a value: a number, "text", text, or %regex%. A * in text
// stands for any characters. stop ends unquoted text.
func (c *scan) operand(stop string) (operand, error) {
	c.space()
	switch c.peek() {
	case '"':
		text, err := c.quoted()
		return textOperand(text), err
	case '%':
		re, err := c.regex()
		if err == nil && c.regexes > maxRegexes {
			err = syntax("Invalid filter pattern: more than %d regular expressions", maxRegexes)
		}
		return operand{re: re}, err
	}
	text := c.while(func(r rune) bool { return r > ' ' && !strings.ContainsRune(stop, r) })
	if text == "" {
		return operand{}, syntax("Invalid filter pattern: value expected at %q", c.s[c.i:])
	}
	o := textOperand(text)
	if n, ok := number(text); ok {
		o.num, o.isNum = n, true
	}
	return o, nil
}

func textOperand(text string) operand {
	o := operand{text: text}
	if strings.Contains(text, "*") {
		o.parts = strings.Split(text, "*")
	}
	return o
}

// number reads a decimal number: no hexadecimal, no "inf", no "NaN".
func number(s string) (float64, bool) {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("+-.0123456789eE", r) }) {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

// compare applies an operator to a value of the event.
func (o operand) compare(op, value string) bool {
	switch op {
	case "=":
		return o.equal(value)
	case "!=":
		return !o.equal(value)
	}
	n, ok := number(value)
	if !ok || !o.isNum {
		return false
	}
	switch op {
	case "<":
		return n < o.num
	case "<=":
		return n <= o.num
	case ">":
		return n > o.num
	default:
		return n >= o.num
	}
}

func (o operand) equal(value string) bool {
	switch {
	case o.re != nil:
		return o.re.match(value)
	case o.parts != nil:
		return glob(o.parts, value)
	case o.isNum:
		if n, ok := number(value); ok {
			return n == o.num
		}
	}
	return o.text == value
}

// checkOrder refuses < and > on what has no order.
func (o operand) checkOrder(op string) error {
	if op != "=" && op != "!=" && !o.isNum {
		return syntax("Invalid filter pattern: %s needs a number", op)
	}
	return nil
}

// glob matches s against the parts between wildcards, in linear time.
func glob(parts []string, s string) bool {
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return true
}
