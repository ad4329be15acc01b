package metrics_test

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// value is what the model keeps of a measurement: all of it.
type value struct {
	series string
	at     int64
	fine   bool
	v      float64
	n      float64
}

// tier is how coarse the model takes a value to be at a time, 0 when gone.
// Values move with the chunk that they lie in, so the model asks at times
// when whole chunks are older.
func (v value) start(now int64) (at, resolution int64) {
	for _, t := range []struct{ resolution, keep, chunk int64 }{
		{1, 3 * 3600, 900}, {60, 15 * 86400, 6 * 3600}, {300, 63 * 86400, 86400}, {3600, 455 * 86400, 30 * 86400},
	} {
		if t.resolution == 1 && !v.fine {
			continue
		}
		if v.at-v.at%t.chunk+t.chunk > now-t.keep {
			return v.at - v.at%t.resolution, t.resolution
		}
	}
	return 0, 0
}

// The store answers what a list of all values answers, whatever the order of
// writing, rolling up, reopening and asking.
func TestAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := filepath.Abs(fmt.Sprintf("%s/%d", testDir, time.Now().UnixNano()))
		if err != nil {
			t.Fatal(err)
		}
		s := open(t, dir)
		defer func() { s.Close() }()
		now := time.Unix(1_800_000_000, 0)
		var all []value
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				var batch []metrics.Sample
				for range rapid.IntRange(1, 5).Draw(t, "samples") {
					age := rapid.OneOf(rapid.Int64Range(0, 120), rapid.Int64Range(0, 14*86400)).Draw(t, "age")
					v := value{
						series: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "series"), at: now.Unix() - age,
						fine: age < 10000 && rapid.Bool().Draw(t, "fine"),
						v:    rapid.OneOf(rapid.Float64Range(-10, 10), rapid.Just(1.0)).Draw(t, "value"), n: float64(rapid.IntRange(1, 4).Draw(t, "n")),
					}
					all = append(all, v)
					batch = append(batch, metrics.Sample{Metric: metric(v.series), Time: time.Unix(v.at, 0), Fine: v.fine, Stat: metrics.Values(v.v, v.n)})
				}
				if err := s.Put(now, batch); err != nil {
					t.Fatal(err)
				}
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.SampledFrom([]int{1, 3600, 4 * 3600, 20 * 86400, 100 * 86400}).Draw(t, "seconds")) * time.Second)
				if err := s.RollUp(now); err != nil {
					t.Fatal(err)
				}
			},
			"reopen": func(*rapid.T) {
				s.Close()
				s = open(t, dir)
			},
			"": func(t *rapid.T) {
				if err := s.RollUp(now); err != nil {
					t.Fatal(err)
				}
				name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "asked")
				period := rapid.SampledFrom([]int64{1, 60, 300, 3600, 86400}).Draw(t, "period")
				from := now.Unix() - rapid.SampledFrom([]int64{60, 3600, 86400, 500 * 86400}).Draw(t, "span")
				got, err := s.Query(metrics.Query{
					Metric: metric(name), Start: time.Unix(from, 0), End: now.Add(time.Second), Period: time.Duration(period) * time.Second,
				})
				if err != nil {
					t.Fatal(err)
				}
				compare(t, got, all, name, from, now.Unix(), period)
			},
		})
	})
}

func compare(t *rapid.T, got []metrics.Point, all []value, name string, from, now, period int64) {
	want := map[int64][]value{}
	for _, v := range all {
		at, resolution := v.start(now)
		if v.series == name && resolution > 0 && resolution <= max(period, 60) && at >= from {
			want[at-at%period] = append(want[at-at%period], v)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d periods, want %d", len(got), len(want))
	}
	for _, p := range got {
		vs := want[p.Time.Unix()]
		slices.SortFunc(vs, func(a, b value) int { return cmp.Compare(a.v, b.v) })
		var count, sum float64
		var flat []float64
		for _, v := range vs {
			count += v.n
			sum += v.v * v.n
			for range int(v.n) {
				flat = append(flat, v.v)
			}
		}
		if count != p.Stat.Count || math.Abs(sum-p.Stat.Sum) > 1e-6 || p.Stat.Min != flat[0] || p.Stat.Max != flat[len(flat)-1] {
			t.Fatalf("%+v, want count %g sum %g of %v", p, count, sum, flat)
		}
		for _, q := range []float64{0, 1, 50, 90, 99, 99.9, 100} {
			exact := flat[max(int(math.Ceil(q/100*count)), 1)-1]
			if v, ok := p.Stat.Percentile(q); !ok || math.Abs(v-exact) > 0.0101*math.Abs(exact)+1e-100 {
				t.Fatalf("p%g = %g, want %g of %v", q, v, exact, flat)
			}
		}
	}
}

func metric(name string) metrics.Metric {
	return metrics.Metric{Scope: "1/r", Namespace: "N", Name: name, Dims: []metrics.Dim{{"z", "1"}, {"a", "2"}}}
}
