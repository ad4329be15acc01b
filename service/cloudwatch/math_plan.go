package cloudwatch

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// plan is a list of metric data queries, checked.
type plan struct {
	queries []query
	byID    map[string]int
}

type query struct {
	cloudwatchapi.MetricDataQuery
	metric    metrics.Metric
	statistic statistic
	formula   formula
	parsed    *mathParser
}

func (q query) returns() bool { return q.ReturnData == nil || *q.ReturnData }

var idPattern = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

// planQueries checks queries; path names the list in errors.
func planQueries(in []cloudwatchapi.MetricDataQuery, scope, path string) (*plan, error) {
	p := &plan{byID: map[string]int{}}
	for i, m := range in {
		at := fmt.Sprintf("%s.member.%d", path, i+1)
		id := val(m.Id)
		if !idPattern.MatchString(id) {
			return nil, validation("The value %s for parameter %s.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.", id, at)
		}
		if _, ok := p.byID[id]; ok {
			return nil, validation("The values for parameter id in %s are not unique.", path)
		}
		p.byID[id] = i
		q, err := planQuery(m, scope, at)
		if err != nil {
			return nil, err
		}
		p.queries = append(p.queries, q)
	}
	for i, q := range p.queries {
		if q.parsed == nil {
			continue
		}
		for _, id := range q.parsed.ids {
			if _, ok := p.byID[id]; !ok {
				return nil, validation("Error in expression '%s' [%s is not a known id]", val(q.Id), id)
			}
		}
		if p.cyclic(i, nil) {
			return nil, validation("Error in expression '%s' [it depends on itself]", val(q.Id))
		}
	}
	return p, nil
}

func validation(format string, args ...any) error {
	e := errValue(format, args...)
	e.Code = "ValidationError"
	return e
}

func planQuery(m cloudwatchapi.MetricDataQuery, scope, at string) (q query, err error) {
	q.MetricDataQuery = m
	switch {
	case m.AccountId != nil && !strings.HasPrefix(scope, *m.AccountId+"/"):
		return q, errRefused("Cross-account observability")
	case (m.MetricStat == nil) == (m.Expression == nil):
		return q, validation("The parameter %s must have exactly one of Expression and MetricStat.", at)
	case m.Expression != nil:
		q.formula, q.parsed, err = parseMath(*m.Expression)
		return q, err
	}
	st := m.MetricStat
	if st.Metric == nil || st.Metric.MetricName == nil || st.Metric.Namespace == nil {
		return q, errMissing(at + ".MetricStat.Metric")
	}
	d, err := dims(st.Metric.Dimensions, at+".MetricStat.Metric.Dimensions")
	if err != nil {
		return q, err
	}
	q.metric = metrics.Metric{Scope: scope, Namespace: *st.Metric.Namespace, Name: *st.Metric.MetricName, Dims: d}
	if !validPeriod(int(val(st.Period))) {
		return q, validation("The value %d for parameter %s.MetricStat.Period is invalid.", val(st.Period), at)
	}
	var ok bool
	if q.statistic, ok = parseStatistic(val(st.Stat)); !ok {
		return q, validation("The value %s for parameter %s.MetricStat.Stat is not supported.", val(st.Stat), at)
	}
	return q, nil
}

// cyclic reports whether an expression depends on itself. METRICS takes
// metrics alone, so it makes no cycle.
func (p *plan) cyclic(i int, above []int) bool {
	if slices.Contains(above, i) {
		return true
	}
	if p.queries[i].parsed == nil {
		return false
	}
	above = append(above[:len(above):len(above)], i)
	return slices.ContainsFunc(p.queries[i].parsed.ids, func(id string) bool { return p.cyclic(p.byID[id], above) })
}

// returned is how many queries return data.
func (p *plan) returned() (n int) {
	for _, q := range p.queries {
		if q.returns() {
			n++
		}
	}
	return n
}

// period is the longest period of the queries, in seconds; a minute without one.
func (p *plan) period() int {
	longest := 0
	for _, q := range p.queries {
		longest = max(longest, int(val(q.Period)))
		if q.MetricStat != nil {
			longest = max(longest, int(val(q.MetricStat.Period)))
		}
	}
	if longest == 0 {
		return 60
	}
	return longest
}

// searches reports whether an expression calls SEARCH.
func (p *plan) searches(expression string) bool {
	_, parsed, err := parseMath(expression)
	return err == nil && slices.Contains(parsed.calls, "SEARCH")
}

// mathEnv computes the values of a plan over a time range.
type mathEnv struct {
	plan       *plan
	scope      string
	start, end time.Time
	period     int           // of series that come of numbers
	scale      func(int) int // periods as measured
	store      *metrics.Store
	since      time.Time // SEARCH finds metrics active since
	known      map[string]mathValue
}

// times are the periods of the range.
func (e *mathEnv) times(period int) (out []int64) {
	period = max(period, 1)
	for t := aligned(e.start, period).Unix(); t < e.end.Unix() && len(out) < maxPoints; t += int64(period) {
		if t >= e.start.Unix() {
			out = append(out, t)
		}
	}
	return out
}

// value is the value of an id.
func (e *mathEnv) value(id string) (mathValue, error) {
	if v, ok := e.known[id]; ok {
		return v, nil
	}
	q := e.plan.queries[e.plan.byID[id]]
	var v mathValue
	var err error
	if q.formula != nil {
		v, err = q.formula(e)
	} else {
		var s *series
		s, err = e.fetch(q.metric, val(q.MetricStat.Stat), q.statistic, string(q.MetricStat.Unit), int(*q.MetricStat.Period))
		v = single(s)
	}
	if err == nil {
		e.known[id] = v
	}
	return v, err
}

// metrics are the metrics of the request whose ids contain part.
func (e *mathEnv) metrics(part string) (mathValue, error) {
	out := mathValue{kind: many}
	for _, q := range e.plan.queries {
		if q.formula != nil || !strings.Contains(val(q.Id), part) {
			continue
		}
		v, err := e.value(val(q.Id))
		if err != nil {
			return v, err
		}
		out.list = append(out.list, v.list...)
	}
	return out, nil
}

// fetch reads a metric.
func (e *mathEnv) fetch(m metrics.Metric, name string, f statistic, unit string, period int) (*series, error) {
	length := e.scale(period)
	points, err := e.store.Query(metrics.Query{
		Metric: m, Unit: unit, Start: aligned(e.start, length), End: e.end, Period: time.Duration(length) * time.Second,
	})
	if err != nil {
		return nil, err
	}
	s := &series{label: m.Name, metric: &m, stat: name, period: length, points: map[int64]float64{}, counts: map[int64]float64{}}
	for _, p := range points {
		if v, ok := f(p.Stat); ok {
			s.set(p.Time.Unix(), v)
			s.counts[p.Time.Unix()] = p.Stat.Count
		}
	}
	return s, nil
}
