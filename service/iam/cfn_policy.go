package iam

import (
	"context"

	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// inlineProperties are an inline policy put on several principals at once.
type inlineProperties struct {
	ID             string `json:"Id" cfn:"id,readOnly"`
	PolicyName     string `cfn:"required"`
	PolicyDocument any    `cfn:"required"`
	Roles          []string
	Users          []string
	Groups         []string
}

func (p *inlineProperties) holders() holders { return holders{p.Roles, p.Users, p.Groups} }

type inlineResource struct{ s *Service }

func (r inlineResource) Create(ctx context.Context, p *inlineProperties) error {
	if len(p.Roles)+len(p.Users)+len(p.Groups) == 0 {
		return awsapi.Errorf("ValidationError", 400, "At least one of [Groups,Roles,Users] must be non-empty.")
	}
	text, err := document(p.PolicyDocument)
	if err != nil {
		return err
	}
	p.ID = generated(ctx, 128)
	return p.holders().each(func(k Kind, name string) error { return r.s.put(ctx, k, name, p.PolicyName, *text) })
}

func (r inlineResource) Read(ctx context.Context, p *inlineProperties) error {
	return p.holders().each(func(k Kind, name string) error {
		row, err := principal(r.s.store.Snapshot(), account(ctx), k, name)
		if err != nil {
			return err
		}
		text, ok := row.Inline[p.PolicyName]
		if !ok {
			return noSuchInline(k, p.PolicyName)
		}
		p.PolicyDocument = parsed(text)
		return nil
	})
}

func (r inlineResource) Update(ctx context.Context, before, after *inlineProperties) error {
	id := before.ID
	if err := r.Create(ctx, after); err != nil {
		return err
	}
	after.ID = id
	left := before.holders()
	if before.PolicyName == after.PolicyName {
		left = left.minus(after.holders())
	}
	return r.drop(ctx, before.PolicyName, left)
}

func (r inlineResource) Delete(ctx context.Context, p *inlineProperties) error {
	return r.drop(ctx, p.PolicyName, p.holders())
}

func (r inlineResource) drop(ctx context.Context, policy string, from holders) error {
	return from.each(func(k Kind, name string) error { return gone(r.s.drop(ctx, k, name, policy)) })
}
