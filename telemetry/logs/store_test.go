package logs_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/telemetry/logs"
	"pgregory.net/rapid"
)

func open(t testing.TB, cfg logs.Config) *logs.Store {
	t.Helper()
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

func TestPosIsATokenForEver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := logs.Pos{Timestamp: rapid.Int64Range(0, 1<<62).Draw(t, "t"), Seq: rapid.Uint64().Draw(t, "s")}
		b := logs.Pos{Timestamp: rapid.Int64Range(0, 1<<62).Draw(t, "t2"), Seq: rapid.Uint64().Draw(t, "s2")}
		got, err := logs.ParsePos(a.String())
		if err != nil || got != a || len(a.String()) != 56 {
			t.Fatalf("%s: %v %v", a, got, err)
		}
		if a.Less(b) != (a.String() < b.String()) {
			t.Fatalf("%s and %s sort otherwise", a, b)
		}
	})
	for _, s := range []string{"", "x", strings.Repeat("9", 56), "-" + strings.Repeat("1", 55), strings.Repeat("0", 36) + "+" + strings.Repeat("0", 19)} {
		if p, err := logs.ParsePos(s); err == nil {
			t.Errorf("%q is %v", s, p)
		}
	}
}

// The store against a sorted slice, with small segments, restarts, removed
// streams and expiry.
func TestStoreBehavesAsASortedSlice(t *testing.T) {
	base := t.TempDir()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		cfg := logs.Config{Dir: filepath.Join(base, strconv.Itoa(runs)), SegmentBytes: 400}
		s := open(t, cfg)
		defer func() { s.Close() }()
		var model []logs.Event
		stream := rapid.SampledFrom([]string{"a", "b", "c/d"})
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				name := stream.Draw(rt, "stream")
				var es []logs.Event
				for range rapid.IntRange(1, 9).Draw(rt, "n") {
					es = append(es, line(rapid.Int64Range(0, 100).Draw(rt, "ts"), rapid.StringN(0, 40, -1).Draw(rt, "m")))
				}
				if err := s.Append("g", name, es); err != nil {
					rt.Fatal(err)
				}
				for _, e := range es {
					e.Stream = name
					model = append(model, e)
				}
			},
			"reopen": func(rt *rapid.T) {
				if err := s.Close(); err != nil {
					rt.Fatal(err)
				}
				s = open(t, cfg)
			},
			"remove stream": func(rt *rapid.T) {
				name := stream.Draw(rt, "stream")
				if err := s.RemoveStreams("g", func(n string) bool { return n == name }); err != nil {
					rt.Fatal(err)
				}
				model = slices.DeleteFunc(model, func(e logs.Event) bool { return e.Stream == name })
			},
			"expire": func(rt *rapid.T) {
				// Every segment reaches to 100 at most: all go or, at 0, none.
				before := rapid.SampledFrom([]int64{0, 101}).Draw(rt, "before")
				if _, err := s.Expire("g", time.UnixMilli(before)); err != nil {
					rt.Fatal(err)
				}
				if before > 0 {
					model = nil
				}
			},
			"remove group": func(rt *rapid.T) {
				if rapid.IntRange(0, 9).Draw(rt, "really") > 0 {
					return
				}
				if err := s.RemoveGroup("g"); err != nil {
					rt.Fatal(err)
				}
				model = nil
			},
			"": func(rt *rapid.T) {
				q := logs.Query{Group: "g", Reverse: rapid.Bool().Draw(rt, "reverse")}
				q.From, q.To = rapid.Int64Range(0, 60).Draw(rt, "from"), rapid.Int64Range(0, 110).Draw(rt, "to")
				if rapid.Bool().Draw(rt, "one") {
					q.Streams = []string{stream.Draw(rt, "stream")}
				}
				if len(model) > 0 && rapid.Bool().Draw(rt, "cursor") {
					q.After = rapid.SampledFrom(model).Draw(rt, "after").Pos()
				}
				want := slices.Clone(model)
				want = slices.DeleteFunc(want, func(e logs.Event) bool {
					return e.Timestamp < q.From || q.To != 0 && e.Timestamp >= q.To ||
						q.Streams != nil && e.Stream != q.Streams[0] || !q.After.Less(e.Pos())
				})
				slices.SortFunc(want, func(a, b logs.Event) int {
					if a.Pos().Less(b.Pos()) == !q.Reverse {
						return -1
					}
					return 1
				})
				if got := scan(t, s, q); !slices.Equal(got, want) {
					rt.Fatalf("%+v:\n got %v\nwant %v", q, got, want)
				}
			},
		})
	})
}

// A torn tail of any length costs the torn record alone.
func TestATornTailIsCutOff(t *testing.T) {
	dir := t.TempDir()
	s := open(t, logs.Config{Dir: dir})
	for i := range 5 {
		if err := s.Append("g", "s", []logs.Event{line(int64(i+1), fmt.Sprint("line ", i))}); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*.seg"))
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	last := 6
	for cut := len(whole); cut >= 0; cut-- {
		if err := os.WriteFile(files[0], whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, logs.Config{Dir: dir})
		got := scan(t, s, logs.Query{Group: "g"})
		if len(got) > last || len(got) < last-1 && last < 6 {
			t.Fatalf("cut at %d: %d events after %d", cut, len(got), last)
		}
		last = len(got)
		for i, e := range got {
			if e.Message != fmt.Sprint("line ", i) {
				t.Fatalf("cut at %d: %v", cut, e)
			}
		}
		if err := s.Append("g", "s", []logs.Event{line(99, "new")}); err != nil {
			t.Fatal(err)
		}
		if after := scan(t, s, logs.Query{Group: "g"}); len(after) != len(got)+1 {
			t.Fatalf("cut at %d: %d events after an append", cut, len(after))
		}
		s.Close()
	}
	garbage := slices.Clone(whole)
	garbage[len(garbage)-2] ^= 1
	os.WriteFile(files[0], append(garbage, make([]byte, 100)...), 0o600)
	s = open(t, logs.Config{Dir: dir})
	defer s.Close()
	if got := scan(t, s, logs.Query{Group: "g"}); len(got) != 4 {
		t.Errorf("a flipped bit: %d events", len(got))
	}
}

// A child process appends and is killed; every acknowledged line is there.
func TestAKilledProcessLosesNothing(t *testing.T) {
	if dir := os.Getenv("LOGS_CHILD"); dir != "" {
		s := open(t, logs.Config{Dir: dir, SegmentBytes: 4 << 10})
		for i := 0; ; i++ {
			if err := s.Append("g", fmt.Sprint(i%3), []logs.Event{line(int64(i+1), fmt.Sprint(i))}); err != nil {
				panic(err)
			}
			fmt.Println(i)
		}
	}
	for range 8 {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestAKilledProcessLosesNothing$")
		cmd.Env = append(os.Environ(), "LOGS_CHILD="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acked := -1
		var killer *time.Timer
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				acked = n
			}
			if killer == nil {
				killer = time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { cmd.Process.Kill() })
			}
		}
		cmd.Wait()
		s := open(t, logs.Config{Dir: dir, SegmentBytes: 4 << 10})
		got := messages(scan(t, s, logs.Query{Group: "g"}))
		s.Close()
		if acked < 0 || len(got) <= acked {
			t.Fatalf("%d events, %d acknowledged", len(got), acked+1)
		}
		for i, m := range got {
			if m != strconv.Itoa(i) {
				t.Fatalf("event %d is %q", i, m)
			}
		}
	}
}

func TestARemovedGroupLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, logs.Config{Dir: dir, SegmentBytes: 100})
	defer s.Close()
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

func BenchmarkAppendLine(b *testing.B) {
	s := open(b, logs.Config{Dir: b.TempDir()})
	defer s.Close()
	m := strings.Repeat("x", 150)
	es := make([]logs.Event, 1)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		es[0] = line(int64(i), m)
		if err := s.Append("g", "s", es); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend100Lines(b *testing.B) {
	s := open(b, logs.Config{Dir: b.TempDir()})
	defer s.Close()
	m := strings.Repeat("x", 150)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		es := make([]logs.Event, 100)
		for j := range es {
			es[j] = line(int64(i), m)
		}
		if err := s.Append("g", "s", es); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	s := open(b, logs.Config{Dir: b.TempDir()})
	defer s.Close()
	for i := range 100_000 {
		s.Append("g", fmt.Sprint(i%6), []logs.Event{line(int64(i), strings.Repeat("x", 150))})
	}
	b.Run("100k", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			s.Scan(b.Context(), logs.Query{Group: "g"}, func(logs.Event) bool { n++; return true })
			if n != 100_000 {
				b.Fatal(n)
			}
		}
	})
	b.Run("newest100", func(b *testing.B) {
		for b.Loop() {
			n := 0
			s.Scan(b.Context(), logs.Query{Group: "g", Reverse: true}, func(logs.Event) bool { n++; return n < 100 })
		}
	})
}
