package template

import "strings"

// inline expands every Fn::Transform below a node, innermost first: its snippet takes the place of the function among its siblings.
func (x *expansion) inline(n *Node, depth int) (*Node, error) {
	if n == nil || (n.Kind != Map && n.Kind != List) {
		return n, nil
	}
	if depth > maxDepth {
		return nil, macroFailed(IncludeMacro, "the template is nested too deeply")
	}
	out := *n
	out.Items, out.Entries = nil, nil
	for _, item := range n.Items {
		item, err := x.inline(item, depth+1)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, item)
	}
	for _, e := range n.Entries {
		value, err := x.inline(e.Value, depth+1)
		if err != nil {
			return nil, err
		}
		if e.Key != transformCall {
			out.Entries = append(out.Entries, Entry{e.Key, value})
			continue
		}
		for _, m := range macros(value) {
			if m.name != IncludeMacro {
				return nil, unknownMacro(m.name)
			}
			snippet, err := x.include(m)
			if err != nil {
				return nil, err
			}
			if len(n.Entries) == 1 && snippet.Kind != Map {
				return snippet, nil
			}
			for _, s := range snippet.Entries {
				if n.Get(s.Key) != nil || out.Get(s.Key) != nil {
					return nil, macroFailed(IncludeMacro, "Duplicate key %q", s.Key)
				}
				out.Entries = append(out.Entries, s)
			}
		}
	}
	return &out, nil
}

const notASnippet = "The specified S3 object's content should be valid Yaml/JSON"

// include reads the snippet that a call of AWS::Include names. Its short tags are refused, as AWS refuses them.
func (x *expansion) include(m macro) (*Node, error) {
	where := m.node.Get("Parameters").Get("Location")
	if where == nil {
		return nil, macroFailed(IncludeMacro, "Missing required parameter: Location")
	}
	v, err := x.static(where)
	location, ok := Text(v)
	if err != nil || !ok || !strings.HasPrefix(location, "s3://") {
		return nil, macroFailed(IncludeMacro, "The location parameter is not a valid S3 uri.")
	}
	if x.fetch == nil {
		return nil, macroFailed(IncludeMacro, "%s cannot be read: this engine has no S3 service", location)
	}
	text, err := x.fetch(location)
	if err != nil {
		return nil, macroFailed(IncludeMacro, "%v.", err)
	}
	if x.size += len(text); x.size > Quotas.Bytes {
		return nil, macroFailed(IncludeMacro, "Template may not exceed %d bytes in size.", Quotas.Bytes)
	}
	n, err := readSnippet([]byte(text))
	if err != nil {
		return nil, macroFailed(IncludeMacro, notASnippet)
	}
	return n, nil
}

// static computes a value from parameters and mappings alone.
func (x *expansion) static(n *Node) (any, error) {
	t := x.b.Template
	if err := t.checkCalls(n, valueFunctions); err != nil {
		return nil, err
	}
	return evaluator{x.b, resourceless{}}.value(n)
}

// resourceless is where no resource is known yet.
type resourceless struct{}

func (resourceless) Ref(id string) (any, error)               { return Unknown{LogicalID: id}, nil }
func (resourceless) GetAtt(id, attribute string) (any, error) { return Unknown{id, attribute}, nil }
func (resourceless) Import(name string) (any, error)          { return Unknown{LogicalID: name}, nil }
