package proxy

import "strings"

// pattern is a glob; the usual forms, a plain text and a text followed by
// one star, are compared without it.
type pattern struct {
	text   string
	prefix bool // text followed by *
	glob   bool
}

func compilePattern(s string) pattern {
	switch i := strings.IndexAny(s, "*?"); {
	case i < 0:
		return pattern{text: s}
	case i == len(s)-1 && s[i] == '*':
		return pattern{text: s[:i], prefix: true}
	}
	return pattern{text: s, glob: true}
}

func (p *pattern) match(b []byte, fold bool) bool {
	switch {
	case p.glob:
		return glob(p.text, b, fold)
	case len(b) < len(p.text) || !p.prefix && len(b) != len(p.text):
		return false
	case !fold:
		return string(b[:len(p.text)]) == p.text
	}
	for i := range len(p.text) {
		if lower(b[i]) != lower(p.text[i]) {
			return false
		}
	}
	return true
}
