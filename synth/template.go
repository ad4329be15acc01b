package synth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Object is a JSON object whose keys keep their order. Fields with a nil value are left out.
type Object []Field

// Field is one key of an Object.
type Field struct {
	Key   string
	Value any
}

// MarshalJSON renders the fields in order; characters such as & and < stay as they are.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for _, f := range o {
		if f.Value == nil {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		key, err := encode(f.Key)
		if err != nil {
			return nil, err
		}
		value, err := encode(f.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Key, err)
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Resource is one resource of a template.
type Resource struct {
	ID         string
	Type       string
	DependsOn  []string
	Properties Object
}

// Parameter is one parameter of a template; all are strings.
type Parameter struct {
	ID, Default, Pattern string
}

// Output is one output of a template.
type Output struct {
	ID    string
	Value any
}

// Template is a CloudFormation template: ordered, so that equal manifests give equal bytes.
type Template struct {
	Description string
	Parameters  []Parameter
	Resources   []Resource
	Outputs     []Output
}

// Resource finds a resource by its logical id.
func (t *Template) Resource(id string) (*Resource, bool) {
	i := slices.IndexFunc(t.Resources, func(r Resource) bool { return r.ID == id })
	if i < 0 {
		return nil, false
	}
	return &t.Resources[i], true
}

// JSON renders the template for people, indented by one space, with a final newline.
func (t *Template) JSON() []byte {
	var b bytes.Buffer
	_ = json.Indent(&b, t.Body(), "", " ")
	b.WriteByte('\n')
	return b.Bytes()
}

// Body renders the template for a request, where AWS counts every byte.
func (t *Template) Body() []byte {
	out := Object{{"AWSTemplateFormatVersion", "2010-09-09"}, {"Description", t.Description}}
	var parameters, resources, outputs Object
	for _, p := range t.Parameters {
		parameters = append(parameters, Field{p.ID, Object{
			{"Type", "String"},
			{"Default", p.Default},
			{"AllowedPattern", orNil(p.Pattern)},
		}})
	}
	for _, r := range t.Resources {
		resources = append(resources, Field{r.ID, Object{
			{"Type", r.Type},
			{"DependsOn", oneOrList(r.DependsOn)},
			{"Properties", objectOrNil(r.Properties)},
		}})
	}
	for _, o := range t.Outputs {
		outputs = append(outputs, Field{o.ID, Object{{"Value", o.Value}}})
	}
	out = append(out, Field{"Parameters", objectOrNil(parameters)}, Field{"Resources", resources}, Field{"Outputs", objectOrNil(outputs)})
	compact, err := encode(out)
	if err != nil {
		panic(fmt.Sprintf("synth: template holds a value JSON cannot express: %v", err)) // only texts, numbers, truth values, lists and Objects are ever put in
	}
	return compact
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// oneOrList renders one value without a list around it, where CloudFormation and IAM take either.
func oneOrList(l []string) any {
	if len(l) == 1 {
		return l[0]
	}
	return listOrNil(l)
}

// unless leaves out what AWS takes for granted.
func unless[T comparable](value, usual T) any {
	if value == usual {
		return nil
	}
	return value
}

func listOrNil[T any](l []T) any {
	if len(l) == 0 {
		return nil
	}
	return l
}

func objectOrNil(o Object) any {
	if len(o) == 0 {
		return nil
	}
	return o
}
