package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in the file; lines and columns count from 1. The zero Position is nowhere.
type Position struct{ Line, Column int }

// Error is one thing wrong with a manifest.
type Error struct {
	File string
	Position
	Path    string // where in the document, such as services.payment.cpu; empty for the document itself
	Message string // what is wrong and what is allowed
	Source  string // the line of the file, without its end
}

// Error renders "file:line:column: path: message", the form editors and terminals make clickable.
func (e *Error) Error() string {
	where := e.File
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
	}
	if e.Path == "" {
		return where + ": " + e.Message
	}
	return where + ": " + e.Path + ": " + e.Message
}

// Excerpt renders the line with a caret under the column, or nothing when the position is unknown.
func (e *Error) Excerpt() string {
	if e.Line == 0 || e.Source == "" || len(e.Source) > 400 {
		return ""
	}
	source, pad := []rune(e.Source), min(e.Column-1, len([]rune(e.Source)))
	margin := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(source[:pad]))
	return fmt.Sprintf("%5d | %s\n      | %s^", e.Line, e.Source, margin)
}

// Errors are all the things wrong with a manifest, in the order of the file.
type Errors []*Error

// Error renders one line an error.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Detail renders every error followed by the line it is about.
func (e Errors) Detail() string {
	var b strings.Builder
	for _, one := range e {
		b.WriteString(one.Error() + "\n")
		if excerpt := one.Excerpt(); excerpt != "" {
			b.WriteString(excerpt + "\n")
		}
	}
	return b.String()
}

func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return e
}
