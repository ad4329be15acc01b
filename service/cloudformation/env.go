package cloudformation

import (
	"fmt"

	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/store"
)

// environment answers Ref, GetAtt and ImportValue for the templates of one stack, out of the rows.
type environment struct {
	s     *Service
	r     store.Reader
	stack Stack
	rows  map[string]Resource
	// pending are resources of which nothing is known before the deployment: used by change sets.
	pending map[string]bool
}

var _ template.Env = environment{}

func (e environment) Ref(id string) (any, error) {
	if e.pending[id] {
		return template.Unknown{LogicalID: id}, nil
	}
	row, ok := e.rows[id]
	if !ok || row.PhysicalID == "" {
		return nil, fmt.Errorf("resource %s has no physical id yet", id)
	}
	return row.PhysicalID, nil
}

func (e environment) GetAtt(id, attribute string) (any, error) {
	if e.pending[id] {
		return template.Unknown{LogicalID: id, Attribute: attribute}, nil
	}
	row, ok := e.rows[id]
	if !ok {
		return nil, fmt.Errorf("resource %s is not there yet", id)
	}
	t, known := e.s.lookup(row.Type)
	if !known {
		return nil, &template.Error{Message: "Template format error: Unrecognized resource types: [" + row.Type + "]"}
	}
	v, ok := t.Attribute(row.instance(), attribute)
	if !ok {
		return nil, &template.Error{Message: noAttribute(id, attribute)}
	}
	return v, nil
}

func noAttribute(id, attribute string) string {
	return fmt.Sprintf("Template error: resource %s does not support attribute type %s in Fn::GetAtt", id, attribute)
}

// Import answers Fn::ImportValue with the export of that name in the stack's account and region.
func (e environment) Import(name string) (any, error) {
	if o, _, ok := export(e.r, e.stack.Scope.Key(name), name); ok {
		return o.Value, nil
	}
	return nil, &template.Error{Message: fmt.Sprintf("No export named %s found.", name)}
}

// export finds an export by its index key.
func export(r store.Reader, key, name string) (Output, Stack, bool) {
	for st := range Stacks.By(r, "export", key) {
		for _, o := range st.Outputs {
			if o.Export == name {
				return o, st, true
			}
		}
	}
	return Output{}, Stack{}, false
}

// importer finds a stack, other than the one given, that imports an export.
func importer(r store.Reader, key string, not Stack) (Stack, bool) {
	for st := range Stacks.By(r, "import", key) {
		if st.ID != not.ID {
			return st, true
		}
	}
	return Stack{}, false
}

// recorder is an environment that notes the imports it was asked for.
type recorder struct {
	environment
	imports *[]string
}

func (e recorder) Import(name string) (any, error) {
	*e.imports = append(*e.imports, name)
	return e.environment.Import(name)
}

// stackTags is the form in which a version remembers the stack's tags it carries.
func stackTags(tags []cfn.Tag) string {
	if len(tags) == 0 {
		return ""
	}
	return string(encode(tags))
}
