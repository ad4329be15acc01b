package cfn

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/kernel/cfn/template"
)

// DriftKind says how a property differs from what the template asks for.
type DriftKind string

// How properties drift, in the words of drift detection.
const (
	DriftAdd      DriftKind = "ADD"       // an element of a list that the template does not have
	DriftRemove   DriftKind = "REMOVE"    // a property, or an element of a list, that is gone
	DriftNotEqual DriftKind = "NOT_EQUAL" // another value
)

// Drifted is a property that is not as the template says.
type Drifted struct {
	Path     string // JSON pointer below the properties: "/Tags/0/Value"
	Expected any    // nil for DriftAdd
	Actual   any    // nil for DriftRemove
	Kind     DriftKind
}

// Drift is what became of a resource since its stack wrote it. Expected and Actual have the properties that the template gives, and no others: what a template
// leaves open cannot drift.
type Drift struct {
	Expected, Actual map[string]any
	Differences      []Drifted
}

// Intangible is a Resource behind which there is nothing in the world: it cannot drift, nor be imported.
type Intangible interface{ Intangible() }

// Intangible reports whether there is nothing in the world behind the type.
func (t Type) Intangible() bool { return t.handler.intangible() }

// Drift compares resolved properties with what Read has told. Properties that are never kept (writeOnly) and values with dynamic references are not compared:
// nobody can tell their value without spending the secret. Elements of Tags that hold for the whole stack are not drift either.
func (t Type) Drift(properties map[string]any, read Instance, stackTags map[string]string) (Drift, error) {
	p := t.handler.fresh()
	if err := t.decode(properties, p); err != nil && !template.HasDynamic(properties) {
		return Drift{}, fmt.Errorf("%s: properties: %w", t.name, err)
	}
	wish, err := t.instance(p)
	if err != nil {
		return Drift{}, err
	}
	whole, err := document(wish.State)
	if err != nil {
		return Drift{}, err
	}
	there, err := document(read.State)
	if err != nil {
		return Drift{}, err
	}
	there[t.schema.id.name] = read.ID
	c := comparer{}
	out := Drift{Expected: map[string]any{}, Actual: map[string]any{}}
	for _, name := range sortedKeys(properties) {
		f := t.schema.byName[name]
		if f == nil || f.writeOnly || properties[name] == nil {
			continue
		}
		want, is := given(properties[name], whole[name]), there[name]
		if template.HasDynamic(properties[name]) {
			want = properties[name] // it may not be of the property's type yet
		}
		if name == "Tags" {
			is = ownTags(want, is, stackTags)
		}
		is = c.value("/"+name, want, is)
		out.Expected[name] = want
		if is != nil {
			out.Actual[name] = is
		}
	}
	out.Differences = c.found
	return out, nil
}

func document(state json.RawMessage) (map[string]any, error) {
	m := map[string]any{}
	if len(state) == 0 {
		return m, nil
	}
	dec := json.NewDecoder(strings.NewReader(string(state)))
	dec.UseNumber()
	if err := dec.Decode(&m); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	return m, nil
}

// given cuts a normalised value to the keys that the template has.
func given(source, normal any) any {
	switch src := source.(type) {
	case map[string]any:
		m, ok := normal.(map[string]any)
		if !ok {
			return normal
		}
		out := map[string]any{}
		for k, v := range src {
			if n := given(v, m[k]); n != nil {
				out[k] = n
			}
		}
		return out
	case []any:
		list, ok := normal.([]any)
		if !ok || len(list) != len(src) {
			return normal
		}
		out := make([]any, len(list))
		for i := range list {
			out[i] = given(src[i], list[i])
		}
		return out
	}
	return normal
}

// ownTags leaves out of the actual tags those that nobody gave this resource in its template: CloudFormation's own, and the stack's.
func ownTags(want, is any, stackTags map[string]string) any {
	list, ok := is.([]any)
	if !ok {
		return is
	}
	key := func(v any) string {
		m, _ := v.(map[string]any)
		text, _ := m["Key"].(string)
		return text
	}
	wanted := map[string]bool{}
	if w, ok := want.([]any); ok {
		for _, v := range w {
			wanted[key(v)] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(v any) bool {
		_, stack := stackTags[key(v)]
		return !wanted[key(v)] && (stack || strings.HasPrefix(key(v), "aws:"))
	})
}

// comparer finds differences and returns the actual value cut to what was expected.
type comparer struct{ found []Drifted }

func (c *comparer) differ(path string, kind DriftKind, want, is any) {
	c.found = append(c.found, Drifted{Path: path, Expected: want, Actual: is, Kind: kind})
}

func (c *comparer) value(path string, want, is any) any {
	switch {
	case template.HasDynamic(want):
		return want
	case alike(want, is):
		return want
	case absent(is):
		c.differ(path, DriftRemove, want, nil)
		return nil
	}
	switch w := want.(type) {
	case map[string]any:
		if m, ok := is.(map[string]any); ok {
			return c.object(path, w, m)
		}
	case []any:
		if l, ok := is.([]any); ok {
			return c.list(path, w, l)
		}
	}
	is = pruned(is)
	c.differ(path, DriftNotEqual, want, is)
	return is
}

func (c *comparer) object(path string, want, is map[string]any) any {
	out := map[string]any{}
	for _, k := range sortedKeys(want) {
		if v := c.value(path+"/"+pointer(k), want[k], is[k]); v != nil {
			out[k] = v
		}
	}
	return out
}

// list compares without regard to order: services keep lists in an order of their own. Elements without their like are paired by their place.
func (c *comparer) list(path string, want, is []any) any {
	out := make([]any, 0, len(is))
	taken := make([]bool, len(is))
	var left []int
	for i, w := range want {
		j := slices.IndexFunc(seq(len(is)), func(j int) bool { return !taken[j] && contains(w, is[j]) })
		if j < 0 {
			left = append(left, i)
			continue
		}
		taken[j] = true
		out = append(out, w)
	}
	for _, i := range left {
		at := path + "/" + strconv.Itoa(i)
		j := slices.IndexFunc(seq(len(is)), func(j int) bool { return !taken[j] && kindred(want[i], is[j]) })
		if j < 0 {
			c.differ(at, DriftRemove, want[i], nil)
			continue
		}
		taken[j] = true
		out = append(out, c.value(at, want[i], is[j]))
	}
	for j, v := range is {
		if !taken[j] {
			v = pruned(v)
			c.differ(path+"/"+strconv.Itoa(len(out)), DriftAdd, nil, v)
			out = append(out, v)
		}
	}
	return out
}

func seq(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// contains reports whether a value is as expected, more that nobody asked for aside.
func contains(want, is any) bool {
	c := comparer{}
	c.value("", want, is)
	return len(c.found) == 0
}

// names are what tells one element of a list from another.
var names = []string{"Key", "Name", "ContainerName", "PolicyName", "Sid"}

// kindred reports whether two elements that differ are the same one, changed: those with a name by their name, structures without one whenever they are.
func kindred(want, is any) bool {
	w, ok1 := want.(map[string]any)
	m, ok2 := is.(map[string]any)
	if !ok1 || !ok2 {
		return false
	}
	for _, name := range names {
		if w[name] != nil {
			return Same(w[name], m[name])
		}
	}
	return true
}

// alike reports whether two values mean the same: equal to CloudFormation, both nothing, or an ARN and the name it ends with.
func alike(want, is any) bool {
	if Same(want, is) || (empty(want) && empty(is)) {
		return true
	}
	w, ok1 := want.(string)
	i, ok2 := is.(string)
	if !ok1 || !ok2 || w == "" || !strings.HasPrefix(i, "arn:") || strings.HasPrefix(w, "arn:") {
		return false
	}
	return strings.HasSuffix(i, "/"+w) || strings.HasSuffix(i, ":"+w)
}

// empty reports whether a value is none: absent, or what the service says when nothing was asked for.
func empty(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case string:
		return x == ""
	case bool:
		return !x
	case json.Number:
		return x == "0"
	case []any:
		return len(x) == 0
	case map[string]any:
		for _, item := range x {
			if !empty(item) {
				return false
			}
		}
		return true
	}
	return false
}

// absent reports whether a value is not there, in contrast to one that is false or zero.
func absent(v any) bool {
	switch v.(type) {
	case bool, json.Number:
		return false
	}
	return empty(v)
}

// pruned is a value without the parts that are nothing.
func pruned(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := maps.Clone(x)
		for k, item := range x {
			if item == nil || item == "" {
				delete(out, k)
				continue
			}
			out[k] = pruned(item)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, item := range x {
			out[i] = pruned(item)
		}
		return out
	}
	return v
}

// pointer escapes a key for a JSON pointer.
func pointer(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}
