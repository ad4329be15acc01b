package iam

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// compare applies a condition operator to a value; known is false when it is
// none that is evaluated here.
// Source: IAM user guide, IAM JSON policy elements: Condition operators.
func compare(operator, value string, wanted []string) (holds, known bool) {
	base := strings.Replace(operator, "Not", "", 1)
	same, ok := comparisons[base]
	if !ok {
		return false, false
	}
	found := slices.ContainsFunc(wanted, func(w string) bool { return same(w, value) })
	return found != (base != operator), true
}

// comparisons compare what a policy wants with what a request has, by operator.
var comparisons = map[string]func(want, value string) bool{
	"StringEquals":             func(w, v string) bool { return w == v },
	"StringEqualsIgnoreCase":   strings.EqualFold,
	"StringLike":               like,
	"ArnLike":                  like,
	"ArnEquals":                like,
	"Bool":                     strings.EqualFold,
	"IpAddress":                within,
	"NumericEquals":            number(func(w, v float64) bool { return v == w }),
	"NumericLessThan":          number(func(w, v float64) bool { return v < w }),
	"NumericLessThanEquals":    number(func(w, v float64) bool { return v <= w }),
	"NumericGreaterThan":       number(func(w, v float64) bool { return v > w }),
	"NumericGreaterThanEquals": number(func(w, v float64) bool { return v >= w }),
	"DateEquals":               date(func(w, v time.Time) bool { return v.Equal(w) }),
	"DateLessThan":             date(func(w, v time.Time) bool { return v.Before(w) }),
	"DateLessThanEquals":       date(func(w, v time.Time) bool { return !v.After(w) }),
	"DateGreaterThan":          date(func(w, v time.Time) bool { return v.After(w) }),
	"DateGreaterThanEquals":    date(func(w, v time.Time) bool { return !v.Before(w) }),
}

// within says whether an address is in a block, or is it.
func within(block, address string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	if p, err := netip.ParsePrefix(block); err == nil {
		return p.Contains(a.Unmap())
	}
	b, err := netip.ParseAddr(block)
	return err == nil && a.Unmap() == b.Unmap()
}

func number(test func(want, value float64) bool) func(want, value string) bool {
	return func(want, value string) bool {
		w, err := strconv.ParseFloat(want, 64)
		v, verr := strconv.ParseFloat(value, 64)
		return err == nil && verr == nil && test(w, v)
	}
}

func date(test func(want, value time.Time) bool) func(want, value string) bool {
	return func(want, value string) bool {
		w, ok := instant(want)
		v, vok := instant(value)
		return ok && vok && test(w, v)
	}
}

// instant reads a time in ISO 8601 or in seconds since 1970.
func instant(s string) (time.Time, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(n, 0), true
	}
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}

// literals reads the values of a condition that are written as numbers or as
// true and false, alone or in a list.
func literals(raw json.RawMessage) ([]string, bool) {
	var many []any
	if json.Unmarshal(raw, &many) != nil {
		many = make([]any, 1)
		if json.Unmarshal(raw, &many[0]) != nil {
			return nil, false
		}
	}
	var out []string
	for _, v := range many {
		switch v.(type) {
		case bool, float64, string:
			out = append(out, fmt.Sprint(v))
		default:
			return nil, false
		}
	}
	return out, true
}
