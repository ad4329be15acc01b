package template

import "regexp"

var alphanumeric = regexp.MustCompile(`^[A-Za-z0-9]{1,255}$`)

func (t *Template) resource(id string, n *Node) error {
	if !alphanumeric.MatchString(id) {
		return fail(n, "Template format error: Resource name %s is non alphanumeric.", id)
	}
	if n.Kind != Map {
		return fail(n, "Template format error: [/Resources/%s] resource definition is malformed", id)
	}
	r := &Resource{LogicalID: id, Properties: &Node{Kind: Map, Line: n.Line, Column: n.Column}, Line: n.Line, Column: n.Column}
	for _, e := range n.Entries {
		if err := r.attribute(e); err != nil {
			return err
		}
	}
	if r.Type == "" {
		return fail(n, "Template format error: [/Resources/%s] Every Resources object must contain a Type member.", id)
	}
	t.Resources, t.byID[id] = append(t.Resources, r), r
	return nil
}

func (r *Resource) attribute(e Entry) (err error) {
	where := "Template format error: [/Resources/" + r.LogicalID + "/" + e.Key + "] "
	switch e.Key {
	case "Type":
		r.Type, err = text(e.Value, where+"Every Type member must be a string.")
	case "Properties":
		if e.Value.Kind != Map && e.Value.Kind != Null {
			return fail(e.Value, "%sEvery Properties member must be a map.", where)
		}
		if _, _, ok := e.Value.call(); ok {
			return fail(e.Value, "%sEvery Properties member must be a map.", where)
		}
		if e.Value.Kind == Map {
			r.Properties = e.Value
		}
	case "DependsOn":
		r.DependsOn, err = texts(e.Value, "Template format error: DependsOn must be a string or list of strings.")
	case "Condition":
		r.Condition, err = text(e.Value, "Template format error: Every Condition member must be a string.")
	case "DeletionPolicy":
		r.DeletionPolicy, err = policy(e, Delete, Retain, Snapshot, RetainExceptOnCreate)
	case "UpdateReplacePolicy":
		r.UpdateReplacePolicy, err = policy(e, Delete, Retain, Snapshot)
	case "Metadata":
		r.Metadata = e.Value
	case "CreationPolicy", "UpdatePolicy":
		if e.Value.Kind != Map {
			return fail(e.Value, "%sEvery %s member must be a map.", where, e.Key)
		}
		if e.Key == "CreationPolicy" {
			r.CreationPolicy = e.Value
		} else {
			r.UpdatePolicy = e.Value
		}
	default:
		return fail(e.Value, "Invalid template resource property '%s'", e.Key)
	}
	return err
}

func policy(e Entry, allowed ...Policy) (Policy, error) {
	for _, p := range allowed {
		if e.Value.Kind == String && e.Value.Text == string(p) {
			return p, nil
		}
	}
	return "", fail(e.Value, "Template format error: Unrecognized %s %s for resource.", e.Key, e.Value.Text)
}

func (t *Template) output(name string, n *Node) (err error) {
	if !alphanumeric.MatchString(name) {
		return fail(n, "Template format error: Output name %s is non alphanumeric.", name)
	}
	o := &Output{Name: name}
	for _, e := range n.Entries {
		switch e.Key {
		case "Value":
			o.Value = e.Value
		case "Description":
			o.Description, err = text(e.Value, "Template format error: Every Description member must be a string.")
		case "Condition":
			o.Condition, err = text(e.Value, "Template format error: Every Condition member must be a string.")
		case "Export":
			if o.Export = e.Value.Get("Name"); o.Export == nil || len(e.Value.Entries) != 1 {
				err = fail(e.Value, "Template format error: Output %s is malformed. The Export field requires a Name.", name)
			}
		default:
			err = fail(e.Value, "Invalid template property or properties [Outputs, %s, %s]", name, e.Key)
		}
		if err != nil {
			return err
		}
	}
	if o.Value == nil || o.Value.Kind == Null {
		return fail(n, "Template format error: Every Outputs member must contain a Value object")
	}
	t.Outputs = append(t.Outputs, o)
	return nil
}

func (t *Template) rule(name string, n *Node) error {
	r := &Rule{Name: name, Condition: n.Get("RuleCondition")}
	assertions := n.Get("Assertions")
	if assertions == nil || assertions.Kind != List || len(assertions.Items) == 0 {
		return fail(n, "Template format error: Rule %s must contain a list of Assertions.", name)
	}
	for _, a := range assertions.Items {
		assert := a.Get("Assert")
		if assert == nil {
			return fail(a, "Template format error: Every assertion of rule %s must contain an Assert object.", name)
		}
		var description string
		if d := a.Get("AssertDescription"); d != nil {
			description = d.Text
		}
		r.Assertions = append(r.Assertions, Assertion{assert, description})
	}
	t.Rules = append(t.Rules, r)
	return nil
}

func mapping(name string, n *Node) error {
	if n.Kind != Map {
		return fail(n, "Template format error: Every Mappings member %s must be a map", name)
	}
	for _, top := range n.Entries {
		if top.Value.Kind != Map {
			return fail(top.Value, "Template format error: Every Mappings attribute must be a map of scalar values: %s, %s", name, top.Key)
		}
		for _, second := range top.Value.Entries {
			if k := second.Value.Kind; k == Map || k == Null {
				return fail(second.Value, "Template format error: Every Mappings attribute must be a String or a List.")
			}
		}
	}
	return nil
}
