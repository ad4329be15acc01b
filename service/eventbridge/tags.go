package eventbridge

import (
	"context"
	"errors"
	"maps"
	"strings"

	api "github.com/slipway-dev/slipway/api/eventsapi"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// retagged is have with tags added.
func retagged(ctx context.Context, have map[string]string, tags []api.Tag) (map[string]string, error) {
	out, err := tagset.Added(ctx, have, tags)
	switch {
	case errors.Is(err, tagset.ErrReserved):
		return nil, invalid("aws: prefixed tag key names are not allowed for external use.")
	case err != nil:
		return nil, fault("LimitExceededException", "A rule can have at most %d tags.", tagset.Most)
	}
	return out, nil
}

// tagged is the name of the rule that an ARN means. Nothing else has tags here.
func tagged(ctx context.Context, resource string) (string, error) {
	name, ok := strings.CutPrefix(resource, ruleARN(scope(ctx), ""))
	if !ok {
		return "", fault("ResourceNotFoundException", "%s is not a rule of this account and region.", resource)
	}
	return strings.TrimPrefix(name, defaultBus+"/"), nil
}

// TagResource adds tags to a rule.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	name, err := tagged(ctx, *in.ResourceARN)
	if err != nil {
		return nil, err
	}
	return nil, s.change(ctx, &name, nil, func(r *Rule) error {
		tags, err := retagged(ctx, r.Tags, in.Tags)
		if err == nil {
			r.Tags = tags
		}
		return err
	})
}

// UntagResource removes tags from a rule.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	name, err := tagged(ctx, *in.ResourceARN)
	if err != nil {
		return nil, err
	}
	return nil, s.change(ctx, &name, nil, func(r *Rule) error {
		r.Tags = maps.Clone(r.Tags)
		for _, k := range in.TagKeys {
			delete(r.Tags, k)
		}
		return nil
	})
}

// ListTagsForResource lists the tags of a rule.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	name, err := tagged(ctx, *in.ResourceARN)
	if err != nil {
		return nil, err
	}
	r, err := rule(s.Store.Snapshot(), scope(ctx), &name, nil)
	if err != nil {
		return nil, err
	}
	return &api.ListTagsForResourceOutput{Tags: tagset.List[api.Tag](r.Tags)}, nil
}
