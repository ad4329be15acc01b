package eventbridge

import (
	"context"
	"errors"
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
		return nil, fault("LimitExceededException", "A rule or event bus can have at most %d tags.", tagset.Most)
	}
	return out, nil
}

// tagged is what has an ARN: the bus and name of a rule, or a bus when there is no name.
func tagged(ctx context.Context, resource string) (bus, rule *string, err error) {
	if name, ok := strings.CutPrefix(resource, busARN(scope(ctx), "")); ok {
		return &name, nil, nil
	}
	path, ok := strings.CutPrefix(resource, ruleARN(scope(ctx), ""))
	if !ok {
		return nil, nil, fault("ResourceNotFoundException", "%s is not a rule or event bus of this account and region.", resource)
	}
	if in, name, ok := strings.Cut(path, "/"); ok {
		return &in, &name, nil
	}
	return nil, &path, nil
}

// changeTags changes the tags of a rule or bus.
func (s *Service) changeTags(ctx context.Context, resource string, fn func(have map[string]string) (map[string]string, error)) error {
	bus, name, err := tagged(ctx, resource)
	switch {
	case err != nil:
		return err
	case name == nil:
		return s.changeBus(ctx, bus, func(b *Bus) (err error) {
			b.Tags, err = fn(b.Tags)
			return err
		})
	}
	return s.change(ctx, name, bus, func(r *Rule) (err error) {
		r.Tags, err = fn(r.Tags)
		return err
	})
}

// TagResource adds tags to a rule or bus.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return nil, s.changeTags(ctx, *in.ResourceARN, func(have map[string]string) (map[string]string, error) { return retagged(ctx, have, in.Tags) })
}

// UntagResource removes tags from a rule or bus.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return nil, s.changeTags(ctx, *in.ResourceARN, func(have map[string]string) (map[string]string, error) {
		return tagset.Without(have, in.TagKeys...), nil
	})
}

// ListTagsForResource lists the tags of a rule or bus.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	bus, name, err := tagged(ctx, *in.ResourceARN)
	if err != nil {
		return nil, err
	}
	snap := s.Store.Snapshot()
	if name == nil {
		b, err := findBus(snap, scope(ctx), bus)
		if err != nil {
			return nil, err
		}
		return &api.ListTagsForResourceOutput{Tags: tagset.List[api.Tag](b.Tags)}, nil
	}
	r, err := rule(snap, scope(ctx), name, bus)
	if err != nil {
		return nil, err
	}
	return &api.ListTagsForResourceOutput{Tags: tagset.List[api.Tag](r.Tags)}, nil
}
