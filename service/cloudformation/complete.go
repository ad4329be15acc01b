package cloudformation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/kernel/cfn/template"
)

// complete ends Forward: outputs, exports, then what the update no longer needs.
func (p *progress) complete(bound *template.Bound) error {
	imports := []string{}
	env := recorder{p.environment(), &imports}
	outputs, err := outputsOf(bound, env)
	if err == nil {
		err = p.exportsAllowed(outputs)
	}
	if err == nil {
		err = recordImports(bound, env)
	}
	if err != nil {
		p.stop(strings.TrimSuffix(failure(err, Resource{}), ".") + ". ")
		return nil
	}
	slices.Sort(imports)
	p.stack.Outputs, p.stack.Imports = outputs, slices.Compact(imports)
	p.stack.Description = bound.Description
	if (p.op.Kind == Create || p.op.Kind == Import) && !p.anyDoomed() {
		p.finish("CREATE_COMPLETE", "")
		return nil
	}
	next := Cleanup
	if p.op.Nested {
		next = Waiting
	}
	p.enter(next, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "")
	return nil
}

func (p *progress) anyDoomed() bool {
	for _, r := range p.rows {
		if len(r.Doomed) > 0 {
			return true
		}
	}
	return false
}

func outputsOf(bound *template.Bound, env template.Env) ([]Output, error) {
	var out []Output
	for _, o := range bound.Outputs {
		if !bound.Holds(o.Condition) {
			continue
		}
		v, err := bound.Eval(o.Value, env)
		if err != nil {
			return nil, err
		}
		text, ok := template.Text(v)
		if !ok {
			return nil, &template.Error{Message: fmt.Sprintf("Template format error: The Value field of every Outputs member must evaluate to a String (output %s)", o.Name)}
		}
		row := Output{Key: o.Name, Value: text, Description: o.Description}
		if o.Export != nil {
			name, err := bound.Eval(o.Export, env)
			if err != nil {
				return nil, err
			}
			if row.Export, ok = template.Text(name); !ok || row.Export == "" {
				return nil, &template.Error{Message: fmt.Sprintf("Template format error: Output %s is malformed. The Name field of every Export member must evaluate to a String.", o.Name)}
			}
		}
		out = append(out, row)
	}
	return out, nil
}

// exportsAllowed refuses a name that another stack exports, and changes to exports in use.
func (p *progress) exportsAllowed(outputs []Output) error {
	values := map[string]string{}
	for _, o := range outputs {
		if o.Export == "" {
			continue
		}
		if _, other, ok := export(p.tx, p.stack.Scope.Key(o.Export), o.Export); ok && other.ID != p.stack.ID {
			return &template.Error{Message: fmt.Sprintf("Export with name %s is already exported by stack %s.", o.Export, other.Name)}
		}
		values[o.Export] = o.Value
	}
	for _, o := range p.stack.Outputs {
		if o.Export == "" {
			continue
		}
		value, kept := values[o.Export]
		user, used := importer(p.tx, p.stack.Scope.Key(o.Export), p.stack)
		switch {
		case used && !kept:
			return &template.Error{Message: exportInUse(o.Export, user)}
		case used && value != o.Value:
			return &template.Error{Message: fmt.Sprintf("Export %s cannot be updated as it is in use by %s", o.Export, user.Name)}
		}
	}
	return nil
}

func exportInUse(name string, user Stack) string {
	return fmt.Sprintf("Delete canceled. Cannot delete export %s as it is in use by %s.", name, user.Name)
}

// recordImports asks env for every value the active resources use, so that their imports become known.
func recordImports(bound *template.Bound, env template.Env) error {
	for _, r := range bound.Active() {
		if _, err := bound.Properties(r, env); err != nil {
			return err
		}
	}
	return nil
}
