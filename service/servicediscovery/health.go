package servicediscovery

import (
	"context"
	"slices"

	api "github.com/slipway-dev/slipway/api/servicediscoveryapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// instances is one page of a service's instances, all or those with the ids.
func (s *Service) instances(ctx context.Context, service string, ids []string, token *string, max *int32) ([]Instance, Registry, *string, error) {
	snap := s.store.Snapshot()
	r, err := registry(ctx, snap, service)
	if err != nil {
		return nil, r, nil, err
	}
	var all []Instance
	for i := range Instances.List(snap, r.Scope.Key("instance", r.ID, "")) {
		if len(ids) == 0 || slices.Contains(ids, i.ID) {
			all = append(all, i)
		}
	}
	found, next, err := page(all, Instances.Key, token, max)
	return found, r, next, err
}

// healthOf is the health of an instance as the API tells it.
func healthOf(r Registry, i Instance) api.HealthStatus {
	switch {
	case !r.Custom:
		return api.HealthStatusUnknown
	case i.Unhealthy:
		return api.HealthStatusUnhealthy
	}
	return api.HealthStatusHealthy
}

// GetInstancesHealthStatus tells the health of a service's instances.
func (s *Service) GetInstancesHealthStatus(ctx context.Context, in *api.GetInstancesHealthStatusInput) (*api.GetInstancesHealthStatusOutput, error) {
	found, r, next, err := s.instances(ctx, *in.ServiceId, in.Instances, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &api.GetInstancesHealthStatusOutput{Status: map[string]api.HealthStatus{}, NextToken: next}
	for _, i := range found {
		out.Status[i.ID] = healthOf(r, i)
	}
	for _, id := range in.Instances {
		if _, ok := out.Status[id]; !ok {
			return nil, noInstance(id)
		}
	}
	return out, nil
}

// UpdateInstanceCustomHealthStatus tells Cloud Map how an instance is.
func (s *Service) UpdateInstanceCustomHealthStatus(ctx context.Context, in *api.UpdateInstanceCustomHealthStatusInput) (*api.UpdateInstanceCustomHealthStatusOutput, error) {
	return nil, s.store.Update(func(tx *store.Tx) error {
		if _, err := registry(ctx, tx, *in.ServiceId); err != nil {
			return err
		}
		return SetHealth(tx, *in.ServiceId, *in.InstanceId, in.Status == api.CustomHealthStatusHealthy)
	})
}
