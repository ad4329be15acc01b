package template

import (
	"encoding/json"
)

// Env answers for what lies outside of the template. Ref and GetAtt are asked for resources only; an answer may be Unknown.
type Env interface {
	Ref(logicalID string) (any, error)
	GetAtt(logicalID, attribute string) (any, error)
	Import(name string) (any, error)
}

// Unknown is a value that only a resource not yet made, or about to be replaced, can tell. A function of an Unknown is that Unknown.
type Unknown struct {
	LogicalID string
	Attribute string // "" for Ref
}

// MarshalJSON is what change sets show for a value known only after the deployment.
func (Unknown) MarshalJSON() ([]byte, error) { return json.Marshal("{{changeSet:KNOWN_AFTER_APPLY}}") }

// noValue is AWS::NoValue: it makes the property, or the list element, disappear.
type noValue struct{}

// Eval computes a value. A nil node, and AWS::NoValue, are nil. Dynamic references stay as they are written: see ResolveDynamic.
func (b *Bound) Eval(n *Node, env Env) (any, error) {
	v, err := (evaluator{b, env}).value(n)
	if _, none := v.(noValue); none {
		v = nil
	}
	return v, err
}

// Properties computes the properties of a resource.
func (b *Bound) Properties(r *Resource, env Env) (map[string]any, error) {
	v, err := b.Eval(r.Properties, env)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fail(r.Properties, "Template format error: [/Resources/%s/Properties] Every Properties member must be a map.", r.LogicalID)
	}
	return m, nil
}

// truth decides a boolean expression of the Conditions and Rules sections, which know no resources.
func (b *Bound) truth(n *Node) (bool, error) { return evaluator{b, nil}.truth(n) }

type evaluator struct {
	b   *Bound
	env Env // nil where resources may not be named
}

func (e evaluator) value(n *Node) (any, error) {
	if n == nil {
		return nil, nil
	}
	switch n.Kind {
	case List:
		return e.list(n)
	case Map:
		if name, arg, ok := n.call(); ok {
			return e.call(n, name, arg)
		}
		return e.object(n)
	default:
		return n.Value(), nil
	}
}

func (e evaluator) list(n *Node) ([]any, error) {
	out := make([]any, 0, len(n.Items))
	for _, item := range n.Items {
		v, err := e.value(item)
		if err != nil {
			return nil, err
		}
		if _, none := v.(noValue); !none {
			out = append(out, v)
		}
	}
	return out, nil
}

func (e evaluator) object(n *Node) (any, error) {
	out := make(map[string]any, len(n.Entries))
	for _, entry := range n.Entries {
		v, err := e.value(entry.Value)
		if err != nil {
			return nil, err
		}
		if _, none := v.(noValue); !none {
			out[entry.Key] = v
		}
	}
	return out, nil
}

func (e evaluator) call(n *Node, name string, arg *Node) (any, error) {
	switch name {
	case "Ref":
		return e.ref(n, arg.Text)
	case "Fn::GetAtt":
		return e.getAtt(n, arg)
	case "Fn::If":
		return e.choose(arg)
	case "Fn::Sub":
		return e.sub(arg)
	case "Fn::FindInMap":
		return e.find(arg)
	case "Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn":
		return e.truth(n)
	}
	v, err := e.value(arg)
	if err != nil {
		return nil, err
	}
	if u, ok := FindUnknown(v); ok && name != "Fn::Select" {
		return u, nil
	}
	switch name {
	case "Fn::Join":
		return join(n, v)
	case "Fn::Split":
		return splitText(n, v)
	case "Fn::Select":
		return selectItem(n, v)
	case "Fn::Base64":
		return encode64(n, v)
	case "Fn::Cidr":
		return cidrs(n, v)
	case "Fn::GetAZs":
		return e.zones(n, v)
	case "Fn::ImportValue":
		return e.importValue(n, v)
	case "Fn::Length":
		return length(n, v)
	case "Fn::ToJsonString":
		return toJSON(n, v)
	case "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll":
		return e.parameterSet(n, name, v)
	default:
		return nil, fail(n, "Template Error: Encountered unsupported function: %s Supported functions are: [%s]", name, supported)
	}
}

func (e evaluator) ref(n *Node, name string) (any, error) {
	if v, ok := e.b.ref(name); ok {
		return v, nil
	}
	if e.env == nil {
		return nil, fail(n, "Template format error: Unresolved dependencies [%s]. Cannot reference resources in the Conditions block of the template", name)
	}
	return e.env.Ref(name)
}

func (e evaluator) getAtt(n, arg *Node) (any, error) {
	id, attribute, err := getAttParts(arg)
	if err != nil {
		return nil, err
	}
	v, err := e.value(attribute)
	if err != nil {
		return nil, err
	}
	name, ok := Text(v)
	if !ok || e.env == nil {
		return nil, fail(n, getAttShape)
	}
	return e.env.GetAtt(id, name)
}

func (e evaluator) choose(arg *Node) (any, error) {
	if e.b.Holds(arg.Items[0].Text) {
		return e.value(arg.Items[1])
	}
	return e.value(arg.Items[2])
}

// FindUnknown finds an Unknown anywhere in a value.
func FindUnknown(v any) (Unknown, bool) {
	switch x := v.(type) {
	case Unknown:
		return x, true
	case []any:
		for _, item := range x {
			if u, ok := FindUnknown(item); ok {
				return u, true
			}
		}
	case map[string]any:
		for _, item := range x {
			if u, ok := FindUnknown(item); ok {
				return u, true
			}
		}
	}
	return Unknown{}, false
}
