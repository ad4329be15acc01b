package logs_test

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

func TestTokensReachEveryEventOnceInBothDirections(t *testing.T) {
	w := newWorld(t)
	base := time.Now().UnixMilli()
	for i := range 25 {
		w.write("g", "s", line(base+int64(i/3), fmt.Sprint(i)))
		w.write("g", "other", line(base, "not mine"))
	}
	get := func(token *string, head bool) *logsapi.GetLogEventsOutput {
		t.Helper()
		out, err := w.s.GetLogEvents(w.ctx, &logsapi.GetLogEventsInput{
			LogGroupIdentifier: new("arn:aws:logs:us-east-1:123456789012:log-group:g:*"), LogStreamName: new("s"),
			NextToken: token, Limit: new(int32(10)), StartFromHead: &head,
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	text := func(out *logsapi.GetLogEventsOutput) (s []string) {
		for _, e := range out.Events {
			s = append(s, *e.Message)
		}
		return s
	}
	var all []string
	page := get(nil, true)
	for len(page.Events) > 0 {
		all = append(all, text(page)...)
		page = get(page.NextForwardToken, false)
	}
	if len(all) != 25 || all[0] != "0" || all[24] != "24" {
		t.Errorf("forward: %v", all)
	}
	if end := get(page.NextForwardToken, false); *end.NextForwardToken != *page.NextForwardToken {
		t.Error("the token changed at the end")
	}
	w.write("g", "s", line(base+100, "new"))
	if got := text(get(page.NextForwardToken, false)); !slices.Equal(got, []string{"new"}) {
		t.Errorf("after the end: %v", got)
	}
	if got := text(get(page.NextBackwardToken, false)); len(got) != 10 || got[9] != "24" {
		t.Errorf("back from the end: %v", got)
	}
	page = get(nil, false)
	if got := text(page); len(got) != 10 || got[9] != "new" || got[0] != "16" {
		t.Errorf("tail: %v", got)
	}
	all = nil
	for len(page.Events) > 0 {
		all = append(text(page), all...)
		page = get(page.NextBackwardToken, false)
	}
	if len(all) != 26 || all[0] != "0" {
		t.Errorf("backward: %v", all)
	}
	if got := text(get(page.NextForwardToken, false)); len(got) != 10 || got[0] != "0" {
		t.Errorf("forth from the beginning: %v", got)
	}
	for _, bad := range []string{"", "x", "f/1/s", "g/" + strings.Repeat("0", 56) + "/s", "f/" + strings.Repeat("0", 56)} {
		if _, err := w.s.GetLogEvents(w.ctx, &logsapi.GetLogEventsInput{LogGroupName: new("g"), LogStreamName: new("s"), NextToken: &bad}); fmt.Sprint(err) != "InvalidParameterException: The specified nextToken is invalid." {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := w.s.GetLogEvents(w.ctx, &logsapi.GetLogEventsInput{LogStreamName: new("s")}); code(err) != "InvalidParameterException" {
		t.Error(err)
	}
}

func TestFilterLogEvents(t *testing.T) {
	w := newWorld(t)
	base := time.Now().UnixMilli()
	for i := range 30 {
		level := []string{"INFO", "ERROR"}[i%2]
		w.write("g", fmt.Sprintf("web/%d", i%3), line(base+int64(i), fmt.Sprintf(`{"level":"%s","n":%d}`, level, i)))
	}
	count := func(in logsapi.FilterLogEventsInput) int {
		t.Helper()
		in.LogGroupName = new("g")
		n, seen := 0, map[string]bool{}
		last := int64(0)
		for {
			out, err := w.s.FilterLogEvents(w.ctx, &in)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range out.Events {
				if seen[*e.EventId] || *e.Timestamp < last {
					t.Errorf("event %s twice or out of order", *e.EventId)
				}
				seen[*e.EventId], last = true, *e.Timestamp
				n++
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return n
			}
		}
	}
	for _, tc := range []struct {
		name string
		in   logsapi.FilterLogEventsInput
		want int
	}{
		{"all", logsapi.FilterLogEventsInput{}, 30},
		{"paged", logsapi.FilterLogEventsInput{Limit: new(int32(4))}, 30},
		{"pattern, paged", logsapi.FilterLogEventsInput{FilterPattern: new("ERROR"), Limit: new(int32(4))}, 15},
		{"json", logsapi.FilterLogEventsInput{FilterPattern: new(`{ $.level = "ERROR" && $.n > 20 }`)}, 5},
		{"range, both ends", logsapi.FilterLogEventsInput{StartTime: new(base + 5), EndTime: new(base + 9)}, 5},
		{"streams", logsapi.FilterLogEventsInput{LogStreamNames: []string{"web/0", "web/2"}}, 20},
		{"prefix", logsapi.FilterLogEventsInput{LogStreamNamePrefix: new("web/1")}, 10},
		{"no such prefix", logsapi.FilterLogEventsInput{LogStreamNamePrefix: new("x")}, 0},
	} {
		if got := count(tc.in); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
	for want, in := range map[string]logsapi.FilterLogEventsInput{
		"Invalid character(s) in term 'a:b'": {FilterPattern: new("a:b")},
		"nextToken is invalid":               {NextToken: new("x")},
		"log stream does not exist":          {LogStreamNames: []string{"none"}},
		"mutually exclusive":                 {LogStreamNames: []string{"web/0"}, LogStreamNamePrefix: new("w")},
	} {
		in.LogGroupName = new("g")
		if _, err := w.s.FilterLogEvents(w.ctx, &in); !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestStreamsAreListedByNameAndByTime(t *testing.T) {
	w := newWorld(t)
	base := time.Now().UnixMilli()
	w.write("g", "b", line(base, "x"))
	w.write("g", "a", line(base+5, "x"), line(base+9, "y"))
	if _, err := w.s.CreateLogStream(w.ctx, &logsapi.CreateLogStreamInput{LogGroupName: new("g"), LogStreamName: new("empty")}); err != nil {
		t.Fatal(err)
	}
	names := func(in logsapi.DescribeLogStreamsInput) string {
		t.Helper()
		in.LogGroupName = new("g")
		var s []string
		for {
			out, err := w.s.DescribeLogStreams(w.ctx, &in)
			if err != nil {
				return err.Error()
			}
			for _, st := range out.LogStreams {
				s = append(s, *st.LogStreamName)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return strings.Join(s, " ")
			}
		}
	}
	one := new(int32(1))
	for _, tc := range []struct {
		in   logsapi.DescribeLogStreamsInput
		want string
	}{
		{logsapi.DescribeLogStreamsInput{Limit: one}, "a b empty"},
		{logsapi.DescribeLogStreamsInput{Limit: one, Descending: new(true)}, "empty b a"},
		{logsapi.DescribeLogStreamsInput{Limit: one, OrderBy: "LastEventTime", Descending: new(true)}, "a b empty"},
		{logsapi.DescribeLogStreamsInput{LogStreamNamePrefix: new("e")}, "empty"},
	} {
		if got := names(tc.in); got != tc.want {
			t.Errorf("%+v: %s", tc.in, got)
		}
	}
	out, err := w.s.DescribeLogStreams(w.ctx, &logsapi.DescribeLogStreamsInput{LogGroupName: new("g"), LogStreamNamePrefix: new("a")})
	if st := out.LogStreams[0]; err != nil || *st.FirstEventTimestamp != base+5 || *st.LastEventTimestamp != base+9 ||
		*st.Arn != "arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream:a" {
		t.Errorf("%+v %v", st, err)
	}
	_, err = w.s.CreateLogStream(w.ctx, &logsapi.CreateLogStreamInput{LogGroupName: new("g"), LogStreamName: new("a")})
	if code(err) != "ResourceAlreadyExistsException" {
		t.Error(err)
	}
}

func TestLiveTail(t *testing.T) {
	w := newWorld(t)
	w.write("g", "s", line(1, "before"))
	server := httptest.NewServer(awsapi.NewMux(awsapi.Config{DefaultScope: scope, AnyAuth: true}, w.s.API()))
	defer server.Close()
	c := awsapi.NewClient(awsapi.ClientConfig{Endpoint: server.URL, Region: scope.Region, AccessKey: "a", SecretKey: "b"})
	out, err := awsapi.Call[logsapi.StartLiveTailInput, logsapi.StartLiveTailOutput](w.ctx, c, "logs", "StartLiveTail", &logsapi.StartLiveTailInput{
		LogGroupIdentifiers: []string{"arn:aws:logs:us-east-1:123456789012:log-group:g"}, LogEventFilterPattern: new("ERROR"),
	})
	if err != nil {
		t.Fatal(err)
	}
	started := false
	for e, err := range out.ResponseStream {
		if err != nil {
			t.Fatal(err)
		}
		if e.SessionStart != nil {
			started = true
			w.write("g", "s", line(2, "an ERROR"), line(3, "nothing"))
			continue
		}
		r := e.SessionUpdate.SessionResults
		if !started || len(r) != 1 || *r[0].Message != "an ERROR" || *r[0].LogStreamName != "s" || *r[0].LogGroupIdentifier != "123456789012:g" {
			t.Errorf("%+v", r)
		}
		break
	}
}
