package cli

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// glass is a terminal of which every picture is kept: it knows the sequences
// that screen writes, and drops colours.
type glass struct {
	lines    []string // above the cursor
	pictures []string
}

var (
	up     = regexp.MustCompile("^\x1b\\[([0-9]+)A\x1b\\[J")
	passed = regexp.MustCompile(`\b[0-9]+(\.[0-9]+)?m?s\b`)
)

func (g *glass) Write(b []byte) (int, error) {
	rest := b
	if m := up.FindSubmatch(rest); m != nil {
		n, _ := strconv.Atoi(string(m[1]))
		g.lines, rest = g.lines[:len(g.lines)-n], rest[len(m[0]):]
	}
	for line := range bytes.Lines(rest) {
		g.lines = append(g.lines, ansi.Strip(strings.TrimSuffix(string(line), "\n")))
	}
	if len(b) == 0 {
		return 0, nil
	}
	// Time passes in every picture; those that differ in nothing else are one.
	now := passed.ReplaceAllString(strings.Join(g.lines, "\n"), "#s")
	if n := len(g.pictures); n == 0 || g.pictures[n-1] != now {
		g.pictures = append(g.pictures, now)
	}
	return len(b), nil
}

func (g *glass) String() string { return strings.Join(g.pictures, "\n---\n") + "\n" }
