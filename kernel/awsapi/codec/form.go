package codec

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ParseForm makes a tree of the dotted parameters of a query request:
// "Filter.1.Name=vpc-id" becomes {"Filter": {"1": {"Name": "vpc-id"}}}.
func ParseForm(form url.Values) (map[string]any, error) {
	root := map[string]any{}
	for key, values := range form {
		if len(values) == 0 {
			continue
		}
		if strings.Count(key, ".") > maxDepth {
			return nil, &DecodeError{Path: key[:64], Message: "the parameter is nested too deeply"}
		}
		at := root
		path := key
		for {
			head, rest, nested := strings.Cut(path, ".")
			if !nested {
				if _, taken := at[path].(map[string]any); !taken {
					at[path] = values[0]
				}
				break
			}
			next, ok := at[head].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[head] = next
			}
			at, path = next, rest
		}
	}
	return root, nil
}

// formItems takes a list out of its numbered parameters: Tag.1, Tag.2 in EC2
// and flattened lists, Tags.member.1 otherwise.
func formItems(p *Plan, proto Protocol, node map[string]any) ([]any, error) {
	if proto == Query {
		name := p.elem.LocationName
		if name == "" {
			name = "member"
		}
		switch sub := node[name].(type) {
		case map[string]any:
			node = sub
		case string:
			if sub == "" {
				return nil, nil
			}
		}
	}
	return numbered(node)
}

// numbered orders the children by their numbers. Gaps are allowed.
func numbered(node map[string]any) ([]any, error) {
	type child struct {
		n     int
		value any
	}
	children := make([]child, 0, len(node))
	for k, v := range node {
		n, err := strconv.Atoi(k)
		if err != nil || n < 0 {
			return nil, &DecodeError{Path: k, Message: "a list index must be a number"}
		}
		children = append(children, child{n, v})
	}
	slices.SortFunc(children, func(a, b child) int { return a.n - b.n })
	items := make([]any, len(children))
	for i, c := range children {
		items[i] = c.value
	}
	return items, nil
}

// formEntries takes a map out of Attributes.entry.1.key and .value, or
// Attributes.1.Name and .Value when flattened.
func formEntries(p *Plan, node map[string]any) (map[string]any, error) {
	if sub, ok := node["entry"].(map[string]any); ok {
		node = sub
	}
	pairs, err := numbered(node)
	if err != nil {
		return nil, err
	}
	keyName, valueName := entryNames(p)
	entries := make(map[string]any, len(pairs))
	for _, pair := range pairs {
		m, ok := pair.(map[string]any)
		if !ok {
			return nil, mismatch(p, pair)
		}
		key, _ := m[keyName].(string)
		entries[key] = m[valueName]
	}
	return entries, nil
}

// entryNames are the names of key and value within a map's entry.
func entryNames(p *Plan) (key, value string) {
	key, value = p.key.LocationName, p.elem.LocationName
	if key == "" {
		key = "key"
	}
	if value == "" {
		value = "value"
	}
	return key, value
}
