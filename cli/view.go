package cli

import (
	"fmt"
	"strings"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
)

// view shows an operation of a stack: a live tree on a terminal, lines
// otherwise.
type view interface {
	event(cfnapi.StackEvent)
	wantsProgress() bool
	progress([]serviceReport) // how far the services in progress are
	tick()                    // time has passed
	close()
}

func (a *app) newView(what string, since time.Time) view {
	switch {
	case a.json:
		return silent{}
	case a.live():
		return newTree(a, what, since)
	}
	return lines{a, newBoard(a, since)}
}

type silent struct{}

func (silent) event(cfnapi.StackEvent)  {}
func (silent) wantsProgress() bool      { return false }
func (silent) progress([]serviceReport) {}
func (silent) tick()                    {}
func (silent) close()                   {}

// lines prints one line for each thing that is finished or has failed, and for
// each step of a service.
type lines struct {
	*app
	board *board
}

func (l lines) event(ev cfnapi.StackEvent) {
	status := string(ev.ResourceStatus)
	if strings.HasSuffix(status, "_IN_PROGRESS") {
		return
	}
	reason := ""
	if r := val(ev.ResourceStatusReason); r != "" {
		reason = "  " + r
	}
	fmt.Fprintf(l.out, "  %-24s %-40s %s%s\n", status, val(ev.LogicalResourceId), val(ev.ResourceType), reason)
}

func (lines) wantsProgress() bool            { return true }
func (l lines) progress(now []serviceReport) { l.board.changes(now) }
func (lines) tick()                          {}
func (lines) close()                         {}
