package cloudwatch

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// statistic computes one number of a period; false when it cannot be had.
type statistic func(metrics.Stat) (float64, bool)

var simple = map[string]statistic{
	"SampleCount": func(s metrics.Stat) (float64, bool) { return s.Count, true },
	"Average":     func(s metrics.Stat) (float64, bool) { return s.Average(), true },
	"Sum":         func(s metrics.Stat) (float64, bool) { return s.Sum, true },
	"Minimum":     func(s metrics.Stat) (float64, bool) { return s.Min, true },
	"Maximum":     func(s metrics.Stat) (float64, bool) { return s.Max, true },
	"IQM":         trimmed(25, 75, trimMean),
}

var (
	ranked = regexp.MustCompile(`^(p|tm|tc|ts|wm)(\d{1,2}(?:\.\d{0,10})?|100)$`)
	ranged = regexp.MustCompile(`^(TM|TC|TS|WM|PR)\(([^:%]*)(%?):([^:%]*)(%?)\)$`)
)

// parseStatistic reads a statistic's name (CloudWatch user guide, Statistics
// definitions).
func parseStatistic(name string) (statistic, bool) {
	if f, ok := simple[name]; ok {
		return f, true
	}
	if m := ranked.FindStringSubmatch(name); m != nil {
		p, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return nil, false
		}
		if m[1] == "p" {
			return func(s metrics.Stat) (float64, bool) { return s.Percentile(p) }, true
		}
		return trimmed(0, p, m[1]), true
	}
	m := ranged.FindStringSubmatch(name)
	if m == nil || m[2] == "" && m[4] == "" {
		return nil, false
	}
	percent := m[3] == "%" || m[5] == "%"
	from, to := -greatest, greatest
	if percent {
		from, to = 0, 100
	}
	for i, at := range []*float64{&from, &to} {
		if m[2+2*i] == "" {
			continue
		}
		v, err := strconv.ParseFloat(m[2+2*i], 64)
		if err != nil || percent != (m[3+2*i] == "%") || percent && (v < 0 || v > 100) {
			return nil, false
		}
		*at = v
	}
	kind := strings.ToLower(m[1])
	if percent {
		return trimmed(from, to, kind), kind != "pr"
	}
	return between(from, to, kind), true
}

// Kinds of statistics over part of the values.
const (
	trimMean  = "tm"
	trimCount = "tc"
	trimSum   = "ts"
	winsor    = "wm" // values outside count as the nearest value inside
	rank      = "pr" // the share of the values inside, in percent
)

func trimmed(from, to float64, kind string) statistic {
	return func(s metrics.Stat) (float64, bool) {
		count, sum, ok := s.Trimmed(from, to)
		if kind == winsor {
			lo, _ := s.Percentile(from)
			hi, _ := s.Percentile(to)
			sum += lo*from/100*s.Count + hi*(100-to)/100*s.Count
			return sum / s.Count, ok
		}
		return part(s, count, sum, ok, kind)
	}
}

func between(from, to float64, kind string) statistic {
	return func(s metrics.Stat) (float64, bool) {
		count, sum, ok := s.Between(from, to)
		if kind == winsor {
			below, _, _ := s.Between(-greatest, from)
			sum += below*max(from, s.Min) + (s.Count-count-below)*min(to, s.Max)
			return sum / s.Count, ok
		}
		return part(s, count, sum, ok, kind)
	}
}

func part(s metrics.Stat, count, sum float64, ok bool, kind string) (float64, bool) {
	switch {
	case !ok:
		return 0, false
	case kind == trimCount:
		return count, true
	case kind == trimSum:
		return sum, true
	case kind == rank:
		return count / s.Count * 100, true
	}
	return sum / count, count > 0
}

// tooFew reports whether a percentile of so many samples says nothing
// (CloudWatch user guide, "Percentile-based alarms and low data samples").
func tooFew(name string, count float64) bool {
	m := ranked.FindStringSubmatch(name)
	if m == nil || m[1] != "p" {
		return false
	}
	p, err := strconv.ParseFloat(m[2], 64)
	if p /= 100; err != nil || p <= 0 || p >= 1 {
		return false
	}
	if p < 0.5 {
		return count < 10/p
	}
	return count < 10/(1-p)
}
