package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// clients are the columns of the page.
var clients = []string{"aws CLI 1", "aws CLI 2", "boto3", "Go SDK", "CDK", "Terraform"}

// Outcomes, as engine/record.go writes them.
const (
	implemented = "implemented"
	missing     = "not implemented"
	works       = "works"
)

// operation of a service.
type operation struct{ service, name string }

// matrix is what a record or a page says.
type matrix struct {
	answered map[operation]bool            // by the engine; false: it says that it does not
	seen     map[string]map[operation]bool // by client: true works, false was told that it is not implemented
}

func newMatrix() matrix {
	return matrix{answered: map[operation]bool{}, seen: map[string]map[operation]bool{}}
}

func (m matrix) see(client string, op operation, worked bool) {
	if m.seen[client] == nil {
		m.seen[client] = map[operation]bool{}
	}
	m.seen[client][op] = worked || m.seen[client][op]
}

// readRecord reads lines of client, service, operation and outcome.
func readRecord(r io.Reader) (matrix, error) {
	m := newMatrix()
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		f := strings.Split(lines.Text(), "\t")
		if len(f) != 4 {
			return m, fmt.Errorf("line %d is not of four fields: %q", n, lines.Text())
		}
		op := operation{f[1], f[2]}
		if f[0] == "engine" {
			m.answered[op] = f[3] == implemented
			continue
		}
		m.see(f[0], op, f[3] == works)
	}
	if len(m.answered) == 0 && lines.Err() == nil {
		return m, fmt.Errorf("no engine has written to it")
	}
	return m, lines.Err()
}

// with takes the columns of clients that m has nothing of from another matrix.
func (m matrix) with(before matrix) matrix {
	out := matrix{m.answered, maps.Clone(m.seen)}
	for client, ops := range before.seen {
		if out.seen[client] == nil {
			out.seen[client] = ops
		}
	}
	return out
}

// contradictions are what a page says and a record denies, or does not prove. What is
// new and not on the page yet is none.
func (m matrix) contradictions(page matrix) (wrong []string) {
	for op, claimed := range page.answered {
		if claimed && !m.answered[op] {
			wrong = append(wrong, fmt.Sprintf("%s %s is not implemented, the page says that it is", op.service, op.name))
		}
	}
	for client, ops := range page.seen {
		if m.seen[client] == nil {
			continue // it did not run
		}
		for op, claimed := range ops {
			if got, called := m.seen[client][op]; claimed && !got {
				wrong = append(wrong, fmt.Sprintf("%s %s with %s: the page says that it works, no test has shown it (called: %t)", op.service, op.name, client, called))
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

// services are the services of the matrix, with their operations, sorted.
func (m matrix) services() (names []string, operations map[string][]string) {
	operations = map[string][]string{}
	for op := range m.answered {
		operations[op.service] = append(operations[op.service], op.name)
	}
	for _, ops := range operations {
		slices.Sort(ops)
	}
	return slices.Sorted(maps.Keys(operations)), operations
}
