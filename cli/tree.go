package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
)

// tree is the live view of a stack operation on a terminal: one line of
// totals, and one for each resource that is being worked on or has failed,
// with how far it is below it.
type tree struct {
	screen
	what    string
	began   time.Time
	order   []string // logical ids in progress, in the order they were begun
	working map[string]*branch
	failed  []string
	done    int
	closed  bool
}

// branch is one resource in progress.
type branch struct {
	kind    string
	started time.Time
	detail  string
}

// shownAtOnce bounds the resources of the tree.
const shownAtOnce = 8

func newTree(a *app, what string) *tree {
	return &tree{screen: screen{app: a}, what: what, began: time.Now(), working: map[string]*branch{}}
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

func (t *tree) progress(logicalID, text string) {
	if b := t.working[logicalID]; b != nil {
		b.detail = text
	}
}

func (t *tree) tick() {
	if !t.closed {
		t.show(t.rows(time.Now()))
	}
}

// rows are the lines of the tree. Those with details come first, since they
// take longest.
func (t *tree) rows(now time.Time) []string {
	rows := []string{fmt.Sprintf("%s %s  %d done, %d in progress  %s", t.yellow("●"), t.what, t.done, len(t.order), t.faint(elapsed(t.began, now)))}
	rows = append(rows, t.failed...)
	order := slices.Clone(t.order)
	slices.SortStableFunc(order, func(a, b string) int {
		return strings.Compare(t.rank(a), t.rank(b))
	})
	for i, id := range order {
		if i == shownAtOnce {
			rows = append(rows, fmt.Sprintf("  … and %d more", len(order)-i))
			break
		}
		b := t.working[id]
		rows = append(rows, fmt.Sprintf("  %s %-32s %s %s", t.yellow("↻"), id, t.faint(b.kind), t.faint(elapsed(b.started, now))))
		if b.detail != "" {
			rows = append(rows, "      "+b.detail)
		}
	}
	return rows
}

func (t *tree) rank(id string) string {
	if t.working[id].detail != "" {
		return "0"
	}
	return "1"
}

// elapsed is the time from a to b in tenths of a second. Clocks of two
// processes may differ by a little: it is never negative.
func elapsed(a, b time.Time) string { return max(b.Sub(a), 0).Round(100 * time.Millisecond).String() }

// close takes the tree away, but for what failed.
func (t *tree) close() {
	if t.closed {
		return
	}
	t.closed = true
	t.clear()
	for _, f := range t.failed {
		fmt.Fprintln(t.out, f)
	}
}
