package cfn

import (
	"reflect"
	"slices"

	"github.com/slipway-dev/slipway/kernel/cfn/template"
)

// Recreation says whether a changed property replaces its resource, in the words of change sets.
type Recreation string

// Answers to "does this change need a new resource".
const (
	Never         Recreation = "Never"
	Conditionally Recreation = "Conditionally"
	Always        Recreation = "Always"
)

// Difference is a property that differs between two versions of a resource.
type Difference struct {
	Property   string // name of the top-level property
	Path       string // JSON pointer: "/Properties/Name"
	Before     any    // nil when added
	After      any    // nil when removed; may hold a template.Unknown
	Recreation Recreation
	// Cause is the resource whose change may cause this one; After is not known before that has happened.
	Cause template.Unknown
}

// Dynamic reports whether it is not known before the deployment that the property changes at all.
func (d Difference) Dynamic() bool { return d.Cause != (template.Unknown{}) }

// Diff compares resolved properties. Numbers and booleans equal their text, as the decoder takes them; the order of Tags does not count.
func (t Type) Diff(before, after map[string]any) []Difference {
	var out []Difference
	for _, name := range unionKeys(before, after) {
		b, a := before[name], after[name]
		if name == "Tags" {
			b, a = sortedTags(b), sortedTags(a)
		}
		if Same(b, a) {
			continue
		}
		d := Difference{Property: name, Path: "/Properties/" + name, Before: b, After: a, Recreation: Never}
		d.Cause, _ = template.FindUnknown(a)
		if f := t.schema.byName[name]; (f != nil && f.create) || !t.Updatable() {
			d.Recreation = Always
			if d.Dynamic() {
				d.Recreation = Conditionally
			}
		}
		out = append(out, d)
	}
	return out
}

// CustomNamed reports whether the template itself gives the physical id: two such resources cannot stand side by side during a replacement.
func (t Type) CustomNamed(properties map[string]any) bool {
	return t.schema.id.writable() && properties[t.schema.id.name] != nil
}

// IDProperty is the name of the field that holds the physical id.
func (t Type) IDProperty() string { return t.schema.id.name }

// Same reports whether two values are the same to CloudFormation: scalars by text, null as absent.
func Same(a, b any) bool {
	at, aok := scalarText(a)
	bt, bok := scalarText(b)
	if aok && bok {
		return at == bt
	}
	switch x := a.(type) {
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, Same)
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			return false
		}
		for _, k := range unionKeys(x, y) {
			if !Same(x[k], y[k]) {
				return false
			}
		}
		return true
	default:
		return reflect.DeepEqual(a, b)
	}
}

func sortedTags(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	key := func(v any) string {
		m, _ := v.(map[string]any)
		s, _ := scalarText(m["Key"])
		return s
	}
	return slices.SortedStableFunc(slices.Values(list), func(a, b any) int {
		switch ka, kb := key(a), key(b); {
		case ka < kb:
			return -1
		case ka > kb:
			return 1
		}
		return 0
	})
}

func unionKeys(a, b map[string]any) []string {
	keys := sortedKeys(a)
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}
