package pattern

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDepth bounds the nesting of parentheses.
const maxDepth = 50

// maxRegexes is how many regular expressions one JSON or space-delimited
// pattern may hold.
const maxRegexes = 2

// scan is a position in a pattern.
type scan struct {
	s       string
	i       int
	depth   int
	regexes int
}

func (c *scan) space() {
	for c.i < len(c.s) {
		r, n := utf8.DecodeRuneInString(c.s[c.i:])
		if !unicode.IsSpace(r) {
			return
		}
		c.i += n
	}
}

func (c *scan) end() bool { return c.i >= len(c.s) }

func (c *scan) peek() byte {
	if c.end() {
		return 0
	}
	return c.s[c.i]
}

// take consumes the literal when it is next, after white space.
func (c *scan) take(literal string) bool {
	c.space()
	if strings.HasPrefix(c.s[c.i:], literal) {
		c.i += len(literal)
		return true
	}
	return false
}

// word consumes a keyword, in any case, that ends at a word boundary.
func (c *scan) word(keyword string) bool {
	c.space()
	rest := c.s[c.i:]
	if len(rest) < len(keyword) || !strings.EqualFold(rest[:len(keyword)], keyword) {
		return false
	}
	if len(rest) > len(keyword) && isName(rune(rest[len(keyword)])) {
		return false
	}
	c.i += len(keyword)
	return true
}

// operator consumes a comparison, or returns "".
func (c *scan) operator() string {
	for _, op := range []string{"!=", "<=", ">=", "=", "<", ">"} {
		if c.take(op) {
			return op
		}
	}
	return ""
}

// quoted consumes "..."; \" and \\ stand for the character itself, every
// other backslash for itself.
func (c *scan) quoted() (string, error) {
	start := c.i
	c.i++
	var b strings.Builder
	for !c.end() {
		ch := c.s[c.i]
		switch {
		case ch == '"':
			c.i++
			return b.String(), nil
		case ch == '\\' && c.i+1 < len(c.s) && (c.s[c.i+1] == '"' || c.s[c.i+1] == '\\'):
			c.i++
			b.WriteByte(c.s[c.i])
		default:
			b.WriteByte(ch)
		}
		c.i++
	}
	return "", syntax("Invalid filter pattern: unterminated string %s", c.s[start:])
}

// regex consumes %...%.
func (c *scan) regex() (*regex, error) {
	n := strings.IndexByte(c.s[c.i+1:], '%')
	if n < 0 {
		return nil, syntax("Invalid filter pattern: unterminated regular expression %s", c.s[c.i:])
	}
	source := c.s[c.i+1 : c.i+1+n]
	c.i += n + 2
	c.regexes++
	return compileRegex(source)
}

// while consumes the longest run of runes that ok accepts.
func (c *scan) while(ok func(rune) bool) string {
	start := c.i
	for c.i < len(c.s) {
		r, n := utf8.DecodeRuneInString(c.s[c.i:])
		if !ok(r) {
			break
		}
		c.i += n
	}
	return c.s[start:c.i]
}

func isName(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
}
