// Package pattern is the filter-pattern language of CloudWatch Logs: terms,
// JSON properties and space-delimited fields. It is pure; a Pattern is
// immutable and safe for concurrent use.
//
// The language is that of "Filter pattern syntax for metric filters,
// subscription filters, filter log events, and Live Tail" in the CloudWatch
// Logs user guide.
package pattern

import (
	"fmt"
	"strings"
)

// Pattern decides which messages match.
type Pattern struct {
	source string
	match  func(message string) bool
}

// SyntaxError says what is wrong with a pattern.
type SyntaxError struct{ Reason string }

func (e *SyntaxError) Error() string { return e.Reason }

func syntax(format string, args ...any) error {
	return &SyntaxError{fmt.Sprintf(format, args...)}
}

// Parse reads a pattern. An empty one matches everything. Errors are
// *SyntaxError.
func Parse(s string) (*Pattern, error) {
	p := &Pattern{source: s}
	text := strings.TrimSpace(s)
	var err error
	switch {
	case text == "":
		p.match = func(string) bool { return true }
	case text[0] == '{':
		p.match, err = parseJSON(text)
	case text[0] == '[':
		p.match, err = parseFields(text)
	default:
		p.match, err = parseTerms(text)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Match reports whether a message matches.
func (p *Pattern) Match(message string) bool { return p.match(message) }

// String is the pattern as it was given.
func (p *Pattern) String() string { return p.source }
