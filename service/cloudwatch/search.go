package cloudwatch

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// maxSearch is how many metrics a search gives at most.
const maxSearch = 100

// term is a condition of a search: a property (MetricName, Namespace, or a
// dimension) that has a value, or text that occurs somewhere.
type term struct {
	property string
	value    string
	exact    bool // in double quotes
}

var termPattern = regexp.MustCompile(`(?:"?([:\w/.-]+)"?\s*=\s*)?(?:"([^"]*)"|([^\s"=]+))`)

// parseSearch reads SEARCH's arguments: '{Namespace,Dim,...} terms',
// 'Statistic', period. The terms must all hold; OR and NOT are refused.
func parseSearch(args []string) (formula, error) {
	if len(args) < 2 || len(args) > 3 {
		return nil, errMath("SEARCH takes an expression, a statistic and a period")
	}
	f, ok := parseStatistic(args[1])
	if !ok {
		return nil, errMath("%s is not a statistic", args[1])
	}
	period := 0
	if len(args) == 3 {
		var err error
		if period, err = strconv.Atoi(args[2]); err != nil || !validPeriod(period) {
			return nil, errMath("%s is not a period", args[2])
		}
	}
	text := strings.TrimSpace(args[0])
	var schema []string
	if inner, rest, ok := strings.Cut(strings.TrimPrefix(text, "{"), "}"); ok && strings.HasPrefix(text, "{") {
		for _, part := range strings.Split(inner, ",") {
			schema = append(schema, strings.Trim(strings.TrimSpace(part), `"`))
		}
		text = rest
	}
	var terms []term
	for _, m := range termPattern.FindAllStringSubmatch(text, -1) {
		word := m[2] + m[3]
		switch {
		case m[1] == "" && m[2] == "" && word == "AND":
			continue
		case m[1] == "" && m[2] == "" && (word == "OR" || word == "NOT") || strings.ContainsAny(m[3], "()"):
			return nil, errMath("OR, NOT and parentheses in SEARCH are not supported by this engine")
		}
		terms = append(terms, term{m[1], word, m[2] != ""})
	}
	return func(e *mathEnv) (mathValue, error) {
		out := mathValue{kind: many}
		length := period
		if length == 0 {
			length = e.period
		}
		found := e.store.List(e.scope, func(l metrics.Listed) bool {
			return !l.Last.Before(e.since) && fits(l.Metric, schema, terms)
		})
		for _, l := range found[:min(len(found), maxSearch)] {
			s, err := e.fetch(l.Metric, args[1], f, "", length)
			if err != nil {
				return out, err
			}
			if len(found) > 1 {
				var values []string
				for _, d := range l.Dims {
					values = append(values, d.Value)
				}
				s.label = strings.Join(append(values, l.Name), " ")
			}
			out.list = append(out.list, s)
		}
		return out, nil
	}, nil
}

// fits reports whether a metric has the schema, namespace and dimension names,
// and all terms.
func fits(m metrics.Metric, schema []string, terms []term) bool {
	if len(schema) > 0 {
		if m.Namespace != schema[0] || len(m.Dims) != len(schema)-1 {
			return false
		}
		for _, d := range m.Dims {
			if !slices.Contains(schema[1:], d.Name) {
				return false
			}
		}
	}
	for _, t := range terms {
		if !t.holds(m) {
			return false
		}
	}
	return true
}

func (t term) holds(m metrics.Metric) bool {
	property := strings.TrimPrefix(t.property, "Dimension.")
	in := func(name, value string) bool {
		if t.property != "" && property != name {
			return false
		}
		if t.exact && t.property != "" {
			return value == t.value
		}
		return strings.Contains(strings.ToLower(value), strings.ToLower(t.value))
	}
	if in("MetricName", m.Name) || in("Namespace", m.Namespace) || in(":aws.AccountId", strings.Split(m.Scope, "/")[0]) {
		return true
	}
	for _, d := range m.Dims {
		if in(d.Name, d.Value) || t.property == "" && in("", d.Name) {
			return true
		}
	}
	return false
}
