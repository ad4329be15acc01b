package ecs

import (
	"context"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// associationsProperties are those of AWS::ECS::ClusterCapacityProviderAssociations.
type associationsProperties struct {
	Cluster                         string `cfn:"id,createOnly,required"`
	CapacityProviders               []string
	DefaultCapacityProviderStrategy []ecsapi.CapacityProviderStrategyItem `cfn:"required"`
}

type associationsResource struct{ *Service }

func (r associationsResource) put(ctx context.Context, p *associationsProperties) error {
	_, err := r.PutClusterCapacityProviders(ctx, &ecsapi.PutClusterCapacityProvidersInput{
		Cluster: &p.Cluster, CapacityProviders: p.CapacityProviders, DefaultCapacityProviderStrategy: p.DefaultCapacityProviderStrategy,
	})
	return err
}

func (r associationsResource) Create(ctx context.Context, p *associationsProperties) error {
	return r.put(ctx, p)
}

func (r associationsResource) Update(ctx context.Context, _, after *associationsProperties) error {
	return r.put(ctx, after)
}

func (r associationsResource) Read(ctx context.Context, p *associationsProperties) error {
	c, err := cluster(r.store.Snapshot(), awsapi.CallerOf(ctx).Scope, &p.Cluster)
	if err != nil {
		return store.ErrNotFound
	}
	p.CapacityProviders, p.DefaultCapacityProviderStrategy = c.CapacityProviders, c.DefaultStrategy
	return nil
}

func (r associationsResource) Delete(ctx context.Context, p *associationsProperties) error {
	return gone(r.put(ctx, &associationsProperties{Cluster: p.Cluster}))
}
