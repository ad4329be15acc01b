package synth

import "github.com/slipway-dev/slipway/manifest"

// cluster renders the ECS cluster and the private DNS namespace. The capacity providers are the cluster's own property: a service refers
// to the cluster, so none can be created before they are associated.
func (r *renderer) cluster() {
	insights := "disabled"
	if r.m.Cluster.Insights {
		insights = "enabled"
	}
	r.add("Cluster", "AWS::ECS::Cluster", Object{
		{"ClusterName", r.names.Cluster()},
		{"ClusterSettings", []Object{{{"Name", "containerInsights"}, {"Value", insights}}}},
		{"CapacityProviders", []string{"FARGATE", "FARGATE_SPOT"}},
		{"DefaultCapacityProviderStrategy", r.strategy()},
	})
	r.add("Namespace", "AWS::ServiceDiscovery::PrivateDnsNamespace", Object{
		{"Name", r.names.Namespace()}, {"Vpc", ref("Vpc")},
	})
}

// strategy divides tasks between spot and on-demand capacity.
func (r *renderer) strategy() []Object {
	var out []Object
	for _, p := range []struct {
		name string
		manifest.Capacity
	}{{"FARGATE_SPOT", r.m.Cluster.Spot}, {"FARGATE", r.m.Cluster.OnDemand}} {
		if p.Weight == 0 && p.Base == 0 {
			continue
		}
		one := Object{{"CapacityProvider", p.name}, {"Weight", p.Weight}}
		if p.Base > 0 {
			one = append(one, Field{"Base", p.Base})
		}
		out = append(out, one)
	}
	return out
}
