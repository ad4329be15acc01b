package appmesh

import (
	"context"
	"errors"
	"strings"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// retagged is have with tags added.
func retagged(ctx context.Context, have map[string]string, tags []api.TagRef) (map[string]string, error) {
	out, err := tagset.Added(ctx, have, tags)
	switch {
	case errors.Is(err, tagset.ErrReserved):
		return nil, invalid("Tag keys that start with 'aws:' are reserved for AWS use.")
	case err != nil:
		return nil, awsapi.Errorf("TooManyTagsException", 400, "A resource can have at most %d tags.", tagset.Most)
	}
	return out, nil
}

// tagged is a resource of any kind, as the tag operations see it.
type tagged struct {
	tags map[string]string
	put  func(tx *store.Tx, tags map[string]string)
}

// lookUp reads a resource of one kind by its ARN.
func (k *kind[S]) lookUp(r store.Reader, want Resource[S]) (tagged, error) {
	have, err := k.find(r, want)
	return tagged{have.Tags, func(tx *store.Tx, tags map[string]string) {
		have.Tags = tags
		k.table.Put(tx, have)
	}}, err
}

// byARN reads the resource that an ARN names.
func byARN(ctx context.Context, r store.Reader, name string) (tagged, error) {
	a, err := arn.Parse(name)
	if err != nil || a.Service != "appmesh" {
		return tagged{}, invalid("%s is not the ARN of an App Mesh resource.", name)
	}
	sc := scope(ctx)
	if a.Scope() != sc {
		return tagged{}, notFound("Resource %s is not present for account %s", name, sc.Account)
	}
	parts := strings.Split(a.Resource, "/")
	at := func(i int) string {
		if i < len(parts) {
			return parts[i]
		}
		return ""
	}
	switch shape := at(0) + " " + at(2) + " " + at(4); {
	case shape == "mesh  " && len(parts) == 2:
		return meshes.lookUp(r, Mesh{Scope: sc, Mesh: at(1)})
	case shape == "mesh virtualNode " && len(parts) == 4:
		return nodes.lookUp(r, VirtualNode{Scope: sc, Mesh: at(1), Name: at(3)})
	case shape == "mesh virtualService " && len(parts) == 4:
		return services.lookUp(r, VirtualService{Scope: sc, Mesh: at(1), Name: at(3)})
	case shape == "mesh virtualRouter " && len(parts) == 4:
		return routers.lookUp(r, VirtualRouter{Scope: sc, Mesh: at(1), Name: at(3)})
	case shape == "mesh virtualRouter route" && len(parts) == 6:
		return routes.lookUp(r, Route{Scope: sc, Mesh: at(1), Parent: at(3), Name: at(5)})
	case shape == "mesh virtualGateway " && len(parts) == 4:
		return gateways.lookUp(r, VirtualGateway{Scope: sc, Mesh: at(1), Name: at(3)})
	case shape == "mesh virtualGateway gatewayRoute" && len(parts) == 6:
		return gatewayRoutes.lookUp(r, GatewayRoute{Scope: sc, Mesh: at(1), Parent: at(3), Name: at(5)})
	}
	return tagged{}, invalid("%s is not the ARN of an App Mesh resource.", name)
}

// retag puts what fn makes of a resource's tags.
func (s *Service) retag(ctx context.Context, name string, fn func(map[string]string) (map[string]string, error)) error {
	return s.store.Update(func(tx *store.Tx) error {
		have, err := byARN(ctx, tx, name)
		if err != nil {
			return err
		}
		tags, err := fn(have.tags)
		if err == nil {
			have.put(tx, tags)
		}
		return err
	})
}

// TagResource adds tags to a resource.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return nil, s.retag(ctx, *in.ResourceArn, func(have map[string]string) (map[string]string, error) {
		return retagged(ctx, have, in.Tags)
	})
}

// UntagResource removes tags from a resource.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return nil, s.retag(ctx, *in.ResourceArn, func(have map[string]string) (map[string]string, error) {
		return tagset.Without(have, in.TagKeys...), nil
	})
}

// ListTagsForResource lists a resource's tags by page.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	have, err := byARN(ctx, s.store.Snapshot(), *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	page, next, err := awsapi.Page(tagset.List[api.TagRef](have.tags), func(t api.TagRef) string { return *t.Key }, in.NextToken, int(value(in.Limit)), tagset.Most)
	return &api.ListTagsForResourceOutput{Tags: page, NextToken: next}, err
}
