package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// serveLogs answers FilterLogEvents from events that become visible at a time
// of their own.
func (c *cloud) serveLogs(group string, visible func() []logsapi.FilteredLogEvent) {
	const page = 3
	handle(c, c.logs, "FilterLogEvents", func(in *logsapi.FilterLogEventsInput) (*logsapi.FilterLogEventsOutput, error) {
		if *in.LogGroupName != group {
			return nil, awsapi.Errorf("ResourceNotFoundException", 400, "The specified log group does not exist.")
		}
		var found []logsapi.FilteredLogEvent
		for _, e := range visible() {
			if *e.Timestamp >= val(in.StartTime) && (in.EndTime == nil || *e.Timestamp <= *in.EndTime) {
				found = append(found, e)
			}
		}
		slices.SortStableFunc(found, func(a, b logsapi.FilteredLogEvent) int { return cmp.Compare(*a.Timestamp, *b.Timestamp) })
		from := 0
		if in.NextToken != nil {
			from, _ = strconv.Atoi(*in.NextToken)
		}
		out := &logsapi.FilterLogEventsOutput{Events: found[min(from, len(found)):min(from+page, len(found))]}
		if from+page < len(found) {
			out.NextToken = new(strconv.Itoa(from + page))
		}
		return out, nil
	})
}

func logEvent(id, stream, message string, at time.Time) logsapi.FilteredLogEvent {
	return logsapi.FilteredLogEvent{EventId: &id, LogStreamName: &stream, Message: &message, Timestamp: new(at.UnixMilli())}
}

// TestTailGivesEachEventOnce: whatever streams write, and however late it
// reaches the log within the overlap, every event comes once.
func TestTailGivesEachEventOnce(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		start := time.UnixMilli(1_700_000_000_000)
		now := start
		type late struct {
			logsapi.FilteredLogEvent
			visible time.Time
		}
		var all []late
		n := rapid.IntRange(0, 30).Draw(r, "events")
		for i := range n {
			at := start.Add(time.Duration(rapid.IntRange(-20_000, 20_000).Draw(r, "at")) * time.Millisecond)
			delay := time.Duration(rapid.IntRange(0, 4_000).Draw(r, "delay")) * time.Millisecond
			all = append(all, late{logEvent(fmt.Sprint(i), "p/c/t"+fmt.Sprint(i%3), "m", at), at.Add(delay)})
		}
		c := newCloud(t)
		c.serveLogs("/g", func() (out []logsapi.FilteredLogEvent) {
			for _, e := range all {
				if !e.visible.After(now) {
					out = append(out, e.FilteredLogEvent)
				}
			}
			return out
		})
		a := c.app()
		tl := newTail(c.platform(a).client, "svc", "/g", "", "")
		got := map[string]int{}
		take := func(lines []logLine, err error) {
			if err != nil {
				r.Fatal(err)
			}
			for _, l := range lines {
				got[l.ID]++
			}
		}
		take(tl.first(t.Context(), time.Time{}, now, -1))
		for now.Before(start.Add(26 * time.Second)) {
			now = now.Add(followEvery)
			take(tl.next(t.Context()))
		}
		for _, e := range all {
			if got[*e.EventId] != 1 {
				r.Fatalf("event %s at %s, visible at %s, came %d times", *e.EventId, time.UnixMilli(*e.Timestamp).Sub(start), e.visible.Sub(start), got[*e.EventId])
			}
		}
	})
}

func TestTailStartsWithTheLastLines(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	var all []logsapi.FilteredLogEvent
	for i := range 40 { // the oldest a month ago
		age := time.Second << min(i/2, 21)
		all = append(all, logEvent(fmt.Sprint(i), "p/c/task", fmt.Sprint(i), now.Add(-age-time.Duration(i)*time.Millisecond)))
	}
	c := newCloud(t)
	c.serveLogs("/g", func() []logsapi.FilteredLogEvent { return all })
	client := c.platform(c.app()).client
	for _, tc := range []struct{ n, want int }{{0, 0}, {1, 1}, {7, 7}, {25, 25}, {40, 40}, {99, 40}, {-1, 40}} {
		lines, err := newTail(client, "svc", "/g", "", "").first(t.Context(), time.Time{}, now, tc.n)
		if err != nil || len(lines) != tc.want {
			t.Fatalf("last %d: %d lines, %v", tc.n, len(lines), err)
		}
		for i, l := range lines { // the youngest, the oldest of them first
			if l.ID != fmt.Sprint(tc.want-1-i) {
				t.Errorf("last %d: line %d is %s", tc.n, i, l.ID)
			}
		}
	}
	if lines, err := newTail(client, "svc", "/g", "", "other").first(t.Context(), time.Time{}, now, 5); err != nil || len(lines) != 0 {
		t.Errorf("lines of another task: %v %v", lines, err)
	}
}

// TestLogsFollow: lines of two services come merged, each once, also over a
// poll that fails because the engine restarts, until ^C.
func TestLogsFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		begin := time.Now()
		c.serveLogs("/ecs/payment-service-dev", func() (out []logsapi.FilteredLogEvent) {
			for i := range int(time.Since(begin)/time.Second) + 1 {
				out = append(out, logEvent(fmt.Sprint("e", i), "payment/payment-container/0123456789abcdef", fmt.Sprint("line ", i, "\n"), begin.Add(time.Duration(i)*time.Second)))
			}
			return out
		})
		down := func() bool { s := time.Since(begin); return s > 3*time.Second && s < 6*time.Second }
		flaky := roundTripper(func(r *http.Request) (*http.Response, error) {
			if down() {
				return nil, fmt.Errorf("connection refused")
			}
			return c.RoundTrip(r)
		})
		ctx, cancel := context.WithTimeout(t.Context(), 9500*time.Millisecond)
		defer cancel()
		a := c.app()
		a.transport = flaky
		if code := a.run(ctx, []string{"logs", "-f", "--home", c.home, "--file", c.manifest}, nil); code != exitOK {
			t.Errorf("exit code %d: %s", code, c.err.String())
		}
		want := ""
		for i := range 10 {
			want += fmt.Sprintf("payment 01234567 | line %d\n", i)
		}
		if c.out.String() != want {
			t.Errorf("got\n%s", c.out.String())
		}
		c.want(&c.err, "the engine does not answer; waiting for it", "the engine answers again")
	})
}

func TestSince(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"10m": now.Add(-10 * time.Minute), "3d": now.AddDate(0, 0, -3), "1h30m": now.Add(-90 * time.Minute),
		"2026-03-01T00:00:00Z": time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := sinceTime(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "soon", "-5m", "3", "d", "-1d", "1.5d"} {
		if got, err := sinceTime(in, now); err == nil {
			t.Errorf("%q is taken for %s", in, got)
		}
	}
}
