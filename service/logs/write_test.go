package logs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/slipway-dev/slipway/api/logsapi"
	events "github.com/slipway-dev/slipway/telemetry/logs"
)

func TestPutLogEventsSiftsAndChecks(t *testing.T) {
	w := newWorld(t)
	w.write("g", "s")
	put := func(in []logsapi.InputLogEvent) (*logsapi.PutLogEventsOutput, error) {
		return w.s.PutLogEvents(w.ctx, &logsapi.PutLogEventsInput{LogGroupName: new("g"), LogStreamName: new("s"), LogEvents: in})
	}
	now := time.Now()
	at := func(d time.Duration, m string) logsapi.InputLogEvent {
		return logsapi.InputLogEvent{Timestamp: new(now.Add(d).UnixMilli()), Message: &m}
	}
	day := 24 * time.Hour
	out, err := put([]logsapi.InputLogEvent{at(-14*day-time.Hour, "old"), at(-14*day+time.Hour, "ok")})
	if err != nil || *out.RejectedLogEventsInfo.TooOldLogEventEndIndex != 1 || out.RejectedLogEventsInfo.TooNewLogEventStartIndex != nil {
		t.Errorf("%+v %v", out, err)
	}
	out, err = put([]logsapi.InputLogEvent{at(time.Hour, "ok"), at(3*time.Hour, "ahead")})
	if err != nil || *out.RejectedLogEventsInfo.TooNewLogEventStartIndex != 1 {
		t.Errorf("%+v %v", out, err)
	}
	if out, err = put([]logsapi.InputLogEvent{at(0, "ok")}); err != nil || out.RejectedLogEventsInfo != nil || len(*out.NextSequenceToken) != 56 {
		t.Errorf("%+v %v", out, err)
	}
	big := strings.Repeat("x", 600<<10)
	for name, in := range map[string][]logsapi.InputLogEvent{
		"chronological order":  {at(0, "a"), at(-1*time.Second, "b")},
		"span more than 24":    {at(-25*time.Hour, "a"), at(0, "b")},
		"Upload too large":     {at(0, big), at(0, big)},
		"Log event too large:": {at(0, big+big)},
	} {
		if _, err := put(in); !strings.Contains(fmt.Sprint(err), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.s.PutRetentionPolicy(w.ctx, &logsapi.PutRetentionPolicyInput{LogGroupName: new("g"), RetentionInDays: new(int32(3))}); err != nil {
		t.Fatal(err)
	}
	if out, err = put([]logsapi.InputLogEvent{at(-4*day, "expired")}); err != nil || *out.RejectedLogEventsInfo.ExpiredLogEventEndIndex != 1 {
		t.Errorf("%+v %v", out, err)
	}
	_, err = w.s.PutLogEvents(w.ctx, &logsapi.PutLogEventsInput{LogGroupName: new("g"), LogStreamName: new("none")})
	if fmt.Sprint(err) != "ResourceNotFoundException: The specified log stream does not exist." {
		t.Error(err)
	}
	found, err := w.s.FilterLogEvents(w.ctx, &logsapi.FilterLogEventsInput{LogGroupName: new("g")})
	if err != nil || len(found.Events) != 2 { // the 13-day-old one is past the retention now
		t.Errorf("%+v %v", found.Events, err)
	}
}

func TestWriteNeedsAGroupUnlessItMayMakeOne(t *testing.T) {
	w := newWorld(t)
	if err := w.s.Write(w.ctx, scope, "none", "s", false, []events.Event{line(1, "x")}); code(err) != "ResourceNotFoundException" {
		t.Error(err)
	}
}

func TestLongLinesAreParted(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("ä", 1<<20)
	w.write("g", "s", line(1, "a"), line(2, long), line(3, "z"))
	var got []string
	err := w.ev.Scan(t.Context(), events.Query{Group: w.ev.Groups()[0]}, func(e events.Event) bool { got = append(got, e.Message); return true })
	if err != nil || len(got) != 5 || got[0] != "a" || got[4] != "z" || strings.Join(got[1:4], "") != long || !utf8.ValidString(got[1]) {
		t.Errorf("%d events, %v", len(got), err)
	}
}
