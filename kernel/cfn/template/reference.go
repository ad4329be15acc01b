package template

import "strings"

// Reference is a place where the template names a parameter or resource: Ref and ${X} have no attribute.
type Reference struct {
	Name      string
	Attribute string
	// GetAtt tells GetAtt from Ref; its Attribute is "" when it is computed.
	GetAtt bool
	Node   *Node
}

const getAttShape = "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"

// references calls visit for every reference below n. choose picks the branch of Fn::If that counts; nil means both.
func references(n *Node, choose func(condition string) bool, visit func(Reference) error) error {
	if n == nil {
		return nil
	}
	name, arg, ok := n.call()
	if !ok {
		for _, item := range n.Items {
			if err := references(item, choose, visit); err != nil {
				return err
			}
		}
		for _, e := range n.Entries {
			if err := references(e.Value, choose, visit); err != nil {
				return err
			}
		}
		return nil
	}
	switch name {
	case "Ref":
		if arg.Kind != String {
			return fail(n, "Template error: All References must be of type string")
		}
		return visit(Reference{Name: arg.Text, Node: n})
	case "Fn::GetAtt":
		id, attribute, err := getAttParts(arg)
		if err != nil {
			return err
		}
		if err := visit(Reference{Name: id, Attribute: literal(attribute), GetAtt: true, Node: n}); err != nil {
			return err
		}
		return references(attribute, choose, visit)
	case "Fn::Sub":
		return subReferences(n, arg, choose, visit)
	case "Fn::If":
		if choose != nil && arg.Kind == List && len(arg.Items) == 3 {
			branch := arg.Items[2]
			if choose(arg.Items[0].Text) {
				branch = arg.Items[1]
			}
			return references(branch, choose, visit)
		}
	}
	return references(arg, choose, visit)
}

func subReferences(n, arg *Node, choose func(string) bool, visit func(Reference) error) error {
	pieces, vars, err := subParts(arg)
	if err != nil {
		return err
	}
	for _, p := range pieces {
		if p.variable == "" || vars.Get(p.variable) != nil {
			continue
		}
		id, attribute, dotted := strings.Cut(p.variable, ".")
		if err := visit(Reference{Name: id, Attribute: attribute, GetAtt: dotted, Node: n}); err != nil {
			return err
		}
	}
	return references(vars, choose, visit)
}

// getAttParts reads both forms of Fn::GetAtt: "Id.Attribute" and [Id, Attribute], whose attribute may be a Ref to a parameter.
func getAttParts(arg *Node) (id string, attribute *Node, err error) {
	switch {
	case arg.Kind == String:
		name, attr, _ := strings.Cut(arg.Text, ".")
		id, attribute = name, &Node{Kind: String, Text: attr, Line: arg.Line, Column: arg.Column}
	case arg.Kind == List && len(arg.Items) == 2 && arg.Items[0].Kind == String:
		id, attribute = arg.Items[0].Text, arg.Items[1]
	default:
		return "", nil, fail(arg, getAttShape)
	}
	if id == "" || (attribute.Kind == String && attribute.Text == "") || attribute.Kind == List {
		return "", nil, fail(arg, getAttShape)
	}
	return id, attribute, nil
}

// literal is the text of a string node, "" for anything computed.
func literal(n *Node) string {
	if n != nil && n.Kind == String {
		return n.Text
	}
	return ""
}
