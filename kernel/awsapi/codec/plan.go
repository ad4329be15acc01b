package codec

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/slipway-dev/slipway/api/model"
)

// Kind is what a Plan's values are, seen from the wire.
type Kind uint8

// Kinds of values.
const (
	Struct   Kind = iota
	List          // Go slice
	Map           // Go map with string keys
	String        // also enumerations
	Int           // int32, int64
	Float         // float32, float64
	Bool          //
	Blob          // []byte, base64 in text
	Time          // time.Time
	Document      // any JSON value
	Stream        // body bytes or an event stream, never in a tree
)

// Plan joins a shape to the Go type that holds its values.
type Plan struct {
	Shape  *model.Shape
	Kind   Kind
	Type   reflect.Type
	Fields []Field // of a Struct, in the model's order
	Elem   *Plan   // of a List or Map
	Key    *Plan   // of a Map

	elem, key   *model.Ref
	pattern     func() *regexp.Regexp // nil when there is none or Go cannot express it
	constrained bool                  // something below can fail validation
}

// Field is one member of a Struct.
type Field struct {
	Ref      *model.Ref
	Plan     *Plan
	Required bool

	index      int
	wire       [protocols]string
	jsonKey    []byte // "name":
	timeFormat string
}

// InBody reports whether the member travels in the body, not in a header, the
// path, the query or the status.
func (f *Field) InBody() bool { return f.Ref.Location == "" }

// Value is the field's value in the struct s.
func (f *Field) Value(s reflect.Value) reflect.Value { return s.Field(f.index) }

// Payload is the member that is the whole body in the REST protocols, nil when
// the body is made of all members.
func (p *Plan) Payload() *Field {
	if p.Shape.Payload == "" {
		return nil
	}
	for i := range p.Fields {
		if p.Fields[i].Ref.Name == p.Shape.Payload {
			return &p.Fields[i]
		}
	}
	return nil
}

// EventStream is the member that is a stream of events, or nil.
func (p *Plan) EventStream() *Field {
	for i := range p.Fields {
		if p.Fields[i].Ref.Shape.EventStream {
			return &p.Fields[i]
		}
	}
	return nil
}

// Plans makes and keeps the plans of one service.
type Plans struct {
	mu   sync.Mutex
	made map[planKey]*Plan
}

type planKey struct {
	shape *model.Shape
	typ   reflect.Type
}

// For is the plan of shape held in values of type t, a struct or a pointer to
// one. It panics when the type does not have the shape's form, which the
// generated types always have.
func (ps *Plans) For(shape *model.Shape, t reflect.Type) *Plan {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.made == nil {
		ps.made = map[planKey]*Plan{}
	}
	p := ps.build(shape, t)
	mark(p)
	return p
}

func (ps *Plans) build(s *model.Shape, t reflect.Type) *Plan {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if p := ps.made[planKey{s, t}]; p != nil {
		return p
	}
	p := &Plan{Shape: s, Type: t, pattern: patternOf(s)}
	ps.made[planKey{s, t}] = p
	switch s.Type {
	case "structure":
		if s.Document {
			p.Kind = Document
			break
		}
		p.Kind = Struct
		ps.fields(p, s, t)
	case "list":
		p.Kind, p.elem = List, s.Member
		p.Elem = ps.build(s.Member.Shape, t.Elem())
	case "map":
		p.Kind, p.elem, p.key = Map, s.Value, s.Key
		p.Elem = ps.build(s.Value.Shape, t.Elem())
		p.Key = ps.build(s.Key.Shape, t.Key())
	default:
		kind, ok := scalars[s.Type]
		if !ok {
			panic(fmt.Sprintf("codec: shape %s has unknown type %q", s.Name, s.Type))
		}
		p.Kind = kind
	}
	return p
}

var scalars = map[string]Kind{
	"string": String, "character": String, "boolean": Bool, "blob": Blob, "timestamp": Time,
	"integer": Int, "long": Int, "short": Int, "byte": Int,
	"float": Float, "double": Float, "bigdecimal": Float,
}

func (ps *Plans) fields(p *Plan, s *model.Shape, t reflect.Type) {
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("codec: shape %s is a structure, %s is not", s.Name, t))
	}
	for _, r := range s.Members {
		sf, ok := t.FieldByName(goName(r.Name))
		if !ok {
			if s.EventStream {
				continue // an exception: carried as the error of the sequence
			}
			panic(fmt.Sprintf("codec: %s has no field for member %s", t, r.Name))
		}
		f := Field{Ref: r, index: sf.Index[0], timeFormat: r.TimestampFormat}
		for _, name := range s.Required {
			f.Required = f.Required || name == r.Name
		}
		if f.timeFormat == "" {
			f.timeFormat = r.Shape.TimestampFormat
		}
		f.wire = wireNames(r)
		f.jsonKey = append(strconv.AppendQuote(nil, f.wire[JSON]), ':')
		switch {
		case r.Shape.EventStream:
			f.Plan = &Plan{Shape: r.Shape, Kind: Stream, Type: sf.Type}
		case r.Streaming || r.Shape.Streaming:
			f.Plan = &Plan{Shape: r.Shape, Kind: Stream, Type: sf.Type}
		default:
			f.Plan = ps.build(r.Shape, sf.Type)
		}
		p.Fields = append(p.Fields, f)
	}
}

// wireNames are the names of a member in the body, by protocol.
func wireNames(r *model.Ref) (wire [protocols]string) {
	name := r.Name
	if r.LocationName != "" && r.Location == "" {
		name = r.LocationName
	}
	for i := range wire {
		wire[i] = name
	}
	if r.Shape.Type == "list" && (r.Shape.Flattened || r.Flattened) && r.Shape.Member.LocationName != "" {
		wire[Query], wire[XML] = r.Shape.Member.LocationName, r.Shape.Member.LocationName
	}
	if r.QueryName != "" {
		wire[EC2] = r.QueryName
	} else {
		wire[EC2] = strings.ToUpper(name[:1]) + name[1:]
	}
	return wire
}

// goName is the Go field of a member; api/internal/gen has the same rule.
func goName(s string) string {
	s = strings.NewReplacer("-", "", ".", "", "_", "", ":", "").Replace(s)
	return strings.ToUpper(s[:1]) + s[1:]
}

// mark sets constrained on every plan from which a constraint can be reached.
// Plans may be recursive, so it repeats until nothing changes. Plans made
// earlier have their final value already and are only read, as others may be
// reading them.
func mark(root *Plan) {
	var all []*Plan
	seen := map[*Plan]bool{}
	var collect func(p *Plan)
	collect = func(p *Plan) {
		if p == nil || seen[p] {
			return
		}
		seen[p] = true
		all = append(all, p)
		for i := range p.Fields {
			collect(p.Fields[i].Plan)
		}
		collect(p.Elem)
		collect(p.Key)
	}
	collect(root)
	for changed := true; changed; {
		changed = false
		for _, p := range all {
			if !p.constrained && p.needsCheck() {
				p.constrained, changed = true, true
			}
		}
	}
}

func (p *Plan) needsCheck() bool {
	s := p.Shape
	if s.Min != nil || s.Max != nil || len(s.Enum) > 0 || p.pattern != nil || len(s.Required) > 0 {
		return true
	}
	for i := range p.Fields {
		if p.Fields[i].Plan.constrained {
			return true
		}
	}
	return p.Elem != nil && p.Elem.constrained || p.Key != nil && p.Key.constrained
}
