package servicediscovery

import (
	"context"
	"errors"
	"strings"

	api "github.com/slipway-dev/slipway/api/servicediscoveryapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// retagged is have, of a resource, with tags added.
func retagged(ctx context.Context, resource string, have map[string]string, tags []api.Tag) (map[string]string, error) {
	out, err := tagset.Added(ctx, have, tags)
	switch {
	case errors.Is(err, tagset.ErrReserved):
		return nil, invalid("Tag keys that start with 'aws:' are reserved for AWS use.")
	case err != nil:
		e := awsapi.Errorf("TooManyTagsException", 400, "A resource can have at most %d tags.", tagset.Most)
		e.Fields = map[string]any{"ResourceName": resource}
		return nil, e
	}
	return out, nil
}

// retag puts what fn makes of a resource's tags.
func retag(ctx context.Context, tx *store.Tx, resource string, fn func(map[string]string) (map[string]string, error)) error {
	a, err := arn.Parse(resource)
	if err != nil || a.Service != "servicediscovery" {
		return invalid("%s is not the ARN of a Cloud Map resource.", resource)
	}
	if strings.HasPrefix(a.Resource, "namespace/") {
		if n, err := Namespaces.Get(tx, scope(ctx).Key("namespace", a.Name())); err == nil {
			if n.Tags, err = fn(n.Tags); err != nil {
				return err
			}
			Namespaces.Put(tx, n)
			return nil
		}
	}
	if strings.HasPrefix(a.Resource, "service/") {
		if g, err := Services.Get(tx, scope(ctx).Key("service", a.Name())); err == nil {
			if g.Tags, err = fn(g.Tags); err != nil {
				return err
			}
			Services.Put(tx, g)
			return nil
		}
	}
	return noResource(resource)
}

// TagResource adds tags to a namespace or service.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return nil, s.store.Update(func(tx *store.Tx) error {
		return retag(ctx, tx, *in.ResourceARN, func(have map[string]string) (map[string]string, error) {
			return retagged(ctx, *in.ResourceARN, have, in.Tags)
		})
	})
}

// UntagResource removes tags from a namespace or service.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return nil, s.untag(ctx, *in.ResourceARN, in.TagKeys)
}

func (s *Service) untag(ctx context.Context, resource string, keys []string) error {
	return s.store.Update(func(tx *store.Tx) error {
		return retag(ctx, tx, resource, func(have map[string]string) (map[string]string, error) {
			return tagset.Without(have, keys...), nil
		})
	})
}

// ListTagsForResource lists the tags of a namespace or service.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	a, err := arn.Parse(*in.ResourceARN)
	if err != nil {
		return nil, invalid("%s is not the ARN of a Cloud Map resource.", *in.ResourceARN)
	}
	snap := s.store.Snapshot()
	if n, err := namespace(ctx, snap, a.Name()); err == nil && n.ARN() == *in.ResourceARN {
		return &api.ListTagsForResourceOutput{Tags: tagset.List[api.Tag](n.Tags)}, nil
	}
	if g, err := registry(ctx, snap, a.Name()); err == nil && g.ARN() == *in.ResourceARN {
		return &api.ListTagsForResourceOutput{Tags: tagset.List[api.Tag](g.Tags)}, nil
	}
	return nil, noResource(*in.ResourceARN)
}
