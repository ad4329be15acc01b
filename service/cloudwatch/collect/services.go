package collect

import (
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/ecs"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// serviceMetrics counts the tasks and deployments of services, and the tasks
// and services of clusters, where Container Insights is on.
func (b *batch) serviceMetrics(snap *store.Snapshot) {
	type counts struct{ running, pending int }
	tasks, clusters := map[string]counts{}, map[string]counts{}
	for t := range agent.Tasks.List(snap, "") {
		st, err := agent.Statuses.Get(snap, t.ARN)
		n := tasks[t.Scope.Key(t.ClusterName, t.ServiceName)]
		in := clusters[t.Scope.Key(t.ClusterName)]
		switch {
		case err != nil && !t.Stopped, err == nil && (st.LastStatus == agent.Provisioning || st.LastStatus == agent.Pending || st.LastStatus == agent.Activating):
			n.pending++
			in.pending++
		case err == nil && st.LastStatus == agent.Running:
			n.running++
			in.running++
		}
		tasks[t.Scope.Key(t.ClusterName, t.ServiceName)], clusters[t.Scope.Key(t.ClusterName)] = n, in
	}
	services := map[string]int{}
	for r := range ecs.Services.List(snap, "") {
		if r.Status == "INACTIVE" || !insights(snap, r.Scope, r.Cluster) {
			continue
		}
		services[r.Scope.Key(r.Cluster)]++
		g := group{scopeName(r.Scope), insightSpace, []metrics.Dim{{Name: "ClusterName", Value: r.Cluster}, {Name: "ServiceName", Value: r.Name}}}
		n := tasks[ecs.Services.Key(r)]
		b.value(g, "RunningTaskCount", count, float64(n.running))
		b.value(g, "PendingTaskCount", count, float64(n.pending))
		b.value(g, "DesiredTaskCount", count, float64(r.DesiredCount))
		b.value(g, "DeploymentCount", count, float64(len(r.Deployments)))
		b.value(g, "TaskSetCount", count, 0)
	}
	for c := range ecs.Clusters.List(snap, "") {
		if c.Status == "INACTIVE" || !insights(snap, c.Scope, c.Name) {
			continue
		}
		g := group{scopeName(c.Scope), insightSpace, []metrics.Dim{{Name: "ClusterName", Value: c.Name}}}
		b.value(g, "TaskCount", count, float64(clusters[ecs.Clusters.Key(c)].running))
		b.value(g, "ServiceCount", count, float64(services[ecs.Clusters.Key(c)]))
		b.value(g, "ContainerInstanceCount", count, 0)
	}
}
