package applicationautoscaling

import (
	"context"
	"maps"

	api "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

const maxTags = 50

// tagged finds a scalable target of the caller's by its ARN.
func tagged(ctx context.Context, r store.Reader, resource string) (Target, error) {
	for t := range Targets.By(r, "arn", resource) {
		if t.Scope == scopeOf(ctx) {
			return t, nil
		}
	}
	return Target{}, errNoTagged
}

func (s *Service) retag(ctx context.Context, resource string, change func(map[string]string)) error {
	return s.store.Update(func(tx *store.Tx) error {
		t, err := tagged(ctx, tx, resource)
		if err != nil {
			return err
		}
		next := map[string]string{}
		maps.Copy(next, t.Tags)
		change(next)
		if len(next) > maxTags {
			return errTags
		}
		t.Tags = next
		Targets.Put(tx, t)
		return nil
	})
}

// TagResource adds or replaces tags of a scalable target.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return &api.TagResourceOutput{}, s.retag(ctx, val(in.ResourceARN), func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

// UntagResource removes tags.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return &api.UntagResourceOutput{}, s.retag(ctx, val(in.ResourceARN), func(tags map[string]string) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
	})
}

// ListTagsForResource lists tags.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	t, err := tagged(ctx, s.store.Snapshot(), val(in.ResourceARN))
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	maps.Copy(tags, t.Tags)
	return &api.ListTagsForResourceOutput{Tags: tags}, nil
}
