package ecs

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// UpdateService changes a service. What belongs to its revision makes a new
// deployment, and so does forceNewDeployment; a desired count does not.
func (s *Service) UpdateService(ctx context.Context, in *ecsapi.UpdateServiceInput) (*ecsapi.UpdateServiceOutput, error) {
	sc := awsapi.CallerOf(ctx).Scope
	if len(in.PlacementConstraints) > 0 || len(in.PlacementStrategy) > 0 {
		return nil, errPlacement()
	}
	if err := checkServiceSupported(in.ServiceConnectConfiguration, in.VolumeConfigurations, in.VpcLatticeConfigurations); err != nil {
		return nil, err
	}
	var out ServiceRow
	err := s.store.Update(func(tx *store.Tx) error {
		c, row, err := service(tx, sc, in.Cluster, in.Service)
		if err != nil {
			return err
		}
		if row.Status != active {
			return errServiceNotActive()
		}
		if err := applySettings(&row, in); err != nil {
			return err
		}
		rev, changed := applyRevision(row.Deployments[0].Revision, in)
		if changed {
			if rev, err = completeRevision(tx, c, rev); err != nil {
				return err
			}
		}
		if err := checkShift(tx, row.Configuration, rev); err != nil {
			return err
		}
		if value(in.ForceNewDeployment) || changed && !reflect.DeepEqual(rev, row.Deployments[0].Revision) {
			now := time.Now().UTC()
			forgetOld(tx, row, now)
			row.begin(tx, rev, now)
		}
		row.SteadyAnnounced = false
		out = row
		Services.Put(tx, row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecsapi.UpdateServiceOutput{Service: describeService(s.store.Snapshot(), out, true)}, nil
}

func applySettings(row *ServiceRow, in *ecsapi.UpdateServiceInput) (err error) {
	if n := in.DesiredCount; n != nil {
		if *n < 0 {
			return errInvalid("desiredCount cannot be negative.")
		}
		row.DesiredCount = int(*n)
	}
	if in.DeploymentConfiguration != nil {
		merged := *in.DeploymentConfiguration
		merged.MinimumHealthyPercent = orDefault(merged.MinimumHealthyPercent, *row.Configuration.MinimumHealthyPercent)
		merged.MaximumPercent = orDefault(merged.MaximumPercent, *row.Configuration.MaximumPercent)
		if merged.DeploymentCircuitBreaker == nil {
			merged.DeploymentCircuitBreaker = row.Configuration.DeploymentCircuitBreaker
		}
		if before := row.Configuration; merged.Strategy == "" || merged.Strategy == before.Strategy {
			merged.Strategy = before.Strategy
			merged.BakeTimeInMinutes = cmp.Or(merged.BakeTimeInMinutes, before.BakeTimeInMinutes)
			merged.LinearConfiguration = cmp.Or(merged.LinearConfiguration, before.LinearConfiguration)
			merged.CanaryConfiguration = cmp.Or(merged.CanaryConfiguration, before.CanaryConfiguration)
		}
		if row.Configuration, err = deploymentConfiguration(&merged); err != nil {
			return err
		}
	}
	if in.HealthCheckGracePeriodSeconds != nil {
		row.GracePeriod = in.HealthCheckGracePeriodSeconds
	}
	if in.EnableExecuteCommand != nil {
		row.ExecEnabled = *in.EnableExecuteCommand
	}
	if in.EnableECSManagedTags != nil {
		row.ManagedTags = *in.EnableECSManagedTags
	}
	if in.PropagateTags != "" {
		row.PropagateTags = in.PropagateTags
	}
	if in.AvailabilityZoneRebalancing != "" {
		row.ZoneRebalancing = in.AvailabilityZoneRebalancing
	}
	return checkRebalancing(*row)
}

// applyRevision overlays what the request names; changed says whether it
// names anything.
func applyRevision(rev Revision, in *ecsapi.UpdateServiceInput) (_ Revision, changed bool) {
	if in.TaskDefinition != nil {
		rev.TaskDefinition, changed = *in.TaskDefinition, true
	}
	if in.CapacityProviderStrategy != nil {
		rev.Strategy, rev.LaunchType, changed = in.CapacityProviderStrategy, "", true
	}
	if in.NetworkConfiguration != nil {
		rev.Network, changed = in.NetworkConfiguration, true
	}
	if in.PlatformVersion != nil {
		rev.PlatformVersion, changed = *in.PlatformVersion, true
	}
	if in.LoadBalancers != nil {
		rev.LoadBalancers, changed = slices.Concat(in.LoadBalancers), true // none is nil
	}
	if in.ServiceRegistries != nil {
		rev.Registries, changed = slices.Concat(in.ServiceRegistries), true
	}
	if in.ServiceConnectConfiguration != nil {
		rev.ServiceConnect, changed = in.ServiceConnectConfiguration, true
	}
	return rev, changed
}
