package ssm

import (
	"context"
	"errors"

	api "github.com/slipway-dev/slipway/api/ssmapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// Resources are the CloudFormation types of this service.
func (s *Service) Resources() []cfn.Type {
	return []cfn.Type{
		cfn.Of[parameterProperties]("AWS::SSM::Parameter", parameterResource{s}),
		cfn.Of[documentProperties]("AWS::SSM::Document", documentResource{s}),
	}
}

// parameterProperties is AWS::SSM::Parameter. Its Tags are a map, not a list.
type parameterProperties struct {
	Name           string `cfn:"id,createOnly"`
	Type           string `cfn:"required,attribute"`
	Value          string `cfn:"required,attribute"`
	Description    string
	AllowedPattern string
	DataType       string
	Tier           string
	Policies       string
	Tags           map[string]string
}

type parameterResource struct{ s *Service }

var _ cfn.Updater[parameterProperties] = parameterResource{}

func (p *parameterProperties) input() *api.PutParameterInput {
	return &api.PutParameterInput{
		Name: &p.Name, Type: api.ParameterType(p.Type), Value: &p.Value, Description: &p.Description, AllowedPattern: &p.AllowedPattern,
		DataType: opt(p.DataType), Tier: api.ParameterTier(p.Tier), Policies: opt(p.Policies),
	}
}

func (r parameterResource) tags(ctx context.Context, p *parameterProperties) map[string]string {
	q, _ := cfn.From(ctx)
	all := q.AllTags(nil)
	for k, v := range p.Tags {
		all[k] = v
	}
	return all
}

func (r parameterResource) Create(ctx context.Context, p *parameterProperties) error {
	q, _ := cfn.From(ctx)
	if p.Name == "" {
		q.StackName = "CFN" // the name begins so, and not with the stack's
		p.Name = q.Name(100)
	}
	if p.Type == Secure {
		return errSecureStack
	}
	in := p.input()
	in.Tags = tagset.List[api.Tag](r.tags(ctx, p))
	_, err := r.s.PutParameter(ctx, in)
	if errors.Is(err, errExists) {
		if have, gone := Parameters.Get(r.s.Store.Snapshot(), parameterKey(scope(ctx), p.Name)); gone == nil && q.Owns(have.Tags) {
			err = nil // ours: made before a restart
		}
	}
	return err
}

func (r parameterResource) Read(ctx context.Context, p *parameterProperties) error {
	snap := r.s.Store.Snapshot()
	have, err := Parameters.Get(snap, parameterKey(scope(ctx), p.Name))
	if err != nil {
		return err
	}
	v, err := latest(snap, have)
	if err != nil {
		return err
	}
	*p = parameterProperties{
		Name: v.Name, Type: v.Type, Value: v.Value, Description: v.Description, AllowedPattern: v.AllowedPattern,
		DataType: v.DataType, Tier: v.Tier, Tags: map[string]string{},
	}
	for _, t := range cfn.TagsOf(have.Tags) {
		p.Tags[t.Key] = t.Value
	}
	return nil
}

func (r parameterResource) Update(ctx context.Context, before, after *parameterProperties) error {
	if after.Type == Secure {
		return errSecureStack
	}
	if before.Type != after.Type {
		// CloudFormation deletes and makes it again under the same name.
		if err := r.Delete(ctx, before); err != nil {
			return err
		}
		in := after.input()
		_, err := r.s.PutParameter(ctx, in)
		if err != nil {
			return err
		}
	} else if changed(*before, *after) {
		in := after.input()
		in.Overwrite = new(true)
		if _, err := r.s.PutParameter(ctx, in); err != nil {
			return err
		}
	}
	return r.s.setTags(scope(ctx), after.Name, r.tags(ctx, after))
}

// changed says whether an update needs a new version.
func changed(a, b parameterProperties) bool {
	return a.Value != b.Value || a.Description != b.Description || a.AllowedPattern != b.AllowedPattern || a.Tier != b.Tier || a.DataType != b.DataType || a.Policies != b.Policies
}

func (r parameterResource) Delete(ctx context.Context, p *parameterProperties) error {
	_, err := r.s.DeleteParameter(ctx, &api.DeleteParameterInput{Name: &p.Name})
	if errors.Is(err, &awsapi.Error{Code: "ParameterNotFound"}) {
		return nil
	}
	return err
}

// errSecureStack: AWS has it so, since a value in a template is no secret.
var errSecureStack = awsapi.Errorf("ValidationException", 400,
	"SecureString is not supported by AWS::SSM::Parameter. Make the parameter with the API and refer to it with {{resolve:ssm-secure:name}}.")
