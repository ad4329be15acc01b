package template

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Limits are the quotas a template is held to. Zero fields mean AWS's own.
type Limits struct {
	Bytes, Resources, Parameters, Outputs, Mappings int
}

// longestDescription is the quota of a template's description, in bytes.
const longestDescription = 1024

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
func Parse(body string, limits Limits) (*Template, error) { return parse(body, limits, false) }

// ParseProcessed is Parse for what Source.Expand gave: the functions of the language extensions may still be in it.
func ParseProcessed(body string, limits Limits) (*Template, error) { return parse(body, limits, true) }

func parse(body string, limits Limits, extended bool) (*Template, error) {
	src, err := Read(body, limits)
	if err != nil {
		return nil, err
	}
	t := &Template{Source: body, byID: map[string]*Resource{}, parameters: map[string]*Parameter{}, conditions: map[string]*Node{}, extended: extended}
	if err := t.sections(src.root, limits.orQuotas()); err != nil {
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
			if err == nil && len(t.Description) > longestDescription {
				err = fail(e.Value, "Template format error: 'Description' length is greater than %d.", longestDescription)
			}
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
	t.extended = t.extended || slices.Contains(list, ExtensionMacro)
	return err
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
