package cloudwatch

import (
	"math"
	"slices"
	"time"
)

// reducers take a series to a number, or an array to a series.
var reducers = map[string]func([]float64) float64{
	"SUM": sum,
	"AVG": func(v []float64) float64 { return sum(v) / float64(len(v)) },
	"MIN": slices.Min[[]float64],
	"MAX": slices.Max[[]float64],
	"STDDEV": func(v []float64) float64 {
		mean, square := sum(v)/float64(len(v)), 0.0
		for _, x := range v {
			square += (x - mean) * (x - mean)
		}
		return math.Sqrt(square / float64(len(v)))
	},
}

func sum(v []float64) (total float64) {
	for _, x := range v {
		total += x
	}
	return total
}

// pointwise work on each value.
var pointwise = map[string]func(float64) float64{
	"ABS": math.Abs, "CEIL": math.Ceil, "FLOOR": math.Floor, "LOG": math.Log, "LOG10": math.Log10,
}

// clocks give a part of each time.
var clocks = map[string]func(time.Time) int{
	"EPOCH": func(t time.Time) int { return int(t.Unix()) }, "MINUTE": time.Time.Minute, "HOUR": time.Time.Hour,
	"DATE": time.Time.Day, "DAY": func(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 },
	"MONTH": func(t time.Time) int { return int(t.Month()) }, "YEAR": time.Time.Year,
}

// steps look at each value and the one before.
var steps = map[string]func(x, before float64, seconds int64) float64{
	"DIFF":      func(x, before float64, _ int64) float64 { return x - before },
	"DIFF_TIME": func(_, _ float64, seconds int64) float64 { return float64(seconds) },
	"RATE":      func(x, before float64, seconds int64) float64 { return (x - before) / float64(seconds) },
}

// counters take a value to a number.
var counters = map[string]func(mathValue) float64{
	"METRIC_COUNT": func(v mathValue) float64 { return float64(len(v.list)) },
	"DATAPOINT_COUNT": func(v mathValue) float64 {
		n := 0
		for _, s := range v.list {
			n += len(s.points)
		}
		return float64(n)
	},
	"PERIOD": func(v mathValue) float64 {
		for _, s := range v.list {
			return float64(s.period)
		}
		return 0
	},
}

// call makes the formula of a function.
func call(name string, args []formula) (formula, error) {
	switch name {
	case "IF":
		if len(args) != 2 && len(args) != 3 {
			return nil, errMath("IF takes two or three arguments")
		}
		return func(e *mathEnv) (mathValue, error) { return choose(e, args) }, nil
	case "MIN", "MAX", "SUM", "AVG", "STDDEV":
		if len(args) > 1 {
			list := args
			args = []formula{func(e *mathEnv) (mathValue, error) { return joined(e, list) }}
		}
	}
	f := function(name)
	if f == nil {
		return nil, errMath("the function %s is not supported by this engine", name)
	}
	if len(args) != 1 {
		return nil, errMath("%s takes one argument", name)
	}
	return func(e *mathEnv) (mathValue, error) {
		v, err := args[0](e)
		if err != nil {
			return v, err
		}
		return f(e, v)
	}, nil
}

func function(name string) func(*mathEnv, mathValue) (mathValue, error) {
	if f := reducers[name]; f != nil {
		return func(_ *mathEnv, v mathValue) (mathValue, error) { return aggregate(v, f) }
	}
	if f := pointwise[name]; f != nil {
		return func(_ *mathEnv, v mathValue) (mathValue, error) {
			return binary(v, number(0), func(x, _ float64) float64 { return f(x) })
		}
	}
	if f := counters[name]; f != nil {
		return func(_ *mathEnv, v mathValue) (mathValue, error) { return number(f(v)), nil }
	}
	if f := steps[name]; f != nil {
		return func(_ *mathEnv, v mathValue) (mathValue, error) {
			return v.each(func(s *series) *series { return step(s, f) }), nil
		}
	}
	if f := clocks[name]; f != nil {
		return func(_ *mathEnv, v mathValue) (mathValue, error) {
			return v.each(func(s *series) *series {
				out := s.empty()
				for t := range s.points {
					out.set(t, float64(f(time.Unix(t, 0).UTC())))
				}
				return out
			}), nil
		}
	}
	switch name {
	case "FIRST", "LAST":
		return func(_ *mathEnv, v mathValue) (mathValue, error) { return ends(v, name == "LAST") }
	case "RUNNING_SUM":
		return func(_ *mathEnv, v mathValue) (mathValue, error) {
			return v.each(func(s *series) *series {
				out, total := s.empty(), 0.0
				for _, t := range s.times() {
					total += s.points[t]
					out.set(t, total)
				}
				return out
			}), nil
		}
	case "REMOVE_EMPTY":
		return func(_ *mathEnv, v mathValue) (mathValue, error) {
			return array(slices.DeleteFunc(slices.Clone(v.list), func(s *series) bool { return len(s.points) == 0 })), nil
		}
	case "TIME_SERIES":
		return func(e *mathEnv, v mathValue) (mathValue, error) {
			if v.kind != scalar {
				return v, nil
			}
			out := &series{period: e.period, points: map[int64]float64{}}
			for _, t := range e.times(e.period) {
				out.set(t, v.num)
			}
			return single(out), nil
		}
	}
	return nil
}

// ends gives the first or last value of a series, or series of an array.
func ends(v mathValue, last bool) (mathValue, error) {
	if len(v.list) == 0 {
		return v, nil
	}
	if v.kind == many {
		if last {
			return single(v.list[len(v.list)-1]), nil
		}
		return single(v.list[0]), nil
	}
	times := v.list[0].times()
	switch {
	case len(times) == 0:
		return number(0), nil
	case last:
		return number(v.list[0].points[times[len(times)-1]]), nil
	}
	return number(v.list[0].points[times[0]]), nil
}

func step(s *series, f func(x, before float64, seconds int64) float64) *series {
	out := s.empty()
	times := s.times()
	for i := 1; i < len(times); i++ {
		out.set(times[i], f(s.points[times[i]], s.points[times[i-1]], times[i]-times[i-1]))
	}
	return out
}

// choose is IF(condition, then, else).
func choose(e *mathEnv, args []formula) (mathValue, error) {
	var v [3]mathValue
	for i, f := range args {
		var err error
		if v[i], err = f(e); err != nil {
			return v[i], err
		}
		if v[i].kind == many {
			return v[i], errMath("IF takes no arrays of time series")
		}
	}
	cond := v[0]
	if cond.kind == scalar {
		switch {
		case cond.num != 0:
			return v[1], nil
		case len(args) == 3:
			return v[2], nil
		}
		return single(&series{points: map[int64]float64{}}), nil
	}
	out := cond.list[0].empty()
	for t, c := range cond.list[0].points {
		pick := v[2]
		if c != 0 {
			pick = v[1]
		} else if len(args) == 2 {
			continue
		}
		x, ok := pick.num, true
		if pick.kind == one {
			x, ok = pick.list[0].at(t)
		}
		if ok {
			out.set(t, x)
		}
	}
	return single(out), nil
}

// fill gives the times without a value one: a number, another series' value,
// the value before (REPEAT), or one on the line between its neighbours (LINEAR).
func fill(f, with formula, mode string) formula {
	return func(e *mathEnv) (mathValue, error) {
		v, err := f(e)
		if err != nil || v.kind == scalar {
			return v, err
		}
		filler := mathValue{}
		if with != nil {
			if filler, err = with(e); err != nil {
				return v, err
			}
			if filler.kind == many {
				return v, errMath("FILL takes a number or a time series to fill with")
			}
		}
		return v.each(func(s *series) *series {
			out := s.empty()
			for t, x := range s.points {
				out.points[t] = x
			}
			known := s.times()
			for _, t := range e.times(s.period) {
				if _, ok := s.points[t]; ok {
					continue
				}
				if x, ok := guess(s, known, t, filler, mode); ok {
					out.set(t, x)
				}
			}
			return out
		}), nil
	}
}

func guess(s *series, known []int64, t int64, filler mathValue, mode string) (float64, bool) {
	switch {
	case mode == "" && filler.kind == one:
		return filler.list[0].at(t)
	case mode == "":
		return filler.num, true
	}
	i, _ := slices.BinarySearch(known, t)
	if i == 0 {
		return 0, false
	}
	before := known[i-1]
	if mode == "REPEAT" {
		return s.points[before], true
	}
	if i == len(known) {
		return 0, false
	}
	after := known[i]
	share := float64(t-before) / float64(after-before)
	return s.points[before] + share*(s.points[after]-s.points[before]), true
}
