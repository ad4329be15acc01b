package template

import "reflect"

// truth decides boolean functions, those of the Rules section included.
func (e evaluator) truth(n *Node) (bool, error) {
	if n.Kind == Map && len(n.Entries) == 1 && n.Entries[0].Key == "Condition" {
		return e.b.condition(n.Entries[0].Value.Text)
	}
	name, arg, ok := n.call()
	if !ok {
		return constant(n)
	}
	switch name {
	case "Fn::And", "Fn::Or":
		for _, item := range arg.Items {
			v, err := e.truth(item)
			if err != nil {
				return false, err
			}
			if v == (name == "Fn::Or") {
				return v, nil
			}
		}
		return name == "Fn::And", nil
	case "Fn::Not":
		v, err := e.truth(arg.Items[0])
		return !v, err
	case "Fn::If":
		ok, err := e.b.condition(arg.Items[0].Text)
		if err != nil {
			return false, err
		}
		if ok {
			return e.truth(arg.Items[1])
		}
		return e.truth(arg.Items[2])
	case "Fn::Equals", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn":
		return e.compare(n, name, arg)
	default:
		return false, fail(n, "Template error: %s does not return a boolean", name)
	}
}

func constant(n *Node) (bool, error) {
	if n.scalar() && (n.Text == "true" || n.Text == "false") {
		return n.Text == "true", nil
	}
	return false, fail(n, "Template error: a condition must be a boolean function")
}

func (e evaluator) compare(n *Node, name string, arg *Node) (bool, error) {
	v, err := e.value(arg)
	if err != nil {
		return false, err
	}
	pair, ok := v.([]any)
	if !ok || len(pair) != 2 {
		return false, fail(n, "Template error: %s requires a list argument with two elements", name)
	}
	if name == "Fn::Equals" {
		return equal(pair[0], pair[1]), nil
	}
	left, lok := pair[0].([]any)
	right, rok := pair[1].([]any)
	if !lok || (name == "Fn::EachMemberIn" && !rok) {
		return false, fail(n, "Template error: %s requires a list of strings", name)
	}
	switch name {
	case "Fn::Contains":
		return member(left, pair[1]), nil
	case "Fn::EachMemberEquals":
		for _, item := range left {
			if !equal(item, pair[1]) {
				return false, nil
			}
		}
	default:
		for _, item := range left {
			if !member(right, item) {
				return false, nil
			}
		}
	}
	return true, nil
}

func member(list []any, v any) bool {
	for _, item := range list {
		if equal(item, v) {
			return true
		}
	}
	return false
}

// equal compares as CloudFormation does: scalars by their text, everything else by structure.
func equal(a, b any) bool {
	at, aok := Text(a)
	bt, bok := Text(b)
	if aok && bok {
		return at == bt
	}
	return reflect.DeepEqual(a, b)
}
