package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// board shows services while they are deployed, a line each:
//
//	SERVICE  REV  STAGE    DESIRED  RUNNING  HEALTHY  FAILED  LAST EVENT
//	payment  8    rolling        2        1        1       0  has started 1 tasks: (task 1f0c9a2b).
//
// On a terminal it is drawn again and again; elsewhere a line is printed
// whenever one has changed.
type board struct {
	*app
	since time.Time         // what was before is history; events carry whole milliseconds
	said  map[string]string // by service: its line as printed last
	told  map[string]bool   // ids of events
}

func newBoard(a *app, since time.Time) *board {
	return &board{app: a, since: since.Truncate(time.Millisecond), said: map[string]string{}, told: map[string]bool{}}
}

// show is a board by itself: a screen that is drawn again and again, or lines.
type show struct {
	*board
	screen screen
}

func (a *app) newShow(since time.Time) *show {
	return &show{board: newBoard(a, since), screen: screen{app: a}}
}

// services shows how they are now.
func (s *show) services(now []serviceReport) {
	switch {
	case s.live():
		s.screen.show(s.rows(now))
	case !s.json:
		s.changes(now)
	}
}

// close takes the screen away.
func (s *show) close() {
	if s.live() {
		s.screen.clear()
	}
}

// rows are the lines for a terminal, in columns.
func (b *board) rows(services []serviceReport) []string {
	if len(services) == 0 {
		return nil
	}
	table := [][]string{{"SERVICE", "REV", "STAGE", "DESIRED", "RUNNING", "HEALTHY", "FAILED", "LAST EVENT"}}
	for i := range table[0] {
		table[0][i] = b.faint(table[0][i])
	}
	for _, s := range services {
		d := s.newest()
		failed := strconv.Itoa(d.Failed)
		if d.Failed > 0 {
			failed = b.red(failed)
		}
		table = append(table, []string{
			b.bold(s.Name), d.number(), b.staged(s.stage()), strconv.Itoa(s.Desired), strconv.Itoa(d.Running), strconv.Itoa(d.Healthy), failed,
			briefIDs(s.LastEvent),
		})
	}
	return columns(table, 3, 6)
}

// columns aligns a table; the columns from right to rightEnd hold numbers.
// Colours have no width.
func columns(table [][]string, right, rightEnd int) []string {
	width := make([]int, len(table[0]))
	for _, row := range table {
		for i, cell := range row {
			width[i] = max(width[i], ansi.StringWidth(cell))
		}
	}
	out := make([]string, 0, len(table))
	for _, row := range table {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-ansi.StringWidth(cell))
			switch {
			case i >= right && i <= rightEnd:
				line.WriteString(pad + cell + "  ")
			default:
				line.WriteString(cell + pad + "  ")
			}
		}
		out = append(out, strings.TrimRight(line.String(), " "))
	}
	return out
}

// changes prints a line for every service whose figures have changed and for
// every event, the youngest on the line of the figures.
func (b *board) changes(services []serviceReport) {
	for _, s := range services {
		d := s.newest()
		fresh := b.fresh(s)
		line := fmt.Sprintf("%s  revision %s  %s  %d desired, %d running, %d healthy, %d failed", s.Name, d.number(), s.stage(), s.Desired, d.Running, d.Healthy, d.Failed)
		changed := b.said[s.Name] != line
		b.said[s.Name] = line
		if n := len(fresh); changed && n > 0 {
			line, fresh = line+"  "+fresh[n-1], fresh[:n-1]
		}
		for _, event := range fresh {
			fmt.Fprintf(b.out, "  %s  %s\n", s.Name, event)
		}
		if changed {
			fmt.Fprintln(b.out, "  "+line)
		}
	}
}

// fresh are the events of a service that were not told yet, oldest first.
func (b *board) fresh(s serviceReport) (out []string) {
	for _, ev := range slices.Backward(s.events) {
		if b.told[ev.ID] || ev.Time.Before(b.since) {
			continue
		}
		b.told[ev.ID] = true
		out = append(out, briefIDs(ev.Message))
	}
	return out
}

// staged paints the word for a stage.
func (b *board) staged(stage string) string {
	switch {
	case strings.Contains(stage, "back") || strings.Contains(stage, "failed") || strings.Contains(stage, "stop"):
		return b.red(stage)
	case stage == "steady":
		return b.green(stage)
	}
	return b.yellow(stage)
}

// newest is the deployment that the service is on its way to.
func (s serviceReport) newest() deploymentReport {
	if len(s.Deployments) == 0 {
		return deploymentReport{}
	}
	return s.Deployments[0]
}

// number is the revision without its family, which the service says.
func (d deploymentReport) number() string {
	if d.Revision == "" {
		return "-"
	}
	return d.Revision[strings.LastIndexByte(d.Revision, ':')+1:]
}

var taskID = regexp.MustCompile(`\(task ([0-9a-f]{8})[0-9a-f]+\)`)

// briefIDs shortens the ids of tasks in an event, as every list of tasks does.
func briefIDs(event string) string { return taskID.ReplaceAllString(event, "(task $1)") }

// number prints a figure without needless digits.
func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
