package cli

import (
	"fmt"
	"strings"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
)

// tree is the live view of a stack operation on a terminal: one line of
// totals, and one for each resource that is being worked on or has failed.
type tree struct {
	*app
	what    string
	began   time.Time
	order   []string
	working map[string]cfnapi.StackEvent
	started map[string]time.Time
	failed  []string
	done    int
	drawn   int // lines on the screen
	closed  bool
}

// shownAtOnce bounds the height of the tree.
const shownAtOnce = 8

func newTree(a *app, what string) *tree {
	return &tree{app: a, what: what, began: time.Now(), working: map[string]cfnapi.StackEvent{}, started: map[string]time.Time{}}
}

func (t *tree) event(ev cfnapi.StackEvent) {
	if val(ev.LogicalResourceId) == val(ev.StackName) {
		return // the stack itself: the totals say it
	}
	id, status := val(ev.LogicalResourceId), string(ev.ResourceStatus)
	switch {
	case strings.HasSuffix(status, "_IN_PROGRESS"):
		if _, ok := t.working[id]; !ok {
			t.order = append(t.order, id)
			t.started[id] = val(ev.Timestamp)
		}
		t.working[id] = ev
	default:
		delete(t.working, id)
		t.order = removed(t.order, id)
		t.done++
		if strings.HasSuffix(status, "_FAILED") {
			t.failed = append(t.failed, fmt.Sprintf("  %s %s %s", t.red("✗"), id, val(ev.ResourceStatusReason)))
		}
	}
	t.draw()
}

func removed(list []string, s string) []string {
	for i := range list {
		if list[i] == s {
			return append(list[:i:i], list[i+1:]...)
		}
	}
	return list
}

func (t *tree) draw() {
	var b strings.Builder
	t.erase(&b)
	fmt.Fprintf(&b, "%s %s  %d done, %d in progress  %s\n", t.yellow("●"), t.what, t.done, len(t.order), t.faint(time.Since(t.began).Round(100*time.Millisecond).String()))
	rows := 1
	for _, f := range t.failed {
		b.WriteString(f + "\n")
		rows += 1 + len(f)/100
	}
	for i, id := range t.order {
		if i == shownAtOnce {
			fmt.Fprintf(&b, "  … and %d more\n", len(t.order)-i)
			rows++
			break
		}
		ev := t.working[id]
		fmt.Fprintf(&b, "  %s %-36s %s %s\n", t.yellow("↻"), id, t.faint(val(ev.ResourceType)), t.faint(time.Since(t.started[id]).Round(100*time.Millisecond).String()))
		rows++
	}
	t.drawn = rows
	fmt.Fprint(t.out, b.String())
}

// erase moves back over what was drawn.
func (t *tree) erase(b *strings.Builder) {
	if t.drawn > 0 {
		fmt.Fprintf(b, "\x1b[%dA\x1b[J", t.drawn)
	}
	t.drawn = 0
}

// close takes the tree away, but for what failed.
func (t *tree) close() {
	if t.closed {
		return
	}
	t.closed = true
	var b strings.Builder
	t.erase(&b)
	for _, f := range t.failed {
		b.WriteString(f + "\n")
	}
	fmt.Fprint(t.out, b.String())
}
