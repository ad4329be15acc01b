package eventbridge

import (
	"context"
	"maps"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/eventsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

const maxTags = 50

// retagged is have with tags added. Keys that begin with aws: are for
// CloudFormation alone, and do not count.
func retagged(ctx context.Context, have map[string]string, tags []api.Tag) (map[string]string, error) {
	_, stack := cfn.From(ctx)
	out := maps.Clone(have)
	if out == nil {
		out = map[string]string{}
	}
	for _, t := range tags {
		if !stack && strings.HasPrefix(strings.ToLower(*t.Key), "aws:") {
			return nil, invalid("aws: prefixed tag key names are not allowed for external use.")
		}
		out[*t.Key] = *t.Value
	}
	n := 0
	for k := range out {
		if !strings.HasPrefix(k, "aws:") {
			n++
		}
	}
	if n > maxTags {
		return nil, fault("LimitExceededException", "A rule can have at most %d tags.", maxTags)
	}
	return out, nil
}

func tagList(tags map[string]string) []api.Tag {
	out := []api.Tag{}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: &k, Value: new(tags[k])})
	}
	return out
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
	return &api.ListTagsForResourceOutput{Tags: tagList(r.Tags)}, nil
}
