package logs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/telemetry/logs"
)

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
