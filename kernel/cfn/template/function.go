package template

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
)

func (e evaluator) sub(arg *Node) (any, error) {
	pieces, vars, err := subParts(arg)
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	for _, p := range pieces {
		if p.variable == "" {
			out.WriteString(p.literal)
			continue
		}
		v, err := e.subVariable(arg, p.variable, vars)
		if err != nil {
			return nil, err
		}
		if u, ok := v.(Unknown); ok {
			return u, nil
		}
		s, ok := Text(v)
		if !ok {
			return nil, fail(arg, "Template error: variable %s in Fn::Sub expression does not resolve to a string", p.variable)
		}
		out.WriteString(s)
	}
	return out.String(), nil
}

func (e evaluator) subVariable(n *Node, name string, vars *Node) (any, error) {
	if v := vars.Get(name); v != nil {
		return e.value(v)
	}
	id, attribute, dotted := strings.Cut(name, ".")
	if !dotted {
		return e.ref(n, name)
	}
	if e.env == nil {
		return nil, fail(n, "Template format error: Unresolved dependencies [%s]. Cannot reference resources in the Conditions block of the template", id)
	}
	return e.env.GetAtt(id, attribute)
}

// find is Fn::FindInMap, with DefaultValue as the language extensions have it.
func (e evaluator) find(arg *Node) (any, error) {
	keys := make([]string, 3)
	for i := range keys {
		v, err := e.value(arg.Items[i])
		if err != nil {
			return nil, err
		}
		if u, ok := v.(Unknown); ok {
			return u, nil
		}
		s, ok := Text(v)
		if !ok {
			return nil, fail(arg, findShape)
		}
		keys[i] = s
	}
	if v := e.b.mappings.Get(keys[0]).Get(keys[1]).Get(keys[2]); v != nil {
		return v.Value(), nil
	}
	if len(arg.Items) == 4 {
		return e.value(arg.Items[3].Get("DefaultValue"))
	}
	return nil, fail(arg, "Template error: Unable to get mapping for %s", strings.Join(keys, "::"))
}

func join(n *Node, v any) (any, error) {
	pair, ok := v.([]any)
	if !ok || len(pair) != 2 {
		return nil, fail(n, joinShape)
	}
	delimiter, ok1 := Text(pair[0])
	items, ok2 := pair[1].([]any)
	if !ok1 || !ok2 {
		return nil, fail(n, joinShape)
	}
	parts := make([]string, len(items))
	for i, item := range items {
		if parts[i], ok = Text(item); !ok {
			return nil, fail(n, joinShape)
		}
	}
	return strings.Join(parts, delimiter), nil
}

func splitText(n *Node, v any) (any, error) {
	pair, ok := v.([]any)
	if !ok || len(pair) != 2 {
		return nil, fail(n, splitShape)
	}
	delimiter, ok1 := Text(pair[0])
	text, ok2 := Text(pair[1])
	if !ok1 || !ok2 || delimiter == "" {
		return nil, fail(n, splitShape)
	}
	parts := strings.Split(text, delimiter)
	out := make([]any, len(parts))
	for i, part := range parts {
		out[i] = part
	}
	return out, nil
}

func selectItem(n *Node, v any) (any, error) {
	pair, ok := v.([]any)
	if !ok || len(pair) != 2 {
		return nil, fail(n, selectShape)
	}
	if u, ok := pair[1].(Unknown); ok {
		return u, nil
	}
	index, ok1 := Text(pair[0])
	items, ok2 := pair[1].([]any)
	if !ok1 || !ok2 {
		return nil, fail(n, selectShape)
	}
	i, err := strconv.Atoi(index)
	if err != nil || i < 0 || i >= len(items) {
		return nil, fail(n, "Template error: Fn::Select cannot select nonexistent value at index %s", index)
	}
	if items[i] == nil {
		return nil, fail(n, "Template error: Fn::Select cannot select null value at index %s", index)
	}
	return items[i], nil
}

func encode64(n *Node, v any) (any, error) {
	text, ok := Text(v)
	if !ok {
		return nil, fail(n, base64Shape)
	}
	return base64.StdEncoding.EncodeToString([]byte(text)), nil
}

func (e evaluator) zones(n *Node, v any) (any, error) {
	region, ok := Text(v)
	if !ok {
		return nil, fail(n, azsShape)
	}
	zones := e.b.Inputs.Zones
	if region != "" && region != e.b.Inputs.Region {
		zones = []string{region + "a", region + "b", region + "c"}
	}
	out := make([]any, len(zones))
	for i, z := range zones {
		out[i] = z
	}
	return out, nil
}

func (e evaluator) importValue(n *Node, v any) (any, error) {
	name, ok := Text(v)
	if !ok || e.env == nil {
		return nil, fail(n, importShape)
	}
	return e.env.Import(name)
}

func length(n *Node, v any) (any, error) {
	switch x := v.(type) {
	case []any:
		return json.Number(strconv.Itoa(len(x))), nil
	default:
		return nil, fail(n, "Template error: Fn::Length expects an array")
	}
}

func toJSON(n *Node, v any) (any, error) {
	switch v.(type) {
	case []any, map[string]any:
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		err := enc.Encode(v)
		return strings.TrimSuffix(b.String(), "\n"), err
	default:
		return nil, fail(n, "Template error: Fn::ToJsonString expects an array or an object")
	}
}

// parameterSet is Fn::RefAll, Fn::ValueOf and Fn::ValueOfAll of the Rules section. The engine knows the values of parameters, not the attributes of
// what they name, so only lookups among the parameters have an answer.
func (e evaluator) parameterSet(n *Node, name string, v any) (any, error) {
	if name == "Fn::RefAll" {
		kind, _ := v.(string)
		out := make([]any, 0)
		for _, p := range e.b.Parameters {
			if p.Type == kind {
				out = append(out, e.b.values[p.Name])
			}
		}
		return out, nil
	}
	return nil, fail(n, "Template error: %s is not available: attributes of existing resources cannot be looked up in rules", name)
}
