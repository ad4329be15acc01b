package cloudformation

import (
	"context"

	"github.com/slipway-dev/slipway/kernel/cfn"
)

// Resources are the types CloudFormation has itself: nested stacks, wait conditions, custom resources, and a placeholder without any effect.
func (s *Service) Resources() []cfn.Type {
	return []cfn.Type{
		cfn.Of("AWS::CDK::Metadata", placeholder[cdkMetadata]{func(p *cdkMetadata) *string { return &p.ID }}),
		cfn.Of(stackType, nestedStacks{s}),
		cfn.Of(customType, customResources{s}),
		cfn.Of(handleType, waitHandles{s}),
		cfn.Of(conditionType, waitConditions{s}),
	}
}

// cdkMetadata is what the CDK adds to every stack to count its constructs.
type cdkMetadata struct {
	ID        string `cfn:"id,kept"`
	Analytics string
}

// placeholder makes nothing but a name.
type placeholder[P any] struct{ id func(*P) *string }

func (h placeholder[P]) Create(ctx context.Context, p *P) error {
	r, _ := cfn.From(ctx)
	*h.id(p) = r.Name(128)
	return nil
}

// Intangible says that there is nothing to drift.
func (placeholder[P]) Intangible() {}

func (placeholder[P]) Read(context.Context, *P) error { return nil }

func (placeholder[P]) Delete(context.Context, *P) error { return nil }

func (placeholder[P]) Update(context.Context, *P, *P) error { return nil }
