package template

// extend is AWS::LanguageExtensions over a whole template: loops are unrolled, then whatever parameters and mappings decide is decided.
func (x *expansion) extend(root *Node) (*Node, error) {
	if err := x.uniqueLoops(root); err != nil {
		return nil, err
	}
	t := x.b.Template
	t.extended = true
	if m := root.Get("Mappings"); m != nil {
		if err := t.section(Entry{"Mappings", m}, Quotas.Mappings, mapping); err != nil {
			return nil, macroFailed(ExtensionMacro, "%v", err)
		}
		t.mappings = m
	}
	out := *root
	out.Entries = nil
	if err := x.conditions(root.Get("Conditions")); err != nil {
		return nil, err
	}
	for _, e := range root.Entries {
		var err error
		switch e.Key {
		case "Conditions", "Resources", "Outputs":
			if e.Value, err = x.unroll(e.Value, 0); err == nil {
				e.Value, err = x.decide(e.Value)
			}
			if err == nil && e.Key == "Resources" {
				e.Value, err = x.policies(e.Value)
			}
		}
		if err != nil {
			return nil, err
		}
		out.Entries = append(out.Entries, e)
	}
	return &out, nil
}

// conditions decides the conditions, so that Fn::If may be used in loops and policies.
func (x *expansion) conditions(section *Node) error {
	if section == nil || section.Kind != Map {
		return nil // what is wrong with it is told when the result is read
	}
	section, err := x.unroll(section, 0)
	if err != nil {
		return err
	}
	t := x.b.Template
	for _, e := range section.Entries {
		t.Conditions = append(t.Conditions, Named{e.Key, e.Value})
		t.conditions[e.Key] = e.Value
	}
	if err = t.checkConditions(); err == nil {
		err = x.b.bindConditions()
	}
	if err != nil {
		return &MacroError{err.Error()}
	}
	return nil
}

// decide replaces the functions of the language extensions, innermost first, where no resource has a say in them.
func (x *expansion) decide(n *Node) (*Node, error) {
	if n == nil || (n.Kind != Map && n.Kind != List) {
		return n, nil
	}
	out := *n
	out.Items, out.Entries = nil, nil
	for _, item := range n.Items {
		item, err := x.decide(item)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, item)
	}
	for _, e := range n.Entries {
		value, err := x.decide(e.Value)
		if err != nil {
			return nil, err
		}
		out.Entries = append(out.Entries, Entry{e.Key, value})
	}
	name, arg, ok := out.call()
	if !ok {
		return &out, nil
	}
	switch name {
	case "Fn::Length":
		v, err := x.literal(&out)
		if v == nil && err == nil {
			err = macroFailed(ExtensionMacro, "Fn::Length layout is incorrect")
		}
		return v, err
	case "Fn::ToJsonString":
		if v, err := x.literal(&out); v != nil || err != nil {
			return v, err
		}
	case "Fn::FindInMap":
		if arg.Kind == List && (len(arg.Items) == 4 || computed(arg.Items)) {
			if v, err := x.literal(&out); v != nil || err != nil {
				return v, err
			}
		}
	case "Ref":
		if isCall(arg) {
			id, err := x.name(name, arg)
			return &Node{Kind: Map, Line: n.Line, Column: n.Column, Entries: []Entry{{name, id}}}, err
		}
	case "Fn::GetAtt":
		if arg.Kind == List && len(arg.Items) == 2 && isCall(arg.Items[0]) {
			id, err := x.name(name, arg.Items[0])
			list := &Node{Kind: List, Line: arg.Line, Column: arg.Column, Items: []*Node{id, arg.Items[1]}}
			return &Node{Kind: Map, Line: n.Line, Column: n.Column, Entries: []Entry{{name, list}}}, err
		}
	}
	return &out, nil
}

func computed(items []*Node) bool {
	for _, item := range items {
		if isCall(item) {
			return true
		}
	}
	return false
}

// literal is the value of a function as source; nil when only resources can tell it.
func (x *expansion) literal(n *Node) (*Node, error) {
	v, err := x.static(n)
	if err != nil {
		return nil, macroFailed(ExtensionMacro, "%v", err)
	}
	if _, unknown := FindUnknown(v); unknown {
		return nil, nil
	}
	if _, none := v.(noValue); none {
		return n, nil
	}
	return nodeOf(v, n), nil
}

// name is the name that Ref or Fn::GetAtt is given by a function.
func (x *expansion) name(function string, n *Node) (*Node, error) {
	v, err := x.static(n)
	text, ok := Text(v)
	if err != nil || !ok {
		return nil, macroFailed(ExtensionMacro, "%s layout is incorrect", function)
	}
	return nodeOf(text, n), nil
}

// policies decides the policies of resources that are given by a function. One that is AWS::NoValue goes.
func (x *expansion) policies(section *Node) (*Node, error) {
	if section.Kind != Map {
		return section, nil
	}
	out := *section
	out.Entries = nil
	for _, e := range section.Entries {
		for _, policy := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
			n := e.Value.Get(policy)
			if !isCall(n) {
				continue
			}
			v, err := x.static(n)
			text, ok := v.(string)
			if _, none := v.(noValue); none && err == nil {
				e.Value = without(e.Value, policy)
				continue
			}
			if err != nil || !ok {
				return nil, macroFailed(ExtensionMacro, "Unsupported expression for %s in resource %s", policy, e.Key)
			}
			e.Value = with(without(e.Value, policy), Entry{policy, nodeOf(text, n)})
		}
		out.Entries = append(out.Entries, e)
	}
	return &out, nil
}
