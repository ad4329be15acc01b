package ssm

import (
	"regexp"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/ssmapi"
)

// keep says whether a list has a version.
type keep func(p Parameter, v Version) bool

// kinds are the values that a filter may have, where they are a fixed set.
var kinds = map[string][]string{
	"Type": {Secure, "String", list},
	"Tier": {Standard, Advanced, "Intelligent-Tiering"},
}

// Options of filters.
const (
	equals   = "Equals"
	begins   = "BeginsWith"
	contains = "Contains"
	oneLevel = "OneLevel"
	deep     = "Recursive"
)

// filters reads the filters of a request; keys are those that the operation
// takes, of which "tag" stands for all tags.
func filters(in []api.ParameterStringFilter, keys []string) (all []keep, err error) {
	seen := map[string]bool{}
	for _, f := range in {
		key := *f.Key
		kind, _, _ := strings.Cut(key, ":")
		switch {
		case !slices.Contains(keys, kind):
			return nil, fault("InvalidFilterKey", "The following filter key is not valid: %s. Valid filter keys include: [%s].", key, strings.Join(keys, ", "))
		case seen[key]:
			return nil, fault("InvalidFilterKey", "The following filter key is given more than once: %s.", key)
		}
		seen[key] = true
		one, err := filter(key, val(f.Option), f.Values)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func filter(key, option string, values []string) (keep, error) {
	tag, isTag := strings.CutPrefix(key, "tag:")
	options := []string{begins, equals}
	switch key {
	case "Name":
		options = []string{begins, equals, contains}
	case "Path":
		options = []string{deep, oneLevel}
	case "Label":
		options = []string{equals}
	}
	switch {
	case option == "" && key == "Path":
		option = oneLevel
	case option == "":
		option = equals
	case !slices.Contains(options, option):
		return nil, fault("InvalidFilterOption", "The following filter option is not valid: %s. Valid options include: [%s].", option, strings.Join(options, ", "))
	}
	if len(values) == 0 && !isTag {
		return nil, fault("InvalidFilterValue", "The following filter values are missing: null for filter key %s.", key)
	}
	if known := kinds[key]; known != nil && option == equals {
		for _, v := range values {
			if !slices.Contains(known, v) {
				return nil, fault("InvalidFilterValue", "The following filter value is not valid: %s. Valid values include: [%s].", v, strings.Join(known, ", "))
			}
		}
	}
	if key == "Path" {
		return byPath(values, option == deep)
	}
	return func(p Parameter, v Version) bool {
		switch {
		case isTag:
			have, ok := p.Tags[tag]
			return ok && (len(values) == 0 || anyOf(option, values, have))
		case key == "Name":
			return named(v.Name, option, values)
		case key == "Label":
			return slices.ContainsFunc(v.Labels, func(l string) bool { return anyOf(option, values, l) })
		}
		have := map[string]string{"Type": v.Type, "KeyId": v.Key, "Tier": v.Tier, "DataType": v.DataType}[key]
		return have != "" && anyOf(option, values, have)
	}, nil
}

func anyOf(option string, values []string, have string) bool {
	return slices.ContainsFunc(values, func(v string) bool {
		switch option {
		case begins:
			return strings.HasPrefix(have, v)
		case contains:
			return strings.Contains(have, v)
		}
		return have == v
	})
}

// named compares names; a leading slash makes no difference but to Contains.
func named(name, option string, values []string) bool {
	if option == contains {
		return anyOf(option, values, name)
	}
	bare := make([]string, len(values))
	for i, v := range values {
		bare[i] = strings.TrimPrefix(v, "/")
	}
	return anyOf(option, bare, strings.TrimPrefix(name, "/"))
}

var pathForm = regexp.MustCompile(`^/[a-zA-Z0-9_.\-/]*$`)

func checkPath(path string) error {
	if !pathForm.MatchString(path) || strings.Contains(path, "//") {
		return errPath
	}
	if strings.Count(strings.Trim(path, "/"), "/") >= maxLevels {
		return errLevels
	}
	return nil
}

func byPath(paths []string, recursive bool) (keep, error) {
	for _, path := range paths {
		if err := checkPath(path); err != nil {
			return nil, fault("InvalidFilterValue", "%s", errPath.Message)
		}
	}
	return func(_ Parameter, v Version) bool {
		return slices.ContainsFunc(paths, func(path string) bool { return below(v.Name, path, recursive) })
	}, nil
}

// below says whether a parameter is below a path: directly, or at any depth.
// What has no path is directly below "/".
func below(name, path string, recursive bool) bool {
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	rest, ok := strings.CutPrefix(name, strings.TrimSuffix(path, "/")+"/")
	return ok && rest != "" && (recursive || !strings.Contains(rest, "/"))
}

func (v Version) passes(p Parameter, all []keep) bool {
	return !slices.ContainsFunc(all, func(k keep) bool { return !k(p, v) })
}
