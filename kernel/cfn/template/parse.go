package template

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// Limits are the quotas a template is held to. Zero fields mean AWS's own.
type Limits struct {
	Bytes, Resources, Parameters, Outputs, Mappings int
}

// Quotas are AWS's own limits: a template in S3 may have 1 MB.
var Quotas = Limits{Bytes: 1_000_000, Resources: 500, Parameters: 200, Outputs: 200, Mappings: 200}

func (l Limits) orQuotas() Limits {
	pick := func(v, quota int) int {
		if v > 0 {
			return v
		}
		return quota
	}
	return Limits{
		Bytes: pick(l.Bytes, Quotas.Bytes), Resources: pick(l.Resources, Quotas.Resources), Parameters: pick(l.Parameters, Quotas.Parameters),
		Outputs: pick(l.Outputs, Quotas.Outputs), Mappings: pick(l.Mappings, Quotas.Mappings),
	}
}

// Parse reads a template in JSON or YAML and makes every check that needs no parameter values. Errors are *Error.
func Parse(body string, limits Limits) (*Template, error) {
	limits = limits.orQuotas()
	if len(body) > limits.Bytes {
		return nil, fail(nil, "Template may not exceed %d bytes in size.", limits.Bytes)
	}
	root, err := read([]byte(body))
	if err != nil {
		return nil, err
	}
	if root.Kind != Map {
		return nil, fail(root, "Template format error: unsupported structure.")
	}
	t := &Template{Source: body, byID: map[string]*Resource{}, parameters: map[string]*Parameter{}, conditions: map[string]*Node{}}
	if err := t.sections(root, limits); err != nil {
		return nil, err
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

func read(src []byte) (*Node, error) {
	trimmed := bytes.TrimLeft(bytes.TrimPrefix(src, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') {
		n, err := readJSON(src)
		if err == nil || !strings.Contains(string(src), "!") {
			return n, err
		}
		// A flow mapping with short tags is YAML all the same.
		if y, yerr := readYAML(src); yerr == nil {
			return y, nil
		}
		return nil, err
	}
	return readYAML(src)
}

func (t *Template) sections(root *Node, limits Limits) error {
	var unknown []string
	for _, e := range root.Entries {
		var err error
		switch e.Key {
		case "AWSTemplateFormatVersion":
			err = t.version(e.Value)
		case "Description":
			t.Description, err = text(e.Value, "Template format error: Every Description member must be a string.")
		case "Metadata":
			t.Metadata = e.Value
		case "Transform":
			err = t.transforms(e.Value)
		case "Parameters":
			err = t.section(e, limits.Parameters, t.parameter)
		case "Rules":
			err = t.section(e, 0, t.rule)
		case "Mappings":
			t.mappings = e.Value
			err = t.section(e, limits.Mappings, mapping)
		case "Conditions":
			err = t.section(e, 0, func(name string, n *Node) error {
				t.Conditions = append(t.Conditions, Named{name, n})
				t.conditions[name] = n
				return nil
			})
		case "Resources":
			err = t.section(e, limits.Resources, t.resource)
		case "Outputs":
			err = t.section(e, limits.Outputs, t.output)
		case "Hooks":
			err = fail(e.Value, "Template format error: Hooks are not supported: blue/green hooks of CodeDeploy are not part of this engine.")
		default:
			unknown = append(unknown, e.Key)
		}
		if err != nil {
			return err
		}
	}
	if len(unknown) > 0 {
		return fail(root, "Invalid template property or properties [%s]", strings.Join(unknown, ", "))
	}
	if len(t.Resources) == 0 {
		return fail(root, "Template format error: At least one Resources member must be defined.")
	}
	return nil
}

func (t *Template) section(e Entry, limit int, each func(name string, n *Node) error) error {
	if e.Value.Kind == Null {
		return fail(e.Value, "[/%s] 'null' values are not allowed in templates", e.Key)
	}
	if e.Value.Kind != Map {
		return fail(e.Value, "Template format error: %s must be a map.", e.Key)
	}
	if n := len(e.Value.Entries); limit > 0 && n > limit {
		return fail(e.Value, "Template format error: Number of %s, %d, is greater than maximum allowed, %d", strings.ToLower(e.Key), n, limit)
	}
	for _, entry := range e.Value.Entries {
		if err := each(entry.Key, entry.Value); err != nil {
			return err
		}
	}
	return nil
}

func (t *Template) version(n *Node) error {
	if n.Text != "2010-09-09" {
		return fail(n, "Template format error: unsupported value for AWSTemplateFormatVersion.")
	}
	t.Version = n.Text
	return nil
}

func (t *Template) transforms(n *Node) error {
	list, err := texts(n, "Template format error: Transform must be a string or a list of strings.")
	t.Transforms = list
	return err
}

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
		// They tell Auto Scaling groups and wait conditions how to signal; no type here takes signals.
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

func text(n *Node, message string) (string, error) {
	if n.Kind != String {
		return "", fail(n, "%s", message)
	}
	return n.Text, nil
}

func texts(n *Node, message string) ([]string, error) {
	if n.Kind == String {
		return []string{n.Text}, nil
	}
	if n.Kind != List {
		return nil, fail(n, "%s", message)
	}
	out := make([]string, len(n.Items))
	for i, item := range n.Items {
		if item.Kind != String {
			return nil, fail(item, "%s", message)
		}
		out[i] = item.Text
	}
	return out, nil
}

func bracket(names []string) string { return fmt.Sprintf("[%s]", strings.Join(names, ", ")) }
