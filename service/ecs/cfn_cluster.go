package ecs

import (
	"context"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// clusterProperties are those of AWS::ECS::Cluster.
type clusterProperties struct {
	ClusterName                     string `cfn:"id,createOnly"`
	CapacityProviders               []string
	ClusterSettings                 []ecsapi.ClusterSetting
	Configuration                   *ecsapi.ClusterConfiguration
	DefaultCapacityProviderStrategy []ecsapi.CapacityProviderStrategyItem
	ServiceConnectDefaults          *ecsapi.ClusterServiceConnectDefaultsRequest
	Tags                            []cfn.Tag
	Arn                             string `cfn:"readOnly"`
}

type clusterResource struct{ *Service }

func (r clusterResource) Create(ctx context.Context, p *clusterProperties) error {
	req, _ := cfn.From(ctx)
	if p.ClusterName == "" {
		p.ClusterName = req.Name(255)
	}
	tags := req.AllTags(p.Tags)
	if c, err := cluster(r.store.Snapshot(), awsapi.CallerOf(ctx).Scope, &p.ClusterName); err == nil && !req.Owns(c.Tags) {
		return awsapi.Errorf("AlreadyExists", 400, "Resource of type 'AWS::ECS::Cluster' with identifier '%s' already exists.", p.ClusterName)
	}
	out, err := r.CreateCluster(ctx, &ecsapi.CreateClusterInput{
		ClusterName: &p.ClusterName, CapacityProviders: p.CapacityProviders, Settings: p.ClusterSettings, Configuration: p.Configuration,
		DefaultCapacityProviderStrategy: p.DefaultCapacityProviderStrategy, ServiceConnectDefaults: p.ServiceConnectDefaults, Tags: tagset.List[ecsapi.Tag](tags),
	})
	if err != nil {
		return err
	}
	p.Arn = *out.Cluster.ClusterArn
	return nil
}

func (r clusterResource) Read(ctx context.Context, p *clusterProperties) error {
	c, err := Clusters.Get(r.store.Snapshot(), awsapi.CallerOf(ctx).Key(p.ClusterName))
	if err != nil || c.Status != active {
		return store.ErrNotFound
	}
	p.Arn, p.ClusterSettings, p.Configuration = c.ARN(), c.Settings, c.Configuration
	p.CapacityProviders, p.DefaultCapacityProviderStrategy = c.CapacityProviders, c.DefaultStrategy
	return nil
}

func (r clusterResource) Update(ctx context.Context, before, after *clusterProperties) error {
	req, _ := cfn.From(ctx)
	_, err := r.changeCluster(ctx, &after.ClusterName, func(c *Cluster) error {
		c.Settings, c.Configuration = withInsights(after.ClusterSettings), after.Configuration
		if before.CapacityProviders != nil || after.CapacityProviders != nil {
			c.CapacityProviders, c.DefaultStrategy = after.CapacityProviders, after.DefaultCapacityProviderStrategy
		}
		c.Tags = req.AllTags(after.Tags)
		return nil
	})
	return err
}

func (r clusterResource) Delete(ctx context.Context, p *clusterProperties) error {
	_, err := r.DeleteCluster(ctx, &ecsapi.DeleteClusterInput{Cluster: &p.ClusterName})
	return gone(err)
}

// gone makes an answer of "not found" a success.
func gone(err error) error {
	switch code(err) {
	case "ClusterNotFoundException", "ServiceNotFoundException", "ResourceNotFoundException":
		return nil
	}
	return err
}
