package metrics_test

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/telemetry/metrics"
)

var testDir string

func TestMain(m *testing.M) {
	// In memory where there is such a place: the property writes a lot.
	var err error
	if testDir, err = os.MkdirTemp("/dev/shm", "metrics"); err != nil {
		if testDir, err = os.MkdirTemp("", "metrics"); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	os.RemoveAll(testDir)
	os.Exit(code)
}

func open(t interface{ Fatal(...any) }, path string) *metrics.Store {
	s, err := metrics.Open(metrics.Config{Path: path, MaxSeries: 5})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var start = time.Unix(1_800_000_000, 0)

func TestAScopeIsRemovedWithItsMeasurements(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m")
	s := open(t, path)
	one, other := metric("cpu"), metric("cpu")
	one.Scope, other.Scope = "1/here", "2/here"
	both := []metrics.Sample{{Metric: one, Time: start, Stat: metrics.Values(1, 1)}, {Metric: other, Time: start, Stat: metrics.Values(2, 1)}}
	if err := s.Put(start, both); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(func(scope string) bool { return strings.HasPrefix(scope, "1/") }); err != nil {
		t.Fatal(err)
	}
	look := func(when string) {
		t.Helper()
		for m, want := range map[*metrics.Metric]int{&one: 0, &other: 1} {
			got, err := s.Query(metrics.Query{Metric: *m, Start: start.Add(-time.Minute), End: start.Add(time.Minute), Period: time.Minute})
			if err != nil || len(got) != want {
				t.Errorf("%s: scope %s has %v, %v; want %d", when, m.Scope, got, err, want)
			}
		}
		if s.Len() != 1 {
			t.Errorf("%s: %d series are left", when, s.Len())
		}
	}
	look("at once")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	defer s.Close()
	look("after reopening")
	if err := s.Put(start, both[:1]); err != nil || s.Len() != 2 {
		t.Errorf("a removed metric is put again: %v, %d series", err, s.Len())
	}
}

func TestSeriesAreBounded(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m"))
	defer s.Close()
	for i := range 7 {
		err := s.Put(start, []metrics.Sample{{Metric: metric(strings.Repeat("x", i+1)), Time: start, Stat: metrics.Values(1, 1)}})
		if (err != nil) != (i >= 5) || err != nil && !errors.Is(err, metrics.ErrTooMany) {
			t.Errorf("%d: %v", i, err)
		}
	}
	later := start.Add(metrics.Retention + 40*24*time.Hour)
	if err := s.RollUp(later); err != nil || s.Len() != 0 {
		t.Errorf("%d series are left, %v", s.Len(), err)
	}
	if err := s.Put(later, []metrics.Sample{{Metric: metric("new"), Time: later, Stat: metrics.Values(1, 1)}}); err != nil {
		t.Error(err)
	}
	if err := s.Put(later, []metrics.Sample{{Metric: metric("new"), Time: start, Stat: metrics.Values(1, 1)}}); !errors.Is(err, metrics.ErrTime) {
		t.Error(err)
	}
}

func TestUnitsAreSeriesOfTheirOwn(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m"))
	defer s.Close()
	m := metric("a")
	turned := m
	turned.Dims = []metrics.Dim{m.Dims[1], m.Dims[0]}
	err := s.Put(start, []metrics.Sample{
		{Metric: m, Unit: "Bytes", Time: start, Stat: metrics.Values(1, 1)},
		{Metric: turned, Unit: "Count", Time: start, Stat: metrics.Values(3, 1)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for unit, want := range map[string]float64{"": 4, "Bytes": 1, "Count": 3, "None": 0} {
		ps, err := s.Query(metrics.Query{Metric: m, Unit: unit, Start: start.Add(-time.Hour), End: start.Add(time.Hour), Period: time.Minute})
		sum := 0.0
		for _, p := range ps {
			sum += p.Stat.Sum
		}
		if err != nil || sum != want {
			t.Errorf("%q: %g, want %g (%v)", unit, sum, want, err)
		}
	}
	if l := s.List("1/r", func(metrics.Listed) bool { return true }); len(l) != 1 || !l[0].Last.Equal(start) {
		t.Errorf("%+v", l)
	}
	if l := s.List("2/r", func(metrics.Listed) bool { return true }); len(l) != 0 {
		t.Errorf("another scope sees %+v", l)
	}
}

// Statistic sets have no percentiles, unless all their values are the same.
func TestStatisticSets(t *testing.T) {
	mixed := metrics.Set(4, 10, 1, 4)
	if _, ok := mixed.Percentile(50); ok {
		t.Error("a percentile of an unknown distribution")
	}
	same := metrics.Set(4, 8, 2, 2)
	if v, ok := same.Percentile(50); !ok || v != 2 {
		t.Error(v, ok)
	}
	same.Add(metrics.Values(100, 1))
	if v, ok := same.Percentile(99); !ok || v != 100 {
		t.Error(v, ok)
	}
	if count, sum, ok := same.Trimmed(0, 80); !ok || count != 4 || math.Abs(sum-8) > 0.1 {
		t.Error(count, sum, ok)
	}
	if count, _, ok := same.Between(1, 50); !ok || count != 4 {
		t.Error(count, ok)
	}
	same.Add(mixed)
	if _, ok := same.Percentile(50); ok || same.Count != 9 || same.Min != 1 || same.Max != 100 {
		t.Errorf("%+v", same)
	}
}

func TestManyWritersAtOnce(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m"))
	defer s.Close()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if err := s.Put(start, []metrics.Sample{{Metric: metric("a"), Time: start, Stat: metrics.Values(1, 1)}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	ps, err := s.Query(metrics.Query{Metric: metric("a"), Start: start, End: start.Add(time.Minute), Period: time.Second})
	if err != nil || len(ps) != 1 || ps[0].Stat.Count != 40 || s.Len() != 1 {
		t.Errorf("%+v %v", ps, err)
	}
}

// A process that is killed loses nothing that Put has returned for.
func TestKilled(t *testing.T) {
	if path := os.Getenv("METRICS_WRITER"); path != "" {
		s := open(t, path)
		for i := range 50 {
			if err := s.Put(start, []metrics.Sample{{Metric: metric("a"), Time: start.Add(time.Duration(i) * time.Second), Fine: true, Stat: metrics.Values(float64(i), 1)}}); err != nil {
				t.Fatal(err)
			}
			os.Stdout.WriteString("+")
		}
		select {}
	}
	path := filepath.Join(t.TempDir(), "m")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "METRICS_WRITER="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged, b := 0, make([]byte, 1)
	for acknowledged < 20 {
		if _, err := out.Read(b); err != nil {
			t.Fatal(err)
		}
		if b[0] == '+' {
			acknowledged++
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	s := open(t, path)
	defer s.Close()
	ps, err := s.Query(metrics.Query{Metric: metric("a"), Start: start, End: start.Add(time.Hour), Period: time.Second})
	if err != nil || len(ps) < acknowledged {
		t.Errorf("%d of %d are left: %v", len(ps), acknowledged, err)
	}
}
