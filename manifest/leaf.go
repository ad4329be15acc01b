package manifest

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var durationType = reflect.TypeFor[Duration]()

// scalar reads a text, number, truth value or duration and applies the rules of its tag.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag, at Position) {
	if n.Kind != yaml.ScalarNode {
		d.errorf(at, path, "want %s, this is %s", describe(v.Type(), tag), kind(n))
		return
	}
	fail := func(hint string) {
		d.errorf(at, path, "want %s, this is %s%s", describe(v.Type(), tag), kind(n), hint)
	}
	switch {
	case v.Type() == durationType:
		span, err := parseDuration(n.Value)
		if err == nil {
			err = whole(span, n.Value, tag.Get("fine") != "")
		}
		if err != nil {
			d.errorf(at, path, "%s", err)
			return
		}
		if low, high := durationRange(tag); span < low || span > high {
			d.errorf(at, path, "%s is out of range; allowed: %s to %s", span, low, high)
			return
		}
		v.SetInt(int64(span))
	case v.Kind() == reflect.Int:
		i, err := strconv.Atoi(n.Value)
		if n.ShortTag() != "!!int" || err != nil {
			fail("")
			return
		}
		v.SetInt(int64(i))
		d.number(i, path, tag, at)
	case v.Kind() == reflect.Bool:
		if n.ShortTag() != "!!bool" || n.Value != "true" && n.Value != "false" {
			fail("")
			return
		}
		v.SetBool(n.Value == "true")
	default:
		if n.ShortTag() != "!!str" && (n.ShortTag() != "!!int" || tag.Get("number") == "") {
			fail("; put it in quotes")
			return
		}
		v.SetString(n.Value)
		d.text(n.Value, path, tag, at)
	}
}

func (d *decoder) number(i int, path string, tag reflect.StructTag, at Position) {
	if choices := enum(tag); choices != nil && !slices.Contains(choices, strconv.Itoa(i)) {
		d.errorf(at, path, "%d is not allowed; allowed: %s", i, strings.Join(choices, ", "))
		return
	}
	low, hasLow := limit(tag, "min")
	high, hasHigh := limit(tag, "max")
	if hasLow && i < low || hasHigh && i > high {
		d.errorf(at, path, "%d is out of range; allowed: %d to %d", i, low, high)
	}
}

func (d *decoder) text(s, path string, tag reflect.StructTag, at Position) {
	if choices := enum(tag); choices != nil && !slices.Contains(choices, s) {
		d.errorf(at, path, "%q is not allowed%s; allowed: %s", s, suggest(s, choices), strings.Join(choices, ", "))
	}
	if p := tag.Get("pattern"); p != "" && !regexp.MustCompile("^("+p+")$").MatchString(s) {
		d.errorf(at, path, "%q does not fit; want %s", s, tag.Get("say"))
	}
}

// describe says in words what a field wants.
func describe(t reflect.Type, tag reflect.StructTag) string {
	switch {
	case t == durationType:
		return "a time span such as 10s or 2m"
	case t.Kind() == reflect.Int:
		return "a whole number"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Slice && tag.Get("keyed") == "":
		return "a list, as in [a, b]"
	case t.Kind() == reflect.String:
		return "a text"
	}
	return "a mapping (key: value lines)"
}

// kind says in words what stands in the file.
func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	value := n.Value
	if len(value) > 40 {
		value = value[:40] + "..."
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + value
	case "!!bool":
		return "the truth value " + value
	}
	return fmt.Sprintf("the text %q", value)
}

func enum(tag reflect.StructTag) []string {
	if list := tag.Get("enum"); list != "" {
		return strings.Split(list, "|")
	}
	return nil
}

func limit(tag reflect.StructTag, key string) (int, bool) {
	i, err := strconv.Atoi(tag.Get(key))
	return i, err == nil
}

func durationRange(tag reflect.StructTag) (low, high Duration) {
	a, b, _ := strings.Cut(tag.Get("range"), "..")
	low, _ = parseDuration(a)
	high, _ = parseDuration(b)
	return low, high
}
