package ecs

import (
	"context"
	"maps"
	"strings"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// TagResource adds tags to a cluster, task definition, service or task.
func (s *Service) TagResource(_ context.Context, in *ecsapi.TagResourceInput) (*ecsapi.TagResourceOutput, error) {
	return &ecsapi.TagResourceOutput{}, s.retag(value(in.ResourceArn), func(tags map[string]string) { maps.Copy(tags, tagset.Of(in.Tags)) })
}

// UntagResource removes tags by key.
func (s *Service) UntagResource(_ context.Context, in *ecsapi.UntagResourceInput) (*ecsapi.UntagResourceOutput, error) {
	return &ecsapi.UntagResourceOutput{}, s.retag(value(in.ResourceArn), func(tags map[string]string) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
	})
}

// ListTagsForResource answers the tags of a resource.
func (s *Service) ListTagsForResource(_ context.Context, in *ecsapi.ListTagsForResourceInput) (*ecsapi.ListTagsForResourceOutput, error) {
	found, err := findTagged(s.store.Snapshot(), value(in.ResourceArn))
	if err != nil {
		return nil, err
	}
	return &ecsapi.ListTagsForResourceOutput{Tags: tagset.List[ecsapi.Tag](found.tags)}, nil
}

// retag changes the tags of a resource.
func (s *Service) retag(ref string, change func(map[string]string)) error {
	return s.store.Update(func(tx *store.Tx) error {
		found, err := findTagged(tx, ref)
		if err != nil {
			return err
		}
		tags := maps.Clone(found.tags)
		if tags == nil {
			tags = map[string]string{}
		}
		change(tags)
		found.put(tx, tags)
		return nil
	})
}

// tagged is a row that has tags.
type tagged struct {
	tags map[string]string
	put  func(tx *store.Tx, tags map[string]string)
}

func findTagged(r store.Reader, ref string) (tagged, error) {
	a, err := arn.Parse(ref)
	if err != nil {
		return tagged{}, errInvalid("Invalid ARN: %s", ref)
	}
	kind, rest, _ := strings.Cut(a.Resource, "/")
	switch kind {
	case "cluster":
		if c, err := Clusters.Get(r, a.Scope().Key(rest)); err == nil {
			return tagged{c.Tags, func(tx *store.Tx, tags map[string]string) { c.Tags = tags; Clusters.Put(tx, c) }}, nil
		}
	case "service":
		if row, err := Services.Get(r, a.Scope().Key(rest)); err == nil {
			return tagged{row.Tags, func(tx *store.Tx, tags map[string]string) { row.Tags = tags; Services.Put(tx, row) }}, nil
		}
	case "task":
		if t, err := Tasks.Get(r, ref); err == nil {
			return tagged{t.Tags, func(tx *store.Tx, tags map[string]string) { t.Tags = tags; Tasks.Put(tx, t) }}, nil
		}
	case "task-definition":
		if d, err := findDefinition(r, a.Scope(), ref); err == nil {
			return tagged{d.Tags, func(tx *store.Tx, tags map[string]string) { d.Tags = tags; TaskDefinitions.Put(tx, d) }}, nil
		}
	default:
		return tagged{}, errInvalid("Resource type not supported: %s", kind)
	}
	return tagged{}, errInvalid("The specified resource %s was not found.", ref)
}
