package ssm

import (
	"context"
	"errors"

	api "github.com/slipway-dev/slipway/api/ssmapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// retagged is have with tags added.
func retagged(ctx context.Context, have map[string]string, tags []api.Tag) (map[string]string, error) {
	out, err := tagset.Added(ctx, have, tags)
	switch {
	case errors.Is(err, tagset.ErrReserved):
		return nil, invalid("aws: prefixed tag key names are not allowed for external use.")
	case err != nil:
		return nil, errTooManyTags
	}
	return out, nil
}

// checkResource: of what Systems Manager tags there are only parameters.
func checkResource(kind api.ResourceTypeForTagging) error {
	if kind != api.ResourceTypeForTaggingParameter {
		return fault("InvalidResourceType", "The resource type %s is not supported by this engine: it has only parameters.", kind)
	}
	return nil
}

func errNoResource(id string) error {
	return fault("InvalidResourceId", "The resource ID \"%s\" is not valid. Verify the ID and try again.", id)
}

// AddTagsToResource adds tags to a parameter.
func (s *Service) AddTagsToResource(ctx context.Context, in *api.AddTagsToResourceInput) (*api.AddTagsToResourceOutput, error) {
	return nil, s.retag(ctx, in.ResourceType, *in.ResourceId, func(have map[string]string) (map[string]string, error) {
		return retagged(ctx, have, in.Tags)
	})
}

// RemoveTagsFromResource removes tags from a parameter.
func (s *Service) RemoveTagsFromResource(ctx context.Context, in *api.RemoveTagsFromResourceInput) (*api.RemoveTagsFromResourceOutput, error) {
	return nil, s.retag(ctx, in.ResourceType, *in.ResourceId, func(have map[string]string) (map[string]string, error) {
		return tagset.Without(have, in.TagKeys...), nil
	})
}

func (s *Service) retag(ctx context.Context, kind api.ResourceTypeForTagging, id string, fn func(map[string]string) (map[string]string, error)) error {
	if err := checkResource(kind); err != nil {
		return err
	}
	return s.Store.Update(func(tx *store.Tx) error {
		p, err := Parameters.Get(tx, parameterKey(scope(ctx), id))
		if err != nil {
			return errNoResource(id)
		}
		if p.Tags, err = fn(p.Tags); err != nil {
			return err
		}
		Parameters.Put(tx, p)
		return nil
	})
}

// ListTagsForResource lists the tags of a parameter.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	if err := checkResource(in.ResourceType); err != nil {
		return nil, err
	}
	p, err := Parameters.Get(s.Store.Snapshot(), parameterKey(scope(ctx), *in.ResourceId))
	if err != nil {
		return nil, errNoResource(*in.ResourceId)
	}
	return &api.ListTagsForResourceOutput{TagList: tagset.List[api.Tag](p.Tags)}, nil
}
