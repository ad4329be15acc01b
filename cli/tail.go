package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/logsapi"
)

const (
	// followEvery is how often followed logs are asked for new events.
	followEvery = 500 * time.Millisecond
	// overlap is read again at every poll: an event may reach its log after a
	// younger one of another stream.
	overlap = 5 * time.Second
)

// errNoGroup: the log group does not exist, or not yet.
var errNoGroup = errors.New("no log group")

// tail reads one log group: what is there, then what comes, each event once.
type tail struct {
	client  *client
	service string
	group   string
	pattern string
	task    string // beginning of a task's id; empty: all

	floor   int64            // ms; nothing before it is asked for
	highest int64            // ms; the youngest event seen
	seen    map[string]int64 // event ids that the overlap may bring again, with their times
}

func newTail(c *client, service, group, pattern, task string) *tail {
	return &tail{client: c, service: service, group: group, pattern: pattern, task: task, seen: map[string]int64{}}
}

// first reads the events since from until now; at most n if n is not
// negative, the youngest ones.
//
// FilterLogEvents reads from the old to the young, so the last n are found by
// looking at the last minute, then at ever longer times before it.
func (t *tail) first(ctx context.Context, from, now time.Time, n int) ([]logLine, error) {
	lowest := int64(0)
	if !from.IsZero() {
		lowest = from.UnixMilli()
	}
	end := now.UnixMilli()
	t.floor, t.highest = max(lowest, end-overlap.Milliseconds()), end
	if n < 0 {
		t.floor = lowest
		lines, err := t.read(ctx, lowest, nil)
		t.forget()
		return lines, err
	}
	var lines []logLine
	for span, until := time.Minute.Milliseconds(), (*int64)(nil); ; span *= 10 {
		begin := max(end-span, lowest)
		got, err := t.read(ctx, begin, until)
		if err != nil {
			return nil, err
		}
		lines = append(got, lines...)
		if len(lines) >= n || begin <= lowest {
			break
		}
		until = new(begin - 1) // the end belongs to the range
	}
	t.forget()
	return lines[max(0, len(lines)-n):], nil
}

// next reads the events that have come since the last call.
func (t *tail) next(ctx context.Context) ([]logLine, error) {
	lines, err := t.read(ctx, max(t.floor, t.highest-overlap.Milliseconds()), nil)
	t.forget()
	return lines, err
}

// read reads every event from begin to end that was not read before. With an
// error come the events read until then.
func (t *tail) read(ctx context.Context, begin int64, end *int64) ([]logLine, error) {
	in := &logsapi.FilterLogEventsInput{LogGroupName: &t.group, StartTime: &begin, EndTime: end}
	if t.pattern != "" {
		in.FilterPattern = &t.pattern
	}
	var out []logLine
	for {
		got, err := call[logsapi.FilterLogEventsInput, logsapi.FilterLogEventsOutput](ctx, t.client, "logs", "FilterLogEvents", in)
		if isCode(err, "ResourceNotFoundException") {
			return out, errNoGroup
		}
		if err != nil {
			return out, err
		}
		for _, e := range got.Events {
			id, ms := val(e.EventId), val(e.Timestamp)
			t.highest = max(t.highest, ms)
			if _, again := t.seen[id]; again {
				continue
			}
			t.seen[id] = ms
			if l := newLogLine(t.service, val(e.LogStreamName), id, val(e.Message), ms); strings.HasPrefix(l.Task, t.task) {
				out = append(out, l)
			}
		}
		if got.NextToken == nil {
			return out, nil
		}
		in.NextToken = got.NextToken
	}
}

// forget drops the ids that will not be asked for again.
func (t *tail) forget() {
	for id, ms := range t.seen {
		if ms < t.highest-overlap.Milliseconds() {
			delete(t.seen, id)
		}
	}
}
