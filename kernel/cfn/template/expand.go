package template

import (
	"fmt"
	"slices"
	"strings"
)

// Names of the macros that CloudFormation brings along and this engine has.
const (
	IncludeMacro   = "AWS::Include"
	ExtensionMacro = "AWS::LanguageExtensions"
)

// MacroError says why a template could not be processed. CloudFormation finds it only after the request was accepted: it fails the operation or the change
// set, not the call.
type MacroError struct{ Message string }

func (e *MacroError) Error() string { return e.Message }

func macroFailed(name, format string, args ...any) error {
	return &MacroError{"Transform " + name + " failed with: " + fmt.Sprintf(format, args...)}
}

// expansion is the processing of one template.
type expansion struct {
	b     *Bound // parameters, mappings and, once they are processed, conditions
	fetch func(location string) (string, error)
	loops map[string]bool
	size  int
}

// Expand processes a template's macros and gives the processed template, as JSON in the order of the source: first Fn::Transform, innermost first, then the
// Transform section in its order. fetch reads the S3 object of AWS::Include; nil knows none. The error is a *MacroError, or an *Error for parameters that
// are wrong.
//
// Functions of the language extensions that name resources stay as they are: the processed template is read with ParseProcessed.
// See "AWS::LanguageExtensions transform" and "AWS::Include transform" in the CloudFormation template reference.
func (s *Source) Expand(in Inputs, fetch func(location string) (string, error)) (string, error) {
	x := &expansion{fetch: fetch, loops: map[string]bool{}}
	if err := x.bind(s.root, in); err != nil {
		return "", err
	}
	root, err := x.inline(s.root, 0)
	if err != nil {
		return "", err
	}
	top := macros(root.Get("Transform"))
	root = without(root, "Transform")
	for _, m := range top {
		if root, err = x.apply(root, m); err != nil {
			return "", err
		}
	}
	body := string(root.appendJSON(nil))
	if len(body) > Quotas.Bytes {
		return "", &MacroError{fmt.Sprintf("Template may not exceed %d bytes in size.", Quotas.Bytes)}
	}
	return body, nil
}

// bind gives the parameters their values, as macros see them.
func (x *expansion) bind(root *Node, in Inputs) error {
	t := &Template{byID: map[string]*Resource{}, parameters: map[string]*Parameter{}, conditions: map[string]*Node{}}
	if e := root.Get("Parameters"); e != nil {
		if err := t.section(Entry{"Parameters", e}, Quotas.Parameters, t.parameter); err != nil {
			return err
		}
	}
	if len(in.Zones) == 0 {
		in.Zones = []string{in.Region + "a", in.Region + "b", in.Region + "c"}
	}
	x.b = &Bound{Template: t, Inputs: in, values: map[string]any{}, conditions: map[string]bool{}}
	return x.b.bindParameters()
}

// apply runs a macro of the Transform section over the whole template.
func (x *expansion) apply(root *Node, m macro) (*Node, error) {
	switch m.name {
	case IncludeMacro:
		snippet, err := x.include(m)
		if err != nil {
			return nil, err
		}
		for _, e := range snippet.Entries {
			if root, err = mergeSection(root, e); err != nil {
				return nil, err
			}
		}
		return root, nil
	case ExtensionMacro:
		return x.extend(root)
	}
	return nil, unknownMacro(m.name)
}

// unknownMacro words the refusal of a macro. Those of AWS that this engine does not have are told apart from those that nobody has.
func unknownMacro(name string) error {
	if strings.HasPrefix(name, "AWS::Serverless") || slices.Contains([]string{"AWS::CodeDeployBlueGreen", "AWS::SecretsManager", "AWS::ServiceCatalog"}, name) ||
		strings.HasPrefix(name, "AWS::SecretsManager-") {
		return macroFailed(name, "this engine does not have the macro; it has %s and %s. Process the template beforehand and deploy what it became.", IncludeMacro, ExtensionMacro)
	}
	return &MacroError{fmt.Sprintf("No transform named %s found.", name)}
}

// mergeSection adds a top-level entry of a snippet: to the section of that name when both are maps.
func mergeSection(root *Node, e Entry) (*Node, error) {
	old := root.Get(e.Key)
	if old == nil {
		return with(root, e), nil
	}
	if old.Kind != Map || e.Value.Kind != Map {
		return nil, macroFailed(IncludeMacro, "Duplicate key %q", e.Key)
	}
	for _, sub := range e.Value.Entries {
		if old.Get(sub.Key) != nil {
			return nil, macroFailed(IncludeMacro, "Duplicate key %q", sub.Key)
		}
		old = with(old, sub)
	}
	out := *root
	out.Entries = slices.Clone(root.Entries)
	for i := range out.Entries {
		if out.Entries[i].Key == e.Key {
			out.Entries[i].Value = old
		}
	}
	return &out, nil
}

// with is a map with one more entry.
func with(n *Node, e Entry) *Node {
	out := *n
	out.Entries = append(slices.Clip(n.Entries), e)
	return &out
}

// without is a map less one entry.
func without(n *Node, key string) *Node {
	out := *n
	out.Entries = slices.DeleteFunc(slices.Clone(n.Entries), func(e Entry) bool { return e.Key == key })
	return &out
}
