package cli

import (
	"os"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"
)

// screen redraws a few lines at the bottom of a terminal in place.
type screen struct {
	*app
	drawn int // lines on the screen
}

// live tells whether output can be redrawn.
func (a *app) live() bool { return a.terminal && !a.json && os.Getenv("TERM") != "dumb" }

// size is the terminal's width and height in characters.
func (a *app) size() (width, height int) {
	if f, ok := a.out.(*os.File); ok {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil && w > 0 && h > 0 {
			return w, h
		}
	}
	return 80, 24
}

// show replaces what was drawn by rows, cut to the terminal: a line that
// wraps, or one more than fits, could not be taken back.
func (s *screen) show(rows []string) {
	width, height := s.size()
	if most := max(height-1, 1); len(rows) > most {
		rows = append(rows[:most-1:most-1], "…")
	}
	var b strings.Builder
	s.back(&b)
	for _, r := range rows {
		b.WriteString(ansi.Truncate(r, width-1, "…") + "\n")
	}
	s.drawn = len(rows)
	_, _ = s.out.Write([]byte(b.String()))
}

// clear takes away what was drawn.
func (s *screen) clear() {
	var b strings.Builder
	s.back(&b)
	_, _ = s.out.Write([]byte(b.String()))
}

func (s *screen) back(b *strings.Builder) {
	if s.drawn > 0 {
		b.WriteString("\x1b[" + strconv.Itoa(s.drawn) + "A\x1b[J")
	}
	s.drawn = 0
}
