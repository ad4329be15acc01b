package agent

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// However the output is cut into reads, the events are the same, none is too
// long, and what is pending is what is in no event yet.
func TestFramerDoesNotCareForReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var start *regexp.Regexp
		if rapid.Bool().Draw(t, "multiline") {
			start = regexp.MustCompile(`^S`)
		}
		line := rapid.OneOf(rapid.StringMatching(`[Sab é]{0,8}`), rapid.Map(rapid.IntRange(maxEvent-3, 2*maxEvent+3), func(n int) string { return strings.Repeat("é", n/2) + "x" }))
		text := strings.Join(rapid.SliceOfN(line, 0, 6).Draw(t, "lines"), "\n")
		whole := frame(start, text)
		var cuts []int
		for range rapid.IntRange(0, 5).Draw(t, "cuts") {
			cuts = append(cuts, rapid.IntRange(0, len(text)).Draw(t, "cut"))
		}
		slices.Sort(cuts)
		var parts []string
		from := 0
		for _, c := range append(cuts, len(text)) {
			parts = append(parts, text[from:c])
			from = c
		}
		if got := frame(start, parts...); !slices.Equal(got, whole) {
			t.Fatalf("%d events, and %d in one read", len(got), len(whole))
		}
		for _, e := range whole {
			if len(e) > maxEvent {
				t.Fatalf("an event of %d bytes", len(e))
			}
			if strings.ContainsRune(e, '\uFFFD') {
				t.Fatal("a character was broken")
			}
		}
		if got, want := strings.ReplaceAll(strings.Join(whole, ""), "\n", ""), strings.ReplaceAll(text, "\n", ""); got != want {
			t.Fatalf("%d bytes came out of %d", len(got), len(want))
		}
	})
}

func frame(start *regexp.Regexp, parts ...string) []string {
	f := framer{start: start}
	var out []string
	for _, p := range parts {
		out = append(out, f.push([]byte(p))...)
	}
	out = append(out, f.flush(true)...)
	if f.pending() != 0 {
		panic("something is pending at the end")
	}
	return out
}

func TestMultiline(t *testing.T) {
	for name, c := range map[string]struct {
		log  Log
		want []string
	}{
		"by pattern":  {Log{MultilineStart: `^\[`}, []string{"x", "[1 a\n at b\n at c", "[2 d"}},
		"by datetime": {Log{DatetimeFormat: "[%d"}, []string{"x\n[1 a\n at b\n at c\n[2 d"}},
		"by line":     {Log{}, []string{"x", "[1 a", " at b", " at c", "[2 d"}},
		"no pattern":  {Log{MultilineStart: "("}, []string{"x", "[1 a", " at b", " at c", "[2 d"}},
	} {
		if got := frame(multilineStart(c.log), "x\n[1 a\n at b\n at c\n[2 d\n"); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	re := multilineStart(Log{DatetimeFormat: "%Y-%m-%d %H:%M:%S.%L"})
	if !re.MatchString("2026-01-02 03:04:05.678 x") || re.MatchString("at 12:00") {
		t.Errorf("%v", re)
	}
}
