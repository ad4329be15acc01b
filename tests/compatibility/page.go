package main

import (
	"fmt"
	"strings"
)

const head = `# Compatibility

Which operation of which service works with which client, as the tests have seen it: ✓ the client called it and read its answer; ✗ it called it and was told that it is
not implemented; blank: no test has called it with that client (which does not say that it would fail). An operation that is not implemented answers so, in its service's
way, and never pretends. This page is made from records of the tests by ` + "`make compatibility`" + `, and CI holds it to them.

`

// Marks of a cell.
const (
	markWorks   = "✓"
	markMissing = "✗"
)

// page is the matrix as Markdown.
func (m matrix) page() string {
	var b strings.Builder
	b.WriteString(head)
	names, operations := m.services()
	b.WriteString("| service | implemented | " + strings.Join(clients, " | ") + " |\n|---|---|" + strings.Repeat("---|", len(clients)) + "\n")
	for _, service := range names {
		done := 0
		for _, op := range operations[service] {
			if m.answered[operation{service, op}] {
				done++
			}
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %d of %d |", service, service, done, len(operations[service]))
		for _, client := range clients {
			n := 0
			for op, worked := range m.seen[client] {
				if worked && op.service == service {
					n++
				}
			}
			if n == 0 {
				b.WriteString("  |")
				continue
			}
			fmt.Fprintf(&b, " %d |", n)
		}
		b.WriteByte('\n')
	}
	for _, service := range names {
		m.section(&b, service, operations[service])
	}
	return b.String()
}

func (m matrix) section(b *strings.Builder, service string, operations []string) {
	fmt.Fprintf(b, "\n## %s\n\n| operation | %s |\n|---|%s\n", service, strings.Join(clients, " | "), strings.Repeat("---|", len(clients)))
	var rest []string
	for _, name := range operations {
		op := operation{service, name}
		if !m.answered[op] {
			rest = append(rest, name)
		}
		cells, called := "", false
		for _, client := range clients {
			worked, seen := m.seen[client][op]
			mark := " "
			switch {
			case worked:
				mark = markWorks
			case seen:
				mark = markMissing
			}
			cells, called = cells+" "+mark+" |", called || seen
		}
		if m.answered[op] || called {
			fmt.Fprintf(b, "| %s |%s\n", name, cells)
		}
	}
	if len(rest) > 0 {
		fmt.Fprintf(b, "\n%s%s.\n", notImplemented, strings.Join(rest, ", "))
	}
}

// notImplemented begins the list of those of a service.
const notImplemented = "Not implemented: "

// readPage reads back what page has written.
func readPage(text string) matrix {
	m := newMatrix()
	service := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "## "); ok {
			service = name
			continue
		}
		if list, ok := strings.CutPrefix(line, notImplemented); ok {
			for name := range strings.SplitSeq(strings.TrimSuffix(list, "."), ", ") {
				m.answered[operation{service, name}] = false
			}
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if service == "" || !strings.HasPrefix(line, "|") || len(cells) != 1+len(clients) || strings.HasPrefix(line, "|---") {
			continue
		}
		op := operation{service, strings.TrimSpace(cells[0])}
		if op.name == "operation" {
			continue
		}
		m.answered[op] = true // unless the list below denies it
		for i, client := range clients {
			switch strings.TrimSpace(cells[i+1]) {
			case markWorks:
				m.see(client, op, true)
			case markMissing:
				m.see(client, op, false)
			}
		}
	}
	return m
}
