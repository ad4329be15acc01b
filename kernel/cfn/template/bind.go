package template

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Inputs are what a template is bound to.
type Inputs struct {
	Parameters       map[string]string // as given by the user; absent ones take their default
	AccountID        string
	Region           string
	StackID          string
	StackName        string
	NotificationARNs []string
	Zones            []string // of the region; default its first three
	// Stored looks up an SSM parameter for AWS::SSM::Parameter::Value<...>; nil means there are none.
	Stored func(name string) (string, bool)
}

// Bound is a template with its parameters: the conditions are decided, so it is known which resources there are. It is never changed.
type Bound struct {
	*Template
	Inputs     Inputs
	Values     []ParameterValue // in template order
	values     map[string]any
	conditions map[string]bool
	needs      map[string][]string // dependencies of active resources
	ordered    []*Resource
}

// ParameterValue is a parameter with the value it was given.
type ParameterValue struct {
	Name     string
	Value    string
	Resolved string // what SSM holds under Value, for SSM parameter types
	NoEcho   bool
}

// Bind gives a template its parameters. It fails, in CloudFormation's words, when values are missing, unknown or forbidden, when a rule is broken,
// and when resources depend on each other in a circle.
func (t *Template) Bind(in Inputs) (*Bound, error) {
	if len(in.Zones) == 0 {
		in.Zones = []string{in.Region + "a", in.Region + "b", in.Region + "c"}
	}
	b := &Bound{Template: t, Inputs: in, values: map[string]any{}, conditions: map[string]bool{}}
	for _, step := range []func() error{b.bindParameters, b.bindConditions, b.assertRules, b.checkActive} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *Bound) bindParameters() error {
	var unknown, absent []string
	for _, name := range slices.Sorted(maps.Keys(b.Inputs.Parameters)) {
		if b.parameters[name] == nil {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return fail(nil, "Parameters: %s do not exist in the template", bracket(unknown))
	}
	for _, p := range b.Parameters {
		v, ok := b.Inputs.Parameters[p.Name]
		if !ok && p.Default == nil {
			absent = append(absent, p.Name)
			continue
		}
		if !ok {
			v = *p.Default
		}
		b.Values = append(b.Values, ParameterValue{Name: p.Name, Value: v, NoEcho: p.NoEcho})
	}
	if len(absent) > 0 {
		return fail(nil, "Parameters: %s must have values", bracket(absent))
	}
	var lost []string
	for i := range b.Values {
		v := &b.Values[i]
		p := b.parameters[v.Name]
		if err := p.check(v.Value); err != nil {
			return err
		}
		value := v.Value
		if _, ok := p.stored(); ok {
			if v.Resolved, ok = b.stored(v.Value); !ok {
				lost = append(lost, v.Value)
			}
			value = v.Resolved
		}
		b.values[p.Name] = typed(p, value)
	}
	if len(lost) > 0 {
		return fail(nil, "Unable to fetch parameters [%s] from parameter store for this account.", strings.Join(lost, ","))
	}
	return nil
}

func (b *Bound) stored(name string) (string, bool) {
	if b.Inputs.Stored == nil {
		return "", false
	}
	return b.Inputs.Stored(name)
}

func typed(p *Parameter, value string) any {
	if !p.List() {
		return value
	}
	list := make([]any, 0)
	for _, part := range split(value) {
		list = append(list, part)
	}
	return list
}

func (b *Bound) bindConditions() error {
	for _, c := range b.Conditions {
		if _, err := b.condition(c.Name); err != nil {
			return err
		}
	}
	return nil
}

// condition decides a named condition, once. Circles have been refused by Parse.
func (b *Bound) condition(name string) (bool, error) {
	if v, ok := b.conditions[name]; ok {
		return v, nil
	}
	n := b.Template.conditions[name]
	if n == nil {
		return false, fail(nil, "Template format error: Unresolved condition dependency %s", name)
	}
	v, err := b.truth(n)
	if err != nil {
		return false, err
	}
	b.conditions[name] = v
	return v, nil
}

// Holds reports whether a condition holds; the empty condition does.
func (b *Bound) Holds(condition string) bool { return condition == "" || b.conditions[condition] }

func (b *Bound) assertRules() error {
	for _, r := range b.Rules {
		if r.Condition != nil {
			if ok, err := b.truth(r.Condition); err != nil || !ok {
				if err != nil {
					return err
				}
				continue
			}
		}
		for _, a := range r.Assertions {
			ok, err := b.truth(a.Assert)
			if err != nil {
				return err
			}
			if !ok {
				return fail(a.Assert, "Template error: Rule %s failed: %s", r.Name, a.Description)
			}
		}
	}
	return nil
}

// Active lists the resources whose conditions hold, in template order.
func (b *Bound) Active() []*Resource {
	out := make([]*Resource, 0, len(b.Resources))
	for _, r := range b.Resources {
		if b.Holds(r.Condition) {
			out = append(out, r)
		}
	}
	return out
}

// References lists what an active part of a template refers to among the resources, as a set of Reference without nodes.
func (b *Bound) References(n *Node) []Reference {
	var out []Reference
	// Shapes were checked by Parse: references cannot fail any more.
	_ = references(n, b.Holds, func(r Reference) error {
		if b.byID[r.Name] != nil {
			r.Node = nil
			out = append(out, r)
		}
		return nil
	})
	return out
}

// Ordered lists the active resources so that each comes after those it needs, otherwise in template order.
func (b *Bound) Ordered() []*Resource { return b.ordered }

// Dependencies lists, sorted, the active resources that a resource needs first.
func (b *Bound) Dependencies(r *Resource) []string { return b.needs[r.LogicalID] }

func (b *Bound) dependencies(r *Resource) []string {
	var out []string
	for _, n := range []*Node{r.Properties, r.Metadata, r.CreationPolicy} {
		for _, ref := range b.References(n) {
			out = append(out, ref.Name)
		}
	}
	out = append(out, r.DependsOn...)
	out = slices.DeleteFunc(out, func(id string) bool { return !b.Holds(b.byID[id].Condition) })
	slices.Sort(out)
	return slices.Compact(out)
}

// checkActive refuses references to resources that are not made because of their condition, and circles.
func (b *Bound) checkActive() error {
	var missing []string
	graph := make(map[string][]string)
	b.needs = graph
	for _, r := range b.Active() {
		for _, ref := range b.References(r.Properties) {
			if !b.Holds(b.byID[ref.Name].Condition) {
				missing = append(missing, ref.Name)
			}
		}
		graph[r.LogicalID] = b.dependencies(r)
	}
	if err := unresolved(missing, "Resources"); err != nil {
		return err
	}
	if cycle := cyclic(graph); len(cycle) > 0 {
		return fail(nil, "Circular dependency between resources: %s", bracket(cycle))
	}
	b.ordered = inOrder(b.Active(), graph)
	for _, o := range b.Outputs {
		if !b.Holds(o.Condition) {
			continue
		}
		for _, ref := range b.References(o.Value) {
			if !b.Holds(b.byID[ref.Name].Condition) {
				missing = append(missing, ref.Name)
			}
		}
	}
	if len(graph) == 0 {
		return fail(nil, "Template format error: At least one Resources member must be defined.")
	}
	return unresolved(missing, "Outputs")
}

// ref answers Ref for parameters and pseudo parameters.
func (b *Bound) ref(name string) (any, bool) {
	if v, ok := b.values[name]; ok {
		return v, true
	}
	in := b.Inputs
	switch name {
	case "AWS::AccountId":
		return in.AccountID, true
	case "AWS::NoValue":
		return noValue{}, true
	case "AWS::NotificationARNs":
		list := make([]any, len(in.NotificationARNs))
		for i, arn := range in.NotificationARNs {
			list[i] = arn
		}
		return list, true
	case "AWS::Partition":
		return "aws", true
	case "AWS::Region":
		return in.Region, true
	case "AWS::StackId":
		return in.StackID, true
	case "AWS::StackName":
		return in.StackName, true
	case "AWS::URLSuffix":
		return "amazonaws.com", true
	}
	return nil, false
}

// Text is the text form of a scalar value, as Join and Sub see it.
func Text(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case json.Number:
		return x.String(), true
	case bool:
		return fmt.Sprint(x), true
	default:
		return "", false
	}
}
