package logs

import (
	"context"
	"maps"

	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

func (s *Service) tag(ctx context.Context, id *string, add map[string]string, drop []string) error {
	name, err := groupName(awsapi.CallerOf(ctx).Scope, val(id))
	if err != nil {
		return err
	}
	return s.change(ctx, &name, func(g *Group) error {
		tags := maps.Clone(g.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		maps.Copy(tags, add)
		for _, k := range drop {
			delete(tags, k)
		}
		if g.Tags = tags; len(tags) > 50 {
			return errTags
		}
		return nil
	})
}

func (s *Service) tagsOf(ctx context.Context, id *string) (map[string]string, error) {
	g, err := s.group(ctx, s.store.Snapshot(), nil, id)
	if err != nil {
		return nil, err
	}
	if g.Tags == nil {
		return map[string]string{}, nil
	}
	return g.Tags, nil
}

// TagResource adds or replaces tags of a log group, by ARN.
func (s *Service) TagResource(ctx context.Context, in *logsapi.TagResourceInput) (*logsapi.TagResourceOutput, error) {
	return &logsapi.TagResourceOutput{}, s.tag(ctx, in.ResourceArn, in.Tags, nil)
}

// UntagResource removes tags of a log group, by ARN.
func (s *Service) UntagResource(ctx context.Context, in *logsapi.UntagResourceInput) (*logsapi.UntagResourceOutput, error) {
	return &logsapi.UntagResourceOutput{}, s.tag(ctx, in.ResourceArn, nil, in.TagKeys)
}

// ListTagsForResource lists the tags of a log group, by ARN.
func (s *Service) ListTagsForResource(ctx context.Context, in *logsapi.ListTagsForResourceInput) (*logsapi.ListTagsForResourceOutput, error) {
	tags, err := s.tagsOf(ctx, in.ResourceArn)
	return &logsapi.ListTagsForResourceOutput{Tags: tags}, err
}

// TagLogGroup is TagResource by name.
func (s *Service) TagLogGroup(ctx context.Context, in *logsapi.TagLogGroupInput) (*logsapi.TagLogGroupOutput, error) {
	return &logsapi.TagLogGroupOutput{}, s.tag(ctx, in.LogGroupName, in.Tags, nil)
}

// UntagLogGroup is UntagResource by name.
func (s *Service) UntagLogGroup(ctx context.Context, in *logsapi.UntagLogGroupInput) (*logsapi.UntagLogGroupOutput, error) {
	return &logsapi.UntagLogGroupOutput{}, s.tag(ctx, in.LogGroupName, nil, in.Tags)
}

// ListTagsLogGroup is ListTagsForResource by name.
func (s *Service) ListTagsLogGroup(ctx context.Context, in *logsapi.ListTagsLogGroupInput) (*logsapi.ListTagsLogGroupOutput, error) {
	tags, err := s.tagsOf(ctx, in.LogGroupName)
	return &logsapi.ListTagsLogGroupOutput{Tags: tags}, err
}
