package cloudformation

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
)

// GetTemplate returns the template of a stack or of a change set, as it was given or as its macros left it. A stack under review has none yet: the answer then has no body,
// as in AWS; the CDK CLI asks so between making a change set and executing it.
func (s *Service) GetTemplate(ctx context.Context, in *api.GetTemplateInput) (*api.GetTemplateOutput, error) {
	r := s.Store.Snapshot()
	var key string
	var d Deployment
	if in.ChangeSetName != nil {
		cs, _, err := findChangeSet(ctx, r, *in.ChangeSetName, in.StackName)
		if err != nil {
			return nil, err
		}
		key, d = cs.Stack, cs.Deployment
	} else {
		st, err := find(ctx, r, deref(in.StackName))
		if err != nil {
			return nil, err
		}
		if st.Status == "REVIEW_IN_PROGRESS" {
			return &api.GetTemplateOutput{}, nil
		}
		key, d = st.Key(), st.Deployment
	}
	hash := d.Template
	if in.TemplateStage == "Processed" {
		hash = d.deployed()
	}
	row, err := Templates.Get(r, key+"/"+hash)
	if err != nil {
		return nil, invalid("Template does not exist for stack %s", deref(in.StackName))
	}
	return &api.GetTemplateOutput{TemplateBody: &row.Body, StagesAvailable: []api.TemplateStage{"Original", "Processed"}}, nil
}

// ValidateTemplate makes every check that needs no parameter values.
func (s *Service) ValidateTemplate(ctx context.Context, in *api.ValidateTemplateInput) (*api.ValidateTemplateOutput, error) {
	body, err := s.body(ctx, in.TemplateBody, in.TemplateURL, nil)
	if err != nil {
		return nil, err
	}
	t, err := outline(body)
	if err == nil && len(t.Transforms) == 0 {
		err = s.check(t)
	}
	if err != nil {
		return nil, err
	}
	out := &api.ValidateTemplateOutput{Description: optional(t.Description), DeclaredTransforms: t.Transforms}
	for _, p := range t.Parameters {
		out.Parameters = append(out.Parameters, api.TemplateParameter{
			ParameterKey: &p.Name, DefaultValue: p.Default, NoEcho: &p.NoEcho, Description: optional(p.Description),
		})
	}
	out.Capabilities, out.CapabilitiesReason = requirements(t)
	return out, nil
}

// outline reads a template as far as its macros allow: one without is checked whole.
func outline(body string) (*template.Template, error) {
	src, err := template.Read(body, template.Limits{})
	if err != nil {
		return nil, clientError(err)
	}
	var t *template.Template
	if len(src.Transforms()) == 0 {
		t, err = template.Parse(body, template.Limits{})
	} else {
		t, err = src.Outline()
	}
	return t, clientError(err)
}

// requirements are the capabilities that a template needs, and why.
func requirements(t *template.Template) ([]api.Capability, *string) {
	var out []api.Capability
	need, why := capabilities(t)
	if need != "" {
		out = append(out, api.Capability(need))
	}
	if len(t.Transforms) > 0 {
		out = append(out, "CAPABILITY_AUTO_EXPAND")
		if why == "" {
			why = "The following resource(s) require capabilities: [" + strings.Join(t.Transforms, ", ") + "]"
		}
	}
	return out, optional(why)
}

// GetTemplateSummary describes a template, given or of a stack: parameters, capabilities, resource types.
func (s *Service) GetTemplateSummary(ctx context.Context, in *api.GetTemplateSummaryInput) (*api.GetTemplateSummaryOutput, error) {
	var stored func() (string, error)
	if in.StackName != nil {
		r := s.Store.Snapshot()
		st, err := find(ctx, r, *in.StackName)
		if err != nil {
			return nil, err
		}
		if st.Status == "REVIEW_IN_PROGRESS" {
			return nil, invalid("GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.")
		}
		stored = s.previous(r, st, new(true))
	}
	body, err := s.body(ctx, in.TemplateBody, in.TemplateURL, stored)
	if err != nil {
		return nil, err
	}
	t, err := outline(body)
	if err != nil {
		return nil, err
	}
	out := &api.GetTemplateSummaryOutput{
		Description: optional(t.Description), Version: optional(t.Version), DeclaredTransforms: t.Transforms, ResourceTypes: []string{},
	}
	if t.Metadata != nil {
		raw, err := json.Marshal(t.Metadata.Value())
		if err != nil {
			return nil, err
		}
		out.Metadata = new(string(raw))
	}
	for _, p := range t.Parameters {
		out.Parameters = append(out.Parameters, declaration(p))
	}
	s.summarize(t, out)
	out.Capabilities, out.CapabilitiesReason = requirements(t)
	return out, nil
}

func declaration(p *template.Parameter) api.ParameterDeclaration {
	return api.ParameterDeclaration{
		ParameterKey: &p.Name, DefaultValue: p.Default, ParameterType: &p.Type, NoEcho: &p.NoEcho, Description: optional(p.Description),
		ParameterConstraints: &api.ParameterConstraints{AllowedValues: p.AllowedValues},
	}
}

// summarize adds the resource types, and by which property each could be imported.
func (s *Service) summarize(t *template.Template, out *api.GetTemplateSummaryOutput) {
	ids := map[string][]string{}
	for _, r := range t.Resources {
		ids[r.Type] = append(ids[r.Type], r.LogicalID)
		if !slices.Contains(out.ResourceTypes, r.Type) {
			out.ResourceTypes = append(out.ResourceTypes, r.Type)
		}
	}
	for _, name := range out.ResourceTypes {
		if typ, ok := s.lookup(name); ok {
			out.ResourceIdentifierSummaries = append(out.ResourceIdentifierSummaries, api.ResourceIdentifierSummary{
				ResourceType: &name, LogicalResourceIds: ids[name], ResourceIdentifiers: []string{typ.IDProperty()},
			})
		}
	}
}
