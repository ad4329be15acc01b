package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
)

// tree is the live view of a stack operation on a terminal: one line of
// totals, one for each resource that is being worked on or has failed, and
// the board of the services that are being deployed.
type tree struct {
	screen
	what    string
	began   time.Time
	order   []string // logical ids in progress, in the order they were begun
	working map[string]*branch
	failed  []string
	board   *board
	running []serviceReport
	done    int
	closed  bool
}

// branch is one resource in progress.
type branch struct {
	kind    string
	started time.Time
}

// shownAtOnce bounds the resources of the tree.
const shownAtOnce = 8

func newTree(a *app, what string, since time.Time) *tree {
	return &tree{screen: screen{app: a}, what: what, began: since, working: map[string]*branch{}, board: newBoard(a, since)}
}

func (t *tree) event(ev cfnapi.StackEvent) {
	id, status := val(ev.LogicalResourceId), string(ev.ResourceStatus)
	if val(ev.PhysicalResourceId) == val(ev.StackId) {
		return // the stack itself: the totals say it
	}
	if strings.HasSuffix(status, "_IN_PROGRESS") {
		if t.working[id] == nil {
			t.order = append(t.order, id)
			t.working[id] = &branch{kind: val(ev.ResourceType), started: val(ev.Timestamp)}
		}
		return
	}
	delete(t.working, id)
	t.order = slices.DeleteFunc(t.order, func(o string) bool { return o == id })
	t.done++
	if strings.HasSuffix(status, "_FAILED") {
		t.failed = append(t.failed, fmt.Sprintf("  %s %s  %s", t.red("✗"), id, val(ev.ResourceStatusReason)))
	}
}

func (*tree) wantsProgress() bool { return true }

func (t *tree) progress(now []serviceReport) { t.running = now }

func (t *tree) tick() {
	if !t.closed {
		t.show(t.rows(time.Now()))
	}
}

// rows are the lines of the tree. Services are on the board.
func (t *tree) rows(now time.Time) []string {
	rows := []string{fmt.Sprintf("%s %s  %d done, %d in progress  %s", t.yellow("●"), t.what, t.done, len(t.order), t.faint(elapsed(t.began, now)))}
	rows = append(rows, t.failed...)
	onBoard := len(t.running) > 0
	shown := 0
	for _, id := range t.order {
		b := t.working[id]
		if onBoard && b.kind == ecsService {
			continue
		}
		if shown++; shown > shownAtOnce {
			rows = append(rows, "  …")
			break
		}
		rows = append(rows, fmt.Sprintf("  %s %-32s %s %s", t.yellow("↻"), id, t.faint(b.kind), t.faint(elapsed(b.started, now))))
	}
	for _, r := range t.board.rows(t.running) {
		rows = append(rows, "  "+r)
	}
	return rows
}

// elapsed is the time from a to b in tenths of a second. Clocks of two
// processes may differ by a little: it is never negative.
func elapsed(a, b time.Time) string { return max(b.Sub(a), 0).Round(100 * time.Millisecond).String() }

// close takes the tree away, but for what failed and how the services ended.
func (t *tree) close() {
	if t.closed {
		return
	}
	t.closed = true
	t.clear()
	var b strings.Builder
	for _, f := range t.failed {
		b.WriteString(f + "\n")
	}
	for _, r := range t.board.rows(t.running) {
		b.WriteString("  " + r + "\n")
	}
	_, _ = t.out.Write([]byte(b.String()))
}
