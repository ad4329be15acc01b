package servicediscovery

import (
	"context"
	"maps"

	api "github.com/slipway-dev/slipway/api/servicediscoveryapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

const attributesMost = 30

// GetServiceAttributes tells the attributes of a service itself.
func (s *Service) GetServiceAttributes(ctx context.Context, in *api.GetServiceAttributesInput) (*api.GetServiceAttributesOutput, error) {
	g, err := registry(ctx, s.store.Snapshot(), *in.ServiceId)
	if err != nil {
		return nil, err
	}
	return &api.GetServiceAttributesOutput{ServiceAttributes: &api.ServiceAttributes{
		ServiceArn: new(g.ARN()), ResourceOwner: &g.Scope.Account, Attributes: g.Attributes,
	}}, nil
}

// UpdateServiceAttributes adds attributes or changes their values.
func (s *Service) UpdateServiceAttributes(ctx context.Context, in *api.UpdateServiceAttributesInput) (*api.UpdateServiceAttributesOutput, error) {
	return nil, s.changeAttributes(ctx, *in.ServiceId, func(have map[string]string) { maps.Copy(have, in.Attributes) })
}

// DeleteServiceAttributes removes attributes.
func (s *Service) DeleteServiceAttributes(ctx context.Context, in *api.DeleteServiceAttributesInput) (*api.DeleteServiceAttributesOutput, error) {
	return nil, s.changeAttributes(ctx, *in.ServiceId, func(have map[string]string) {
		for _, k := range in.Attributes {
			delete(have, k)
		}
	})
}

func (s *Service) changeAttributes(ctx context.Context, service string, fn func(map[string]string)) error {
	return s.store.Update(func(tx *store.Tx) error {
		g, err := registry(ctx, tx, service)
		if err != nil {
			return err
		}
		after := maps.Clone(g.Attributes)
		if after == nil {
			after = map[string]string{}
		}
		fn(after)
		if len(after) > attributesMost {
			return awsapi.Errorf("ServiceAttributesLimitExceededException", 400, "A service can have at most %d attributes.", attributesMost)
		}
		g.Attributes = after
		Services.Put(tx, g)
		return nil
	})
}
