package ec2

import (
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/api/ec2api"
)

// matches tells whether a resource passes all filters; of a filter's values
// one must match. A filter that the resource type does not have is an error.
func matches(filters []ec2api.Filter, fields map[string][]string, tags map[string]string) (bool, error) {
	all := true
	for _, f := range filters {
		name := val(f.Name)
		have, ok := fields[name]
		switch {
		case ok:
		case strings.HasPrefix(name, "tag:"):
			if v, ok := tags[name[len("tag:"):]]; ok {
				have = []string{v}
			}
		case name == "tag-key":
			for k := range tags {
				have = append(have, k)
			}
		case name == "tag-value":
			for _, v := range tags {
				have = append(have, v)
			}
		default:
			return false, errInvalidParameter("The filter '%s' is invalid", name)
		}
		all = all && anyMatch(f.Values, have)
	}
	return all, nil
}

func anyMatch(patterns, values []string) bool {
	for _, p := range patterns {
		for _, v := range values {
			if wildcard(p, v) {
				return true
			}
		}
	}
	return false
}

// wildcard matches as EC2 filters do: * is any text, ? one character, a
// backslash takes the next character as it is; case matters.
func wildcard(pattern, s string) bool {
	p, t := []rune(pattern), []rune(s)
	star, mark := -1, 0 // the last *, and where its text began
	i, j := 0, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
			continue
		case i < len(p) && p[i] == '?':
			i, j = i+1, j+1
			continue
		case i+1 < len(p) && p[i] == '\\' && p[i+1] == t[j]:
			i, j = i+2, j+1
			continue
		case i < len(p) && p[i] != '\\' && p[i] == t[j]:
			i, j = i+1, j+1
			continue
		case star >= 0:
			mark++
			i, j = star+1, mark
			continue
		}
		return false
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// one is the value list of a filter field with a single value.
func one(v string) []string { return []string{v} }

func flag(b bool) []string { return []string{strconv.FormatBool(b)} }

func number(n int) []string { return []string{strconv.Itoa(n)} }
