package ecs

import (
	"context"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// fargateProviders exist without being created.
var fargateProviders = []string{"FARGATE", "FARGATE_SPOT"}

func checkProviders(names []string, strategy []ecsapi.CapacityProviderStrategyItem) error {
	for _, n := range names {
		if !slices.Contains(fargateProviders, n) {
			return errInvalid("The specified capacity provider '%s' was not found. Specify a valid name or ARN and try again.", n)
		}
	}
	return checkStrategy(strategy, names)
}

// checkStrategy holds a strategy against the providers of its cluster.
func checkStrategy(strategy []ecsapi.CapacityProviderStrategyItem, providers []string) error {
	bases, weights := 0, 0
	for _, i := range strategy {
		if !slices.Contains(providers, value(i.CapacityProvider)) {
			return errInvalid("The capacity provider %s was not found in the cluster. Associate it with the cluster and try again.", value(i.CapacityProvider))
		}
		if value(i.Base) > 0 {
			bases++
		}
		weights += int(value(i.Weight))
	}
	switch {
	case bases > 1:
		return errInvalid("Only one capacity provider in a capacity provider strategy can have a base value defined.")
	case len(strategy) > 1 && weights == 0:
		return errInvalid("At least one capacity provider in a capacity provider strategy must have a weight greater than 0.")
	}
	return nil
}

// PutClusterCapacityProviders replaces the cluster's providers and its
// default strategy.
func (s *Service) PutClusterCapacityProviders(ctx context.Context, in *ecsapi.PutClusterCapacityProvidersInput) (*ecsapi.PutClusterCapacityProvidersOutput, error) {
	if err := checkProviders(in.CapacityProviders, in.DefaultCapacityProviderStrategy); err != nil {
		return nil, err
	}
	c, err := s.changeCluster(ctx, in.Cluster, func(c *Cluster) error {
		for _, p := range c.CapacityProviders {
			if !slices.Contains(in.CapacityProviders, p) && s.providerInUse(*c, p) {
				return awsapi.Errorf("ResourceInUseException", 400, "The specified capacity provider is in use and cannot be removed.")
			}
		}
		c.CapacityProviders, c.DefaultStrategy = in.CapacityProviders, in.DefaultCapacityProviderStrategy
		return nil
	})
	return &ecsapi.PutClusterCapacityProvidersOutput{Cluster: c}, err
}

// providerInUse says whether an active service's strategy names the provider.
func (s *Service) providerInUse(c Cluster, provider string) bool {
	for svc := range Services.List(s.store.Snapshot(), c.Key(c.Name, "")) {
		if svc.Status == inactive {
			continue
		}
		for _, d := range svc.Deployments {
			for _, i := range d.Strategy {
				if value(i.CapacityProvider) == provider {
					return true
				}
			}
		}
	}
	return false
}

// DescribeCapacityProviders answers the two that Fargate has.
func (s *Service) DescribeCapacityProviders(ctx context.Context, in *ecsapi.DescribeCapacityProvidersInput) (*ecsapi.DescribeCapacityProvidersOutput, error) {
	sc := awsapi.CallerOf(ctx).Scope
	names := in.CapacityProviders
	if len(names) == 0 {
		names = fargateProviders
	}
	out := &ecsapi.DescribeCapacityProvidersOutput{CapacityProviders: []ecsapi.CapacityProvider{}, Failures: []ecsapi.Failure{}}
	for _, n := range names {
		n = n[strings.LastIndexByte(n, '/')+1:]
		a := sc.ARN("ecs", "capacity-provider/"+n)
		if !slices.Contains(fargateProviders, n) {
			out.Failures = append(out.Failures, missing(a))
			continue
		}
		out.CapacityProviders = append(out.CapacityProviders, ecsapi.CapacityProvider{CapacityProviderArn: &a, Name: &n, Status: active, Tags: []ecsapi.Tag{}})
	}
	return out, nil
}

// capacity decides between launch type and strategy: what the request names,
// else the cluster's default strategy, else FARGATE.
func capacity(c Cluster, launch ecsapi.LaunchType, strategy []ecsapi.CapacityProviderStrategyItem) (ecsapi.LaunchType, []ecsapi.CapacityProviderStrategyItem, error) {
	switch {
	case launch != "" && len(strategy) > 0:
		return "", nil, errInvalid("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
	case launch != "" && launch != "FARGATE":
		return "", nil, errInvalid("No Container Instances were found in your cluster: launch type %s is not available here, use FARGATE.", launch)
	case launch != "":
		return launch, nil, nil
	case len(strategy) == 0 && len(c.DefaultStrategy) == 0:
		return "FARGATE", nil, nil
	case len(strategy) == 0:
		strategy = c.DefaultStrategy
	}
	if err := checkStrategy(strategy, c.CapacityProviders); err != nil {
		return "", nil, err
	}
	return "", strategy, nil
}
