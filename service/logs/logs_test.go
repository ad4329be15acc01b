package logs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/logs"
	events "github.com/slipway-dev/slipway/telemetry/logs"
)

var scope = arn.Scope{Account: "123456789012", Region: "us-east-1"}

type world struct {
	t   testing.TB
	dir string
	db  *store.Store
	ev  *events.Store
	s   *logs.Service
	ctx context.Context
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	var err error
	if w.db, err = store.Open(store.Config{}, logs.Tables()...); err != nil {
		t.Fatal(err)
	}
	if w.ev, err = events.Open(events.Config{Dir: w.dir}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.ev.Close() })
	w.s = logs.New(logs.Config{Store: w.db, Events: w.ev, Log: slog.New(slog.DiscardHandler), KeyAllowed: func(_ context.Context, _ arn.Scope, key, _ string) bool {
		return key == "allowed"
	}})
	w.ctx = awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: scope, ARN: "arn:aws:iam::123456789012:root"})
	return w
}

func (w *world) write(group, stream string, es ...events.Event) {
	w.t.Helper()
	if err := w.s.Write(w.ctx, scope, group, stream, true, es); err != nil {
		w.t.Fatal(err)
	}
}

func line(ts int64, m string) events.Event { return events.Event{Timestamp: ts, Message: m} }

func code(err error) string {
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

func TestGroupLife(t *testing.T) {
	w := newWorld(t)
	create := func(name string) error {
		_, err := w.s.CreateLogGroup(w.ctx, &logsapi.CreateLogGroupInput{LogGroupName: &name, Tags: map[string]string{"Team": "a"}})
		return err
	}
	for _, n := range []string{"/ecs/web", "/ecs/api", "/app"} {
		if err := create(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := create("/app"); fmt.Sprint(err) != "ResourceAlreadyExistsException: The specified log group already exists" {
		t.Error(err)
	}
	if err := create("aws/x"); code(err) != "InvalidParameterException" {
		t.Error(err)
	}
	names := func(in logsapi.DescribeLogGroupsInput) string {
		out, err := w.s.DescribeLogGroups(w.ctx, &in)
		if err != nil {
			return err.Error()
		}
		var s []string
		for _, g := range out.LogGroups {
			s = append(s, *g.LogGroupName)
		}
		return strings.Join(s, " ")
	}
	if got := names(logsapi.DescribeLogGroupsInput{}); got != "/app /ecs/api /ecs/web" {
		t.Error(got)
	}
	if got := names(logsapi.DescribeLogGroupsInput{LogGroupNamePrefix: new("/ecs/")}); got != "/ecs/api /ecs/web" {
		t.Error(got)
	}
	if got := names(logsapi.DescribeLogGroupsInput{LogGroupNamePattern: new("WEB")}); got != "/ecs/web" {
		t.Error(got)
	}
	if got := names(logsapi.DescribeLogGroupsInput{LogGroupNamePattern: new("a"), LogGroupNamePrefix: new("a")}); !strings.Contains(got, "mutually exclusive") {
		t.Error(got)
	}
	web := new("/ecs/web")
	if _, err := w.s.PutRetentionPolicy(w.ctx, &logsapi.PutRetentionPolicyInput{LogGroupName: web, RetentionInDays: new(int32(2))}); !strings.Contains(fmt.Sprint(err), "[1, 3, 5, 7, 14,") {
		t.Error(err)
	}
	if _, err := w.s.PutRetentionPolicy(w.ctx, &logsapi.PutRetentionPolicyInput{LogGroupName: web, RetentionInDays: new(int32(7))}); err != nil {
		t.Error(err)
	}
	out, err := w.s.DescribeLogGroups(w.ctx, &logsapi.DescribeLogGroupsInput{LogGroupNamePrefix: web})
	if g := out.LogGroups[0]; err != nil || *g.RetentionInDays != 7 || *g.Arn != "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web:*" ||
		*g.LogGroupArn != "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web" {
		t.Errorf("%+v %v", g, err)
	}
	if _, err := w.s.DeleteRetentionPolicy(w.ctx, &logsapi.DeleteRetentionPolicyInput{LogGroupName: web}); err != nil {
		t.Error(err)
	}
	for _, id := range []*string{out.LogGroups[0].Arn, out.LogGroups[0].LogGroupArn} {
		if _, err := w.s.TagResource(w.ctx, &logsapi.TagResourceInput{ResourceArn: id, Tags: map[string]string{"X": "1"}}); err != nil {
			t.Error(err)
		}
	}
	if _, err := w.s.UntagLogGroup(w.ctx, &logsapi.UntagLogGroupInput{LogGroupName: web, Tags: []string{"Team"}}); err != nil {
		t.Error(err)
	}
	tags, err := w.s.ListTagsForResource(w.ctx, &logsapi.ListTagsForResourceInput{ResourceArn: out.LogGroups[0].LogGroupArn})
	if err != nil || len(tags.Tags) != 1 || tags.Tags["X"] != "1" {
		t.Errorf("%v %v", tags, err)
	}
	if _, err := w.s.DeleteLogGroup(w.ctx, &logsapi.DeleteLogGroupInput{LogGroupName: web}); err != nil {
		t.Error(err)
	}
	_, err = w.s.DeleteLogGroup(w.ctx, &logsapi.DeleteLogGroupInput{LogGroupName: web})
	if fmt.Sprint(err) != "ResourceNotFoundException: The specified log group does not exist." {
		t.Error(err)
	}
}

func TestAKeyMustBeAllowed(t *testing.T) {
	w := newWorld(t)
	_, err := w.s.CreateLogGroup(w.ctx, &logsapi.CreateLogGroupInput{LogGroupName: new("g"), KmsKeyId: new("other")})
	want := "The specified KMS key does not exist or is not allowed to be used with Arn 'arn:aws:logs:us-east-1:123456789012:log-group:g'"
	if !strings.Contains(fmt.Sprint(err), want) {
		t.Error(err)
	}
	if _, err := w.s.CreateLogGroup(w.ctx, &logsapi.CreateLogGroupInput{LogGroupName: new("g"), KmsKeyId: new("allowed")}); err != nil {
		t.Error(err)
	}
}

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

// What is deleted is out of sight at once and off the disk soon.
func TestDeletedIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(w.ctx)
		defer cancel()
		for _, l := range w.s.Loops() {
			go l.Run(ctx, w.db, slog.New(slog.DiscardHandler))
		}
		now := time.Now().UnixMilli()
		w.write("g", "keep", line(now, "kept"))
		w.write("g", "drop", line(now, "the secret"))
		synctest.Wait()
		if _, err := w.s.DeleteLogStream(w.ctx, &logsapi.DeleteLogStreamInput{LogGroupName: new("g"), LogStreamName: new("drop")}); err != nil {
			t.Fatal(err)
		}
		w.write("g", "drop", line(now, "fresh"))
		found, err := w.s.FilterLogEvents(w.ctx, &logsapi.FilterLogEventsInput{LogGroupName: new("g")})
		if err != nil || len(found.Events) != 2 || *found.Events[1].Message != "fresh" {
			t.Errorf("%+v %v", found, err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if onDisk(t, w.dir, "the secret") || !onDisk(t, w.dir, "fresh") {
			t.Error("the events of a deleted stream are on the disk, or others are not")
		}
		if _, err := w.s.DeleteLogGroup(w.ctx, &logsapi.DeleteLogGroupInput{LogGroupName: new("g")}); err != nil {
			t.Fatal(err)
		}
		if left, _ := os.ReadDir(w.dir); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		w.ev.Close()
		cancel()
		synctest.Wait()
	})
}

func onDisk(t *testing.T, dir, text string) bool {
	t.Helper()
	found := false
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		found = found || strings.Contains(string(data), text)
	}
	return found
}

func TestRetentionRemovesOldSegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(w.ctx)
		for _, l := range w.s.Loops() {
			go l.Run(ctx, w.db, slog.New(slog.DiscardHandler))
		}
		w.write("g", "s", line(time.Now().UnixMilli(), "old line"))
		if _, err := w.s.PutRetentionPolicy(w.ctx, &logsapi.PutRetentionPolicyInput{LogGroupName: new("g"), RetentionInDays: new(int32(1))}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(23 * time.Hour)
		if !onDisk(t, w.dir, "old line") {
			t.Error("removed too early")
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if onDisk(t, w.dir, "old line") {
			t.Error("an expired line is on the disk")
		}
		w.ev.Close()
		cancel()
		synctest.Wait()
	})
}

func TestLiveTail(t *testing.T) {
	w := newWorld(t)
	w.write("g", "s", line(1, "before"))
	server := httptest.NewServer(awsapi.NewMux(awsapi.Config{DefaultScope: scope, AnyAuth: true}, w.s.API()))
	defer server.Close()
	out, err := w.s.StartLiveTail(w.ctx, &logsapi.StartLiveTailInput{
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

func TestLogGroupResource(t *testing.T) {
	w := newWorld(t)
	typ := w.s.Resources()[0]
	request := func(token string) context.Context {
		return awsapi.WithToken(cfn.With(w.ctx, cfn.Request{
			StackID: "stack", StackName: "Tap", LogicalID: "Logs", Token: token,
			Tags: map[string]string{cfn.TagStackID: "stack", cfn.TagStackName: "Tap", cfn.TagLogicalID: "Logs"},
		}), token)
	}
	in, err := typ.Create(request("1"), map[string]any{"LogGroupName": "/ecs/web", "RetentionInDays": "7"})
	if err != nil || in.ID != "/ecs/web" || !strings.Contains(string(in.State), `"Arn":"arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web:*"`) {
		t.Fatalf("%+v %v", in, err)
	}
	if again, err := typ.Create(request("1"), map[string]any{"LogGroupName": "/ecs/web", "RetentionInDays": 7}); err != nil || again.ID != in.ID {
		t.Errorf("after a crash: %+v %v", again, err)
	}
	if _, err := typ.Create(request("2"), map[string]any{"LogGroupName": "x", "RetentionInDays": 8}); code(err) != "InvalidParameterException" {
		t.Error(err)
	}
	if _, err := typ.Create(request("3"), map[string]any{"LogGroupName": "x", "KmsKeyId": "other"}); code(err) != "AccessDeniedException" {
		t.Error(err)
	}
	if _, err := typ.Update(request("4"), in, map[string]any{"LogGroupName": "/ecs/web", "KmsKeyId": "allowed"}); err != nil {
		t.Error(err)
	}
	g, err := logs.Groups.Get(w.db.Snapshot(), scope.Key("/ecs/web"))
	if err != nil || g.Retention != 0 || g.KMSKey != "allowed" || g.Tags[cfn.TagStackName] != "Tap" {
		t.Errorf("%+v %v", g, err)
	}
	stream := w.s.Resources()[1]
	for range 2 {
		if _, err := stream.Create(request("5"), map[string]any{"LogGroupName": "/ecs/web", "LogStreamName": "s"}); err != nil {
			t.Error(err)
		}
	}
	if _, err := stream.Create(request("6"), map[string]any{"LogGroupName": "/ecs/web", "LogStreamName": "s"}); code(err) != "ResourceAlreadyExistsException" {
		t.Error(err)
	}
	for range 2 {
		if err := typ.Delete(request("7"), in); err != nil {
			t.Error(err)
		}
	}
}
