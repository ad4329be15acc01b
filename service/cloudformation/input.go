package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/store"
)

// strictBody is AWS's limit for a template given inline, in bytes.
const strictBody = 51_200

var stackName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)

func checkStackName(name string) error {
	if !stackName.MatchString(name) {
		return invalid("1 validation error detected: Value '%s' at 'stackName' failed to satisfy constraint: "+
			"Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", name)
	}
	return nil
}

// body reads the template of a request: inline, by URL, or the one the stack has.
func (s *Service) body(ctx context.Context, inline, url *string, previous func() (string, error)) (string, error) {
	given := 0
	for _, ok := range []bool{inline != nil, url != nil, previous != nil} {
		if ok {
			given++
		}
	}
	if given != 1 {
		return "", invalid("Either Template URL or Template Body must be specified.")
	}
	switch {
	case inline != nil:
		if s.StrictQuotas && len(*inline) > strictBody {
			return "", invalid("1 validation error detected: Value '%s...' at 'templateBody' failed to satisfy constraint: "+
				"Member must have length less than or equal to %d", (*inline)[:64], strictBody)
		}
		return *inline, nil
	case previous != nil:
		return previous()
	}
	return s.fetch(ctx, "TemplateURL", *url)
}

// fetch reads what a request gives by its address.
func (s *Service) fetch(ctx context.Context, name, url string) (string, error) {
	if s.Fetch == nil {
		return "", invalid("S3 error: %s %s cannot be read: this engine has no S3 service yet. Pass it as %sBody.", name, url, strings.TrimSuffix(name, "URL"))
	}
	text, err := s.Fetch(ctx, url)
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		return "", e
	}
	if err != nil {
		return "", invalid("S3 error: %v", err)
	}
	return text, nil
}

// check checks what depends on the engine's resource types. Resources with a condition may have a type that this engine does not have, as long as the
// condition is false (see recognise): AWS has the type, and there is nothing to make.
func (s *Service) check(t *template.Template) error {
	if err := s.recognise(t.Resources, func(r *template.Resource) bool { return r.Condition == "" }); err != nil {
		return err
	}
	return clientError(t.CheckAttributes(func(id, typ, attribute string) error {
		if known, ok := s.lookup(typ); !ok || known.HasAttribute(attribute) {
			return nil
		}
		return &template.Error{Message: noAttribute(id, attribute)}
	}))
}

// recognise refuses types that this engine does not have, of those resources that matter.
func (s *Service) recognise(resources []*template.Resource, matters func(*template.Resource) bool) error {
	var unknown []string
	for _, r := range resources {
		if _, ok := s.lookup(r.Type); !ok && matters(r) {
			unknown = append(unknown, r.Type)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return invalid("Template format error: Unrecognized resource types: [%s]", strings.Join(slices.Compact(unknown), ", "))
}

// request is what CreateStack, UpdateStack and CreateChangeSet have in common.
type request struct {
	body         string
	parameters   []api.Parameter
	tags         []api.Tag // nil keeps the stack's tags on updates
	capabilities []api.Capability
	role         *string
	notify       []string
	types        []string
	reviewed     bool // what macros make of the template is seen before it is deployed: a change set
}

// deployment checks a request against a stack, which may not exist yet, processes the template's macros and binds it. A *template.MacroError comes with the
// deployment, which then fails for this reason.
func (s *Service) deployment(ctx context.Context, st Stack, q request) (Deployment, *template.Bound, error) {
	src, err := template.Read(q.body, template.Limits{})
	if err != nil {
		return Deployment{}, nil, clientError(err)
	}
	outline, err := src.Outline()
	if err != nil {
		return Deployment{}, nil, clientError(err)
	}
	if len(outline.Transforms) > 0 && !q.reviewed && !granted("CAPABILITY_AUTO_EXPAND", q.capabilities) {
		return Deployment{}, nil, needs("CAPABILITY_AUTO_EXPAND")
	}
	d, err := s.wish(ctx, st, outline.Parameters, q)
	if err != nil {
		return Deployment{}, nil, err
	}
	t, err := s.process(ctx, st, &d, src)
	if err != nil {
		return d, nil, err
	}
	if err := allowed(t, q.types); err != nil {
		return Deployment{}, nil, err
	}
	if need, _ := capabilities(t); need != "" && !granted(need, q.capabilities) {
		return Deployment{}, nil, needs(need)
	}
	b, err := t.Bind(s.inputs(st, d))
	if err != nil {
		return d, nil, late(d, clientError(err))
	}
	if err := s.recognise(b.Active(), func(*template.Resource) bool { return true }); err != nil {
		return d, nil, late(d, err)
	}
	d.Parameters = d.Parameters[:0:0]
	for _, v := range b.Values {
		d.Parameters = append(d.Parameters, Parameter{Key: v.Name, Value: v.Value, Resolved: v.Resolved, NoEcho: v.NoEcho})
	}
	return d, b, nil
}

// wish is what a request asks for besides the template's content.
func (s *Service) wish(ctx context.Context, st Stack, declared []*template.Parameter, q request) (d Deployment, err error) {
	d = Deployment{Template: digest(q.body), NotificationARNs: q.notify, Tags: st.Deployment.Tags, RoleARN: st.Deployment.RoleARN}
	for _, c := range q.capabilities {
		d.Capabilities = append(d.Capabilities, string(c))
	}
	if q.role != nil {
		d.RoleARN = *q.role
	}
	if q.tags != nil {
		if d.Tags, err = tagsOf(q.tags); err != nil {
			return Deployment{}, err
		}
	}
	d.Parameters, err = s.parameters(ctx, st, declared, q.parameters)
	return d, err
}

// parameters merges given values with those of the stack (UsePreviousValue), and looks up what SSM holds.
func (s *Service) parameters(ctx context.Context, st Stack, declared []*template.Parameter, given []api.Parameter) ([]Parameter, error) {
	var out []Parameter
	for _, p := range given {
		key := deref(p.ParameterKey)
		if slices.ContainsFunc(out, func(o Parameter) bool { return o.Key == key }) {
			return nil, invalid("Parameter '%s' is specified more than once", key)
		}
		value := deref(p.ParameterValue)
		if p.UsePreviousValue != nil && *p.UsePreviousValue {
			i := slices.IndexFunc(st.Deployment.Parameters, func(o Parameter) bool { return o.Key == key })
			if i < 0 {
				return nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", key)
			}
			value = st.Deployment.Parameters[i].Value
		} else if p.ParameterValue == nil {
			return nil, invalid("Parameter %s must have a value or UsePreviousValue", key)
		}
		out = append(out, Parameter{Key: key, Value: value})
	}
	for _, p := range declared {
		name := deref(p.Default)
		i := slices.IndexFunc(out, func(o Parameter) bool { return o.Key == p.Name })
		if i >= 0 {
			name = out[i].Value
		}
		if !strings.HasPrefix(p.Type, "AWS::SSM::Parameter::Value<") || s.Config.Parameter == nil {
			continue
		}
		v, ok := s.Config.Parameter(ctx, st.Scope, name)
		if !ok {
			continue // Bind says so
		}
		if i < 0 {
			out = append(out, Parameter{Key: p.Name, Value: name})
			i = len(out) - 1
		}
		out[i].Resolved = v
	}
	return out, nil
}

func tagsOf(in []api.Tag) ([]cfn.Tag, error) {
	if len(in) > 50 {
		return nil, invalid("1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50")
	}
	var out []cfn.Tag
	for _, t := range in {
		if strings.HasPrefix(deref(t.Key), "aws:") {
			return nil, invalid("aws: prefixed tag key names are not allowed for external use.")
		}
		out = append(out, cfn.Tag{Key: deref(t.Key), Value: deref(t.Value)})
	}
	slices.SortFunc(out, func(a, b cfn.Tag) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

// nameProperty is the property that gives an IAM resource a custom name: such templates need CAPABILITY_NAMED_IAM.
var nameProperty = map[string]string{
	"AWS::IAM::AccessKey": "", "AWS::IAM::Group": "GroupName", "AWS::IAM::InstanceProfile": "InstanceProfileName", "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
	"AWS::IAM::Policy": "", "AWS::IAM::Role": "RoleName", "AWS::IAM::User": "UserName", "AWS::IAM::UserToGroupAddition": "",
}

// capabilities is the capability a template needs, "" for none, and why.
func capabilities(t *template.Template) (need, why string) {
	var types []string
	for _, r := range t.Resources {
		property, ok := nameProperty[r.Type]
		if !ok {
			continue
		}
		types = append(types, r.Type)
		if need == "" {
			need = "CAPABILITY_IAM"
		}
		if property != "" && r.Properties.Get(property) != nil {
			need = "CAPABILITY_NAMED_IAM"
		}
	}
	if need == "" {
		return "", ""
	}
	slices.Sort(types)
	return need, fmt.Sprintf("The following resource(s) require capabilities: [%s]", strings.Join(slices.Compact(types), ", "))
}

func granted(need string, have []api.Capability) bool {
	return slices.Contains(have, api.Capability(need)) || (need == "CAPABILITY_IAM" && slices.Contains(have, "CAPABILITY_NAMED_IAM"))
}

// find is the stack with a name or ARN that the caller may see. A deleted one is found by its ARN only.
func find(ctx context.Context, r store.Reader, name string) (Stack, error) {
	scope := awsapi.CallerOf(ctx).Scope
	if key, ok := stackKey(name); ok {
		st, err := Stacks.Get(r, key)
		if err != nil || st.Scope != scope {
			return Stack{}, noStack(name)
		}
		return st, nil
	}
	for st := range Stacks.By(r, "name", scope.Key(name)) {
		return st, nil
	}
	return Stack{}, noStack(name)
}

func deref[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

// optional is a pointer to s, nil when it is empty.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
