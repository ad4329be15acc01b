package pattern

import "strings"

// parseTerms reads an unstructured pattern:
//
//	ERROR "exact phrase"   all of them, anywhere in the message, case-sensitive
//	-EXCLUDED              none of these
//	?ONE ?OTHER            at least one, when there are no other terms
//	%regex%                a regular expression
//
// As on AWS, terms with ? are ignored when there are terms without.
func parseTerms(s string) (func(string) bool, error) {
	type test func(string) bool
	var all, none, some []test
	c := &scan{s: s}
	for c.space(); !c.end(); c.space() {
		into := &all
		switch c.peek() {
		case '-':
			into = &none
			c.i++
		case '?':
			into = &some
			c.i++
		}
		t, err := c.term()
		if err != nil {
			return nil, err
		}
		*into = append(*into, t)
	}
	if len(all) > 0 || len(none) > 0 {
		some = nil
	}
	return func(message string) bool {
		for _, t := range none {
			if t(message) {
				return false
			}
		}
		for _, t := range all {
			if !t(message) {
				return false
			}
		}
		for _, t := range some {
			if t(message) {
				return true
			}
		}
		return len(some) == 0
	}, nil
}

func (c *scan) term() (func(string) bool, error) {
	switch c.peek() {
	case '"':
		phrase, err := c.quoted()
		if err != nil {
			return nil, err
		}
		return func(m string) bool { return strings.Contains(m, phrase) }, nil
	case '%':
		re, err := c.regex()
		if err != nil {
			return nil, err
		}
		return re.match, nil
	}
	word := c.while(func(r rune) bool { return !strings.ContainsRune(" \t\r\n\v\f", r) })
	if word == "" || strings.ContainsFunc(word, func(r rune) bool { return !isName(r) }) {
		return nil, syntax("Invalid character(s) in term '%s'", word)
	}
	return func(m string) bool { return strings.Contains(m, word) }, nil
}
