package codec

import (
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Violation is one value that the model does not allow.
type Violation struct {
	Path  string // "networkConfiguration.awsvpcConfiguration.subnets", first letters small
	Rule  Rule
	Value string   // as the client sent it; "***" when the model calls it sensitive
	Limit string   // of length and value rules, or the pattern
	Enum  []string // of the Enumerated rule
}

// Rule is what a value broke.
type Rule uint8

// Rules of the API models.
const (
	Required Rule = iota
	MinLength
	MaxLength
	MinValue
	MaxValue
	Pattern
	Enumerated
)

// Validate checks v, a pointer to the plan's struct, against the constraints of
// the model: required, length, range, pattern and enumeration.
func Validate(p *Plan, v any) []Violation {
	if !p.constrained {
		return nil
	}
	c := checker{}
	c.check(p, reflect.ValueOf(v).Elem(), "")
	return c.found
}

type checker struct{ found []Violation }

func (c *checker) check(p *Plan, v reflect.Value, path string) {
	if !p.constrained {
		return
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	switch p.Kind {
	case Struct:
		c.structure(p, v, path)
	case List:
		c.length(p, v.Len(), v, path)
		if p.Elem.constrained {
			for i := range v.Len() {
				c.check(p.Elem, v.Index(i), path+"."+strconv.Itoa(i+1)+".member")
			}
		}
	case Map:
		c.length(p, v.Len(), v, path)
		for it := v.MapRange(); it.Next(); {
			c.check(p.Key, it.Key(), path)
			c.check(p.Elem, it.Value(), path+"."+it.Key().String()+".member")
		}
	case String:
		c.str(p, v.String(), path)
	case Blob:
		c.length(p, v.Len(), v, path)
	case Int:
		c.number(p, float64(v.Int()), v, path)
	case Float:
		c.number(p, v.Float(), v, path)
	}
}

func (c *checker) structure(p *Plan, v reflect.Value, path string) {
	for i := range p.Fields {
		f := &p.Fields[i]
		fv := f.Value(v)
		at := memberPath(path, f.Ref.Name)
		if absent(fv) {
			if f.Required && f.Plan.Kind != Stream {
				c.found = append(c.found, Violation{Path: at, Rule: Required})
			}
			continue
		}
		c.check(f.Plan, fv, at)
	}
}

func (c *checker) str(p *Plan, s, path string) {
	if len(p.Shape.Enum) > 0 {
		for _, e := range p.Shape.Enum {
			if e == s {
				return
			}
		}
		c.add(p, Violation{Path: path, Rule: Enumerated, Value: s, Enum: p.Shape.Enum})
		return
	}
	if p.Shape.Min != nil || p.Shape.Max != nil {
		c.bounds(p, float64(utf8.RuneCountInString(s)), s, path, MinLength, MaxLength)
	}
	if p.pattern == nil {
		return
	}
	if re := p.pattern(); re != nil && !re.MatchString(s) {
		c.add(p, Violation{Path: path, Rule: Pattern, Value: s, Limit: p.Shape.Pattern})
	}
}

func (c *checker) length(p *Plan, n int, v reflect.Value, path string) {
	if p.Shape.Min != nil || p.Shape.Max != nil {
		c.bounds(p, float64(n), show(p, v), path, MinLength, MaxLength)
	}
}

func (c *checker) number(p *Plan, n float64, v reflect.Value, path string) {
	if p.Shape.Min != nil || p.Shape.Max != nil {
		c.bounds(p, n, show(p, v), path, MinValue, MaxValue)
	}
}

func (c *checker) bounds(p *Plan, n float64, value, path string, low, high Rule) {
	if m := p.Shape.Min; m != nil && n < *m {
		c.add(p, Violation{Path: path, Rule: low, Value: value, Limit: limit(*m)})
	}
	if m := p.Shape.Max; m != nil && n > *m {
		c.add(p, Violation{Path: path, Rule: high, Value: value, Limit: limit(*m)})
	}
}

func (c *checker) add(p *Plan, v Violation) {
	if p.Shape.Sensitive {
		v.Value = "***"
	}
	c.found = append(c.found, v)
}

func limit(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// show writes a value the way AWS's messages do: [a, b] for lists.
func show(p *Plan, v reflect.Value) string {
	switch p.Kind {
	case List:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = show(p.Elem, deref(v.Index(i)))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case Map:
		items := make([]string, 0, v.Len())
		for _, k := range sortedKeys(v) {
			items = append(items, k.String()+"="+show(p.Elem, deref(v.MapIndex(k))))
		}
		return "{" + strings.Join(items, ", ") + "}"
	case Blob:
		return "java.nio.HeapByteBuffer[pos=0 lim=" + strconv.Itoa(v.Len()) + " cap=" + strconv.Itoa(v.Len()) + "]"
	case Struct:
		return p.Shape.Name + "()"
	}
	return text(p, v, "")
}

func memberPath(path, name string) string {
	name = strings.ToLower(name[:1]) + name[1:]
	if path == "" {
		return name
	}
	return path + "." + name
}
