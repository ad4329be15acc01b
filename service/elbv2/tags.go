package elbv2

import (
	"context"
	"maps"
	"strings"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// tagMap checks tags as given to an operation.
func tagMap(tags []elbv2api.Tag) (map[string]string, error) {
	out := map[string]string{}
	for _, t := range tags {
		if _, twice := out[val(t.Key)]; twice {
			return nil, fault("DuplicateTagKeys", "A tag key was specified more than once: '%s'", val(t.Key))
		}
		out[val(t.Key)] = val(t.Value)
	}
	if len(out) > maxTags {
		return nil, errTooMany("TooManyTags", "The maximum number of tags has been reached")
	}
	return out, nil
}

// tagged gives the tags of any resource by its ARN, and a way to replace
// them.
func tagged(r store.Reader, scope arn.Scope, id string) (map[string]string, func(*store.Tx, map[string]string), error) {
	a, err := arn.Parse(id)
	if err != nil || a.Service != "elasticloadbalancing" {
		return nil, nil, errValidation("'%s' is not a valid ARN", id)
	}
	kind, _, _ := strings.Cut(a.Resource, "/")
	switch kind {
	case "loadbalancer":
		b, err := balancer(r, scope, id)
		return b.Tags, func(tx *store.Tx, m map[string]string) { b.Tags = m; LoadBalancers.Put(tx, b) }, err
	case "listener":
		l, err := listener(r, scope, id)
		return l.Tags, func(tx *store.Tx, m map[string]string) { l.Tags = m; Listeners.Put(tx, l) }, err
	case "listener-rule":
		l, err := rule(r, scope, id)
		return l.Tags, func(tx *store.Tx, m map[string]string) { l.Tags = m; Rules.Put(tx, l) }, err
	case "targetgroup":
		g, err := group(r, scope, id)
		return g.Tags, func(tx *store.Tx, m map[string]string) { g.Tags = m; TargetGroups.Put(tx, g) }, err
	}
	return nil, nil, errValidation("'%s' is not a valid ARN", id)
}

// AddTags sets tags on resources.
func (s *Service) AddTags(ctx context.Context, in *elbv2api.AddTagsInput) (*elbv2api.AddTagsOutput, error) {
	add, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	return &elbv2api.AddTagsOutput{}, s.retag(ctx, in.ResourceArns, func(m map[string]string) { maps.Copy(m, add) })
}

// RemoveTags removes tags from resources; absent ones are no error.
func (s *Service) RemoveTags(ctx context.Context, in *elbv2api.RemoveTagsInput) (*elbv2api.RemoveTagsOutput, error) {
	return &elbv2api.RemoveTagsOutput{}, s.retag(ctx, in.ResourceArns, func(m map[string]string) {
		for _, k := range in.TagKeys {
			delete(m, k)
		}
	})
}

func (s *Service) retag(ctx context.Context, ids []string, change func(map[string]string)) error {
	return s.store.Update(func(tx *store.Tx) error {
		for _, id := range ids {
			old, put, err := tagged(tx, scopeOf(ctx), id)
			if err != nil {
				return err
			}
			tags := maps.Clone(old)
			if tags == nil {
				tags = map[string]string{}
			}
			if change(tags); len(tags) > maxTags {
				return errTooMany("TooManyTags", "The maximum number of tags has been reached")
			}
			put(tx, tags)
		}
		return nil
	})
}

// DescribeTags lists the tags of resources.
func (s *Service) DescribeTags(ctx context.Context, in *elbv2api.DescribeTagsInput) (*elbv2api.DescribeTagsOutput, error) {
	snap, out := s.store.Snapshot(), &elbv2api.DescribeTagsOutput{}
	for _, id := range in.ResourceArns {
		tags, _, err := tagged(snap, scopeOf(ctx), id)
		if err != nil {
			return nil, err
		}
		out.TagDescriptions = append(out.TagDescriptions, elbv2api.TagDescription{ResourceArn: new(id), Tags: tagset.List[elbv2api.Tag](tags)})
	}
	return out, nil
}
