package template

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Parameter is an entry of the Parameters section.
type Parameter struct {
	Name                  string
	Type                  string
	Description           string
	ConstraintDescription string
	Default               *string
	NoEcho                bool
	AllowedValues         []string
	AllowedPattern        string
	MinLength, MaxLength  *int
	MinValue, MaxValue    *float64
	pattern               *regexp.Regexp
}

var parameterType = regexp.MustCompile(`^(String|Number|List<Number>|List<String>|CommaDelimitedList|` +
	`AWS::SSM::Parameter::Name|AWS::SSM::Parameter::Value<.+>|AWS::[A-Za-z0-9:]+|List<AWS::[A-Za-z0-9:]+>)$`)

// List reports whether the value is a list, written with commas.
func (p *Parameter) List() bool {
	t := p.Type
	if inner, ok := p.stored(); ok {
		t = inner
	}
	return t == "CommaDelimitedList" || strings.HasPrefix(t, "List<")
}

// stored reports whether the value given names an SSM parameter, and the type of what is stored there.
func (p *Parameter) stored() (inner string, ok bool) {
	rest, ok := strings.CutPrefix(p.Type, "AWS::SSM::Parameter::Value<")
	return strings.TrimSuffix(rest, ">"), ok
}

func (t *Template) parameter(name string, n *Node) error {
	if !alphanumeric.MatchString(name) {
		return fail(n, "Template format error: Parameter name %s is non alphanumeric.", name)
	}
	p := &Parameter{Name: name}
	for _, e := range n.Entries {
		if err := p.attribute(e); err != nil {
			return err
		}
	}
	if p.Type == "" {
		return fail(n, "Template format error: Every Parameters object must contain a Type member.")
	}
	if !parameterType.MatchString(p.Type) {
		return fail(n, "Template format error: Unrecognized parameter type: %s", p.Type)
	}
	t.Parameters, t.parameters[name] = append(t.Parameters, p), p
	return nil
}

func (p *Parameter) attribute(e Entry) (err error) {
	where := fmt.Sprintf("Template format error: Parameter %s: every %s member must be a", p.Name, e.Key)
	switch e.Key {
	case "Type":
		p.Type, err = text(e.Value, where+" string.")
	case "Description":
		p.Description, err = text(e.Value, where+" string.")
	case "ConstraintDescription":
		p.ConstraintDescription, err = text(e.Value, where+" string.")
	case "Default":
		if !e.Value.scalar() {
			return fail(e.Value, "Template format error: Every Default member must be a string.")
		}
		p.Default = new(e.Value.Text)
	case "NoEcho":
		p.NoEcho = strings.EqualFold(e.Value.Text, "true")
	case "AllowedValues":
		if e.Value.Kind != List {
			return fail(e.Value, "%s list.", where)
		}
		for _, item := range e.Value.Items {
			p.AllowedValues = append(p.AllowedValues, item.Text)
		}
	case "AllowedPattern":
		p.AllowedPattern = e.Value.Text
		if p.pattern, err = regexp.Compile(`^(?:` + e.Value.Text + `)$`); err != nil {
			return fail(e.Value, "Template format error: Parameter %s: AllowedPattern %s cannot be read: %v", p.Name, e.Value.Text, err)
		}
	case "MinLength":
		p.MinLength, err = whole(e.Value, where)
	case "MaxLength":
		p.MaxLength, err = whole(e.Value, where)
	case "MinValue":
		p.MinValue, err = number(e.Value, where)
	case "MaxValue":
		p.MaxValue, err = number(e.Value, where)
	default:
		err = fail(e.Value, "Invalid template parameter property '%s'", e.Key)
	}
	return err
}

func whole(n *Node, where string) (*int, error) {
	v, err := strconv.Atoi(n.Text)
	if err != nil {
		return nil, fail(n, "%s number.", where)
	}
	return &v, nil
}

func number(n *Node, where string) (*float64, error) {
	v, err := strconv.ParseFloat(n.Text, 64)
	if err != nil {
		return nil, fail(n, "%s number.", where)
	}
	return &v, nil
}

// check holds a value to the parameter's constraints.
func (p *Parameter) check(value string) error {
	values := []string{value}
	if p.List() {
		values = split(value)
	}
	for _, v := range values {
		if fault := p.fault(v); fault != "" {
			if p.ConstraintDescription != "" {
				return fail(nil, "Parameter %s failed to satisfy constraint: %s", p.Name, p.ConstraintDescription)
			}
			return fail(nil, "Parameter '%s' must %s", p.Name, fault)
		}
	}
	return nil
}

func (p *Parameter) fault(v string) string {
	switch {
	case len(p.AllowedValues) > 0 && !contains(p.AllowedValues, v):
		return "be one of AllowedValues"
	case p.pattern != nil && !p.pattern.MatchString(v):
		return "match pattern " + p.AllowedPattern
	case p.MinLength != nil && utf8.RuneCountInString(v) < *p.MinLength:
		return fmt.Sprintf("contain at least %d characters", *p.MinLength)
	case p.MaxLength != nil && utf8.RuneCountInString(v) > *p.MaxLength:
		return fmt.Sprintf("contain at most %d characters", *p.MaxLength)
	}
	if p.Type != "Number" && p.Type != "List<Number>" {
		return ""
	}
	f, err := strconv.ParseFloat(v, 64)
	switch {
	case err != nil:
		return "be a number"
	case p.MinValue != nil && f < *p.MinValue:
		return "be a number not less than " + strconv.FormatFloat(*p.MinValue, 'f', -1, 64)
	case p.MaxValue != nil && f > *p.MaxValue:
		return "be a number not greater than " + strconv.FormatFloat(*p.MaxValue, 'f', -1, 64)
	}
	return ""
}

// split takes a comma-delimited value apart, blanks around the parts removed.
func split(value string) []string {
	if value == "" {
		return nil
	}
	parts := strings.Split(value, ",")
	for i, part := range parts {
		parts[i] = strings.TrimSpace(part)
	}
	return parts
}

func contains(list []string, v string) bool {
	for _, s := range list {
		if s == v {
			return true
		}
	}
	return false
}
