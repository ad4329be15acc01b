package logs_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/telemetry/logs"
)

func open(t testing.TB, cfg logs.Config) *logs.Store {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	s, err := logs.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func scan(t testing.TB, s *logs.Store, q logs.Query) []logs.Event {
	t.Helper()
	var out []logs.Event
	if err := s.Scan(t.Context(), q, func(e logs.Event) bool { out = append(out, e); return true }); err != nil {
		t.Fatal(err)
	}
	return out
}

func messages(events []logs.Event) (out []string) {
	for _, e := range events {
		out = append(out, e.Message)
	}
	return out
}

func line(ts int64, message string) logs.Event { return logs.Event{Timestamp: ts, Message: message} }

func TestEventsAreMergedByTime(t *testing.T) {
	s := open(t, logs.Config{Dir: t.TempDir()})
	defer s.Close()
	add := func(stream string, es ...logs.Event) {
		if err := s.Append("g", stream, es); err != nil {
			t.Fatal(err)
		}
	}
	add("a", line(10, "a10"), line(30, "a30"))
	add("b", line(20, "b20"), line(10, "b10 came later"))
	for _, tc := range []struct {
		q    logs.Query
		want string
	}{
		{logs.Query{}, "a10|b10 came later|b20|a30"},
		{logs.Query{Reverse: true}, "a30|b20|b10 came later|a10"},
		{logs.Query{Streams: []string{"a"}}, "a10|a30"},
		{logs.Query{Streams: []string{}}, ""},
		{logs.Query{From: 11, To: 30}, "b20"},
		{logs.Query{From: 10, To: 11, Reverse: true}, "b10 came later|a10"},
	} {
		tc.q.Group = "g"
		if got := strings.Join(messages(scan(t, s, tc.q)), "|"); got != tc.want {
			t.Errorf("%+v: %s", tc.q, got)
		}
	}
	all := scan(t, s, logs.Query{Group: "g"})
	rest := scan(t, s, logs.Query{Group: "g", After: all[1].Pos()})
	if !slices.Equal(messages(rest), messages(all[2:])) {
		t.Errorf("after a place: %q", messages(rest))
	}
	rest = scan(t, s, logs.Query{Group: "g", Before: all[1].Pos(), Reverse: true})
	if !slices.Equal(messages(rest), messages(all[:1])) {
		t.Errorf("before a place: %q", messages(rest))
	}
	st := s.Streams("g")["b"]
	if st.First != 10 || st.Last != 20 || st.Events != 2 || st.Bytes != int64(len("b20b10 came later")+52) || st.LastIngestion == 0 {
		t.Errorf("%+v", st)
	}
	if err := s.Append("g", "a", []logs.Event{line(1, strings.Repeat("x", logs.MaxMessage+1))}); err == nil {
		t.Error("a message over the limit was taken")
	}
}

func TestARemovedGroupLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, logs.Config{Dir: dir, SegmentBytes: 100})
	defer func() { s.Close() }()
	for i := range 20 {
		s.Append("g", "s", []logs.Event{line(int64(i), "some text")})
	}
	if err := s.RemoveGroup("g"); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 || len(s.Groups()) != 0 {
		t.Errorf("left: %v", left)
	}
	if err := s.Append("g", "s", []logs.Event{line(1, "again")}); err != nil {
		t.Fatal(err)
	}
	// What lies there besides is left alone.
	for _, other := range []string{"lost+found", "notes"} {
		if err := os.Mkdir(filepath.Join(dir, other), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, logs.Config{Dir: dir})
	if left, err := os.ReadDir(dir); err != nil || len(left) != 4 {
		t.Errorf("%v %v", left, err)
	}
	if got := messages(scan(t, s, logs.Query{Group: "g"})); !slices.Equal(got, []string{"again"}) {
		t.Errorf("%q", got)
	}
}

func TestSegmentsRollByAgeAndExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, logs.Config{Dir: dir})
		defer s.Close()
		for i := range 4 {
			now := time.Now().UnixMilli()
			if err := s.Append("g", "s", []logs.Event{line(now, fmt.Sprint(i))}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(7 * time.Hour)
		}
		n, err := s.Expire("g", time.Now().Add(-15*time.Hour))
		if err != nil || n != 2 {
			t.Errorf("expired %d segments, %v", n, err)
		}
		if got := messages(scan(t, s, logs.Query{Group: "g"})); !slices.Equal(got, []string{"2", "3"}) {
			t.Errorf("%q", got)
		}
	})
}

func TestReadersAndWritersAtOnce(t *testing.T) {
	s := open(t, logs.Config{Dir: t.TempDir(), SegmentBytes: 8 << 10, FlushEvery: time.Millisecond})
	defer s.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 3000 {
			if err := s.Append("g", fmt.Sprint(i%5), []logs.Event{line(int64(i), fmt.Sprint(i))}); err != nil {
				t.Error(err)
			}
			if i%500 == 0 {
				s.RemoveStreams("g", func(n string) bool { return n == "none" })
			}
		}
	}()
	for last := -1; last < 2999; {
		got := scan(t, s, logs.Query{Group: "g"})
		for i, e := range got {
			if e.Message != strconv.Itoa(i) {
				t.Fatalf("event %d is %q", i, e.Message)
			}
		}
		if len(got)-1 < last {
			t.Fatalf("%d events after %d", len(got), last+1)
		}
		last = len(got) - 1
	}
	<-done
}
