package cloudwatch

import (
	"maps"
	"slices"

	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// series is a time series in metric math.
type series struct {
	label  string
	metric *metrics.Metric // nil for the result of an expression
	stat   string
	period int               // seconds
	points map[int64]float64 // by Unix seconds
	counts map[int64]float64 // samples in them, of metrics
	// constant stands for a number in an array.
	constant *float64
}

// times are the series' timestamps, oldest first.
func (s *series) times() []int64 { return slices.Sorted(maps.Keys(s.points)) }

// at is the value at a time.
func (s *series) at(t int64) (float64, bool) {
	if s.constant != nil {
		return *s.constant, true
	}
	v, ok := s.points[t]
	return v, ok
}

// mapped is a series with f applied to every value.
func (s *series) mapped(f func(float64) float64) *series {
	out := s.empty()
	for t, v := range s.points {
		out.set(t, f(v))
	}
	return out
}

func (s *series) empty() *series {
	return &series{label: s.label, period: s.period, points: map[int64]float64{}}
}

// set leaves values out that are no numbers, as CloudWatch does: 1/0.
func (s *series) set(t int64, v float64) {
	if v-v == 0 {
		s.points[t] = v
	}
}

// mathValue is a number, a series, or an array of series.
type mathValue struct {
	kind kind
	num  float64
	list []*series
}

type kind int

const (
	scalar kind = iota
	one
	many
)

func number(v float64) mathValue  { return mathValue{num: v} }
func single(s *series) mathValue  { return mathValue{kind: one, list: []*series{s}} }
func array(s []*series) mathValue { return mathValue{kind: many, list: s} }
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// each applies f to every series of v.
func (v mathValue) each(f func(*series) *series) mathValue {
	out := mathValue{kind: v.kind}
	for _, s := range v.list {
		out.list = append(out.list, f(s))
	}
	return out
}

// binary applies an operator: number by number, or at the times that both
// sides have; an array is taken series by series.
func binary(a, b mathValue, f func(x, y float64) float64) (mathValue, error) {
	switch {
	case a.kind == scalar && b.kind == scalar:
		return number(f(a.num, b.num)), nil
	case b.kind == scalar:
		return a.each(func(s *series) *series { return s.mapped(func(x float64) float64 { return f(x, b.num) }) }), nil
	case a.kind == scalar:
		return b.each(func(s *series) *series { return s.mapped(func(y float64) float64 { return f(a.num, y) }) }), nil
	case a.kind == many && b.kind == many:
		return number(0), errMath("Two arrays of time series cannot be combined")
	case b.kind == many:
		return b.each(func(s *series) *series { return zip(a.list[0], s, f) }), nil
	}
	return a.each(func(s *series) *series { return zip(s, b.list[0], f) }), nil
}

func zip(a, b *series, f func(x, y float64) float64) *series {
	out := a.empty()
	for t, x := range a.points {
		if y, ok := b.at(t); ok {
			out.set(t, f(x, y))
		}
	}
	return out
}

// aggregate reduces a series to a number, or an array to one series, time by
// time.
func aggregate(v mathValue, f func([]float64) float64) (mathValue, error) {
	switch v.kind {
	case scalar:
		return number(f([]float64{v.num})), nil
	case one:
		var all []float64
		for _, t := range v.list[0].times() {
			all = append(all, v.list[0].points[t])
		}
		if len(all) == 0 {
			return number(0), nil
		}
		return number(f(all)), nil
	}
	out := &series{points: map[int64]float64{}}
	times := map[int64]bool{}
	for _, s := range v.list {
		out.period = max(out.period, s.period)
		for t := range s.points {
			times[t] = true
		}
	}
	for t := range times {
		var all []float64
		for _, s := range v.list {
			if x, ok := s.at(t); ok {
				all = append(all, x)
			}
		}
		out.set(t, f(all))
	}
	return single(out), nil
}
