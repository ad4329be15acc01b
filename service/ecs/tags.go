package ecs

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

func tagMap(tags []ecsapi.Tag) map[string]string {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[value(t.Key)] = value(t.Value)
	}
	return m
}

func tagList(tags map[string]string) []ecsapi.Tag {
	out := make([]ecsapi.Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, ecsapi.Tag{Key: &k, Value: new(tags[k])})
	}
	return out
}

// TagResource adds tags to a cluster, task definition, service or task.
func (s *Service) TagResource(_ context.Context, in *ecsapi.TagResourceInput) (*ecsapi.TagResourceOutput, error) {
	_, err := s.retag(value(in.ResourceArn), func(tags map[string]string) { maps.Copy(tags, tagMap(in.Tags)) })
	return &ecsapi.TagResourceOutput{}, err
}

// UntagResource removes tags by key.
func (s *Service) UntagResource(_ context.Context, in *ecsapi.UntagResourceInput) (*ecsapi.UntagResourceOutput, error) {
	_, err := s.retag(value(in.ResourceArn), func(tags map[string]string) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
	})
	return &ecsapi.UntagResourceOutput{}, err
}

// ListTagsForResource answers the tags of a resource.
func (s *Service) ListTagsForResource(_ context.Context, in *ecsapi.ListTagsForResourceInput) (*ecsapi.ListTagsForResourceOutput, error) {
	tags, err := s.retag(value(in.ResourceArn), nil)
	if err != nil {
		return nil, err
	}
	return &ecsapi.ListTagsForResourceOutput{Tags: tagList(tags)}, nil
}

// retag finds the resource of an ARN, changes its tags if change is not nil,
// and returns them.
func (s *Service) retag(ref string, change func(map[string]string)) (tags map[string]string, err error) {
	a, err := arn.Parse(ref)
	if err != nil {
		return nil, errInvalid("Invalid ARN: %s", ref)
	}
	err = s.store.Update(func(tx *store.Tx) error {
		edit := func(old map[string]string) map[string]string {
			if tags = maps.Clone(old); tags == nil {
				tags = map[string]string{}
			}
			if change != nil {
				change(tags)
			}
			return tags
		}
		kind, rest, _ := strings.Cut(a.Resource, "/")
		switch kind {
		case "cluster":
			if c, err := Clusters.Get(tx, a.Scope().Key(rest)); err == nil {
				c.Tags = edit(c.Tags)
				Clusters.Put(tx, c)
				return nil
			}
		case "service":
			if r, err := Services.Get(tx, a.Scope().Key(rest)); err == nil {
				r.Tags = edit(r.Tags)
				Services.Put(tx, r)
				return nil
			}
		case "task":
			if t, err := Tasks.Get(tx, ref); err == nil {
				t.Tags = edit(t.Tags)
				Tasks.Put(tx, t)
				return nil
			}
		case "task-definition":
			if d, err := findDefinition(tx, a.Scope(), ref); err == nil {
				d.Tags = edit(d.Tags)
				TaskDefinitions.Put(tx, d)
				return nil
			}
		default:
			return errInvalid("Resource type not supported: %s", kind)
		}
		return errInvalid("The specified resource %s was not found.", ref)
	})
	return tags, err
}
