package appmesh

import (
	"context"
	"maps"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

const tagsMost = 50

// tagMap is have with tags added. Keys that begin with aws: are for
// CloudFormation alone, and do not count.
func tagMap(ctx context.Context, have map[string]string, tags []api.TagRef) (map[string]string, error) {
	_, stack := cfn.From(ctx)
	out := maps.Clone(have)
	if out == nil {
		out = map[string]string{}
	}
	for _, t := range tags {
		if !stack && strings.HasPrefix(*t.Key, "aws:") {
			return nil, invalid("Tag keys that start with 'aws:' are reserved for AWS use.")
		}
		out[*t.Key] = *t.Value
	}
	n := 0
	for k := range out {
		if !strings.HasPrefix(k, "aws:") {
			n++
		}
	}
	if n > tagsMost {
		return nil, awsapi.Errorf("TooManyTagsException", 400, "A resource can have at most %d tags.", tagsMost)
	}
	return out, nil
}

func tagList(tags map[string]string) []api.TagRef {
	out := []api.TagRef{}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.TagRef{Key: &k, Value: new(tags[k])})
	}
	return out
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
		return tagMap(ctx, have, in.Tags)
	})
}

// UntagResource removes tags from a resource.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return nil, s.retag(ctx, *in.ResourceArn, func(have map[string]string) (map[string]string, error) {
		left := maps.Clone(have)
		for _, k := range in.TagKeys {
			delete(left, k)
		}
		return left, nil
	})
}

// ListTagsForResource lists a resource's tags by page.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	have, err := byARN(ctx, s.store.Snapshot(), *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	page, next, err := awsapi.Page(tagList(have.tags), func(t api.TagRef) string { return *t.Key }, in.NextToken, int(value(in.Limit)), tagsMost)
	return &api.ListTagsForResourceOutput{Tags: page, NextToken: next}, err
}
