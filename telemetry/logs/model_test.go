package logs_test

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/telemetry/logs"
	"pgregory.net/rapid"
)

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
