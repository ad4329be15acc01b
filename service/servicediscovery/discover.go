package servicediscovery

import (
	"context"
	"math/rand/v2"
	"strings"

	api "github.com/slipway-dev/slipway/api/servicediscoveryapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// DiscoverInstances finds the instances of a service by name. All of
// QueryParameters must match an instance's attributes; OptionalParameters
// narrow the answer when they match any. Healthy instances are answered, and
// all when none is healthy, unless HealthStatus asks otherwise.
func (s *Service) DiscoverInstances(ctx context.Context, in *api.DiscoverInstancesInput) (*api.DiscoverInstancesOutput, error) {
	snap := s.store.Snapshot()
	n, r, err := byName(ctx, snap, *in.NamespaceName, *in.ServiceName, in.OwnerAccount)
	if err != nil {
		return nil, err
	}
	var all []Instance
	for i := range Instances.List(snap, r.Scope.Key("instance", r.ID, "")) {
		if carries(i, in.QueryParameters) {
			all = append(all, i)
		}
	}
	all = byHealth(r, all, in.HealthStatus)
	if best := keep(all, func(i Instance) bool { return carries(i, in.OptionalParameters) }); len(best) > 0 {
		all = best
	}
	rand.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
	limit := 100
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	out := &api.DiscoverInstancesOutput{Instances: []api.HttpInstanceSummary{}, InstancesRevision: &r.Revision}
	for _, i := range all[:min(limit, len(all))] {
		out.Instances = append(out.Instances, api.HttpInstanceSummary{
			InstanceId: &i.ID, NamespaceName: &n.Name, ServiceName: &r.Name, HealthStatus: healthOf(r, i), Attributes: i.Attributes,
		})
	}
	return out, nil
}

// DiscoverInstancesRevision answers a number that grows when instances change.
func (s *Service) DiscoverInstancesRevision(ctx context.Context, in *api.DiscoverInstancesRevisionInput) (*api.DiscoverInstancesRevisionOutput, error) {
	_, r, err := byName(ctx, s.store.Snapshot(), *in.NamespaceName, *in.ServiceName, in.OwnerAccount)
	return &api.DiscoverInstancesRevisionOutput{InstancesRevision: &r.Revision}, err
}

// byName finds a service by its name and its namespace's. Namespaces are not
// shared between accounts here, so that those of another owner are not found.
func byName(ctx context.Context, r store.Reader, namespaceName, service string, owner *string) (n Namespace, g Registry, err error) {
	sc := scope(ctx)
	if owner != nil && *owner != sc.Account {
		return n, g, noNamespace(namespaceName)
	}
	n, g, found := named(r, sc, namespaceName, service)
	switch {
	case !found:
		return n, g, noNamespace(namespaceName)
	case g.ID == "":
		return n, g, noService(service)
	}
	return n, g, nil
}

// named finds a service by its name and its namespace's: in the first namespace
// of this name that has it, since several VPCs may have the same. Without such a
// service the Registry is zero; found is about the namespace.
func named(r store.Reader, sc arn.Scope, namespaceName, service string) (n Namespace, g Registry, found bool) {
	for n := range Namespaces.By(r, "name", sc.Key(strings.ToLower(namespaceName))) {
		found = true
		for g := range Services.By(r, "namespace", n.ID) {
			if strings.EqualFold(g.Name, service) {
				return n, g, true
			}
		}
	}
	return n, g, found
}

func carries(i Instance, want map[string]string) bool {
	for k, v := range want {
		if i.Attributes[k] != v {
			return false
		}
	}
	return true
}

func byHealth(r Registry, all []Instance, want api.HealthStatusFilter) []Instance {
	sick := func(i Instance) bool { return r.Custom && i.Unhealthy }
	switch want {
	case api.HealthStatusFilterAll:
		return all
	case api.HealthStatusFilterUnhealthy:
		return keep(all, sick)
	case api.HealthStatusFilterHealthy:
		return keep(all, func(i Instance) bool { return !sick(i) })
	}
	if well := keep(all, func(i Instance) bool { return !sick(i) }); len(well) > 0 {
		return well
	}
	return all
}

func keep(all []Instance, ok func(Instance) bool) []Instance {
	var out []Instance
	for _, i := range all {
		if ok(i) {
			out = append(out, i)
		}
	}
	return out
}
