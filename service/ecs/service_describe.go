package ecs

import (
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// describeService is the API's view of a service.
func describeService(r store.Reader, row ServiceRow, tags bool) *ecsapi.Service {
	out := &ecsapi.Service{
		ServiceArn: new(row.ARN()), ServiceName: &row.Name, ClusterArn: new(row.Scope.ARN("ecs", "cluster/"+row.Cluster)),
		Status: &row.Status, DesiredCount: new(int32(row.DesiredCount)), RunningCount: new(int32(0)), PendingCount: new(int32(0)),
		DeploymentConfiguration: &row.Configuration, CreatedAt: &row.CreatedAt, CreatedBy: &row.CreatedBy,
		SchedulingStrategy: "REPLICA", DeploymentController: &ecsapi.DeploymentController{Type: "ECS"},
		EnableECSManagedTags: &row.ManagedTags, PropagateTags: row.PropagateTags, EnableExecuteCommand: &row.ExecEnabled,
		AvailabilityZoneRebalancing: row.ZoneRebalancing, HealthCheckGracePeriodSeconds: row.GracePeriod,
		PlacementConstraints: []ecsapi.PlacementConstraint{}, PlacementStrategy: []ecsapi.PlacementStrategy{},
		Deployments: []ecsapi.Deployment{}, Events: []ecsapi.ServiceEvent{}, LoadBalancers: []ecsapi.LoadBalancer{}, ServiceRegistries: []ecsapi.ServiceRegistry{},
		RoleArn: new(row.GlobalARN("iam", "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS")),
	}
	if tags {
		out.Tags = tagset.List[ecsapi.Tag](row.Tags)
	}
	counts := deploymentCounts(r, row)
	for _, c := range counts {
		*out.RunningCount += c.running
		*out.PendingCount += c.pending
	}
	for i, d := range row.Deployments {
		out.Deployments = append(out.Deployments, describeDeployment(row, d, i == 0, counts[d.ID]))
	}
	if len(row.Deployments) > 0 {
		describeRevisions(r, row, out)
		d := row.Deployments[0]
		out.TaskDefinition, out.LaunchType, out.CapacityProviderStrategy = &d.TaskDefinition, d.LaunchType, d.Strategy
		out.NetworkConfiguration, out.LoadBalancers, out.ServiceRegistries = d.Network, orEmpty(d.LoadBalancers), orEmpty(d.Registries)
		out.PlatformVersion, out.PlatformFamily = &d.PlatformVersion, new("Linux")
	}
	for _, e := range eventsOf(r, row) {
		out.Events = append(out.Events, ecsapi.ServiceEvent{Id: new(eventID(row, e.N)), CreatedAt: &e.At, Message: &e.Text})
	}
	return out
}

// describeRevisions adds the service deployment in progress and the revisions
// that have tasks.
func describeRevisions(r store.Reader, row ServiceRow, out *ecsapi.Service) {
	rec, err := ServiceDeployments.Get(r, row.Key(row.Cluster, row.Name, row.Deployments[0].Record))
	if err == nil && !rec.over() {
		out.CurrentServiceDeployment = new(rec.ARN())
	}
	counts := revisionCounts(r, row)
	out.CurrentServiceRevisions = []ecsapi.ServiceCurrentRevisionSummary{}
	seen := map[string]bool{"": true}
	for _, d := range row.Deployments {
		if c := counts[d.RevisionID]; !seen[d.RevisionID] {
			seen[d.RevisionID] = true
			out.CurrentServiceRevisions = append(out.CurrentServiceRevisions, ecsapi.ServiceCurrentRevisionSummary{
				Arn: new(revisionARN(row.Scope, row.Cluster, row.Name, d.RevisionID)), RequestedTaskCount: &c.requested, RunningTaskCount: &c.running, PendingTaskCount: &c.pending,
			})
		}
	}
}

// taskCounts counts the tasks of a deployment or revision.
type taskCounts struct{ requested, running, pending int32 }

// deploymentCounts counts a service's tasks by deployment id.
func deploymentCounts(r store.Reader, row ServiceRow) map[string]taskCounts {
	counts := map[string]taskCounts{}
	for t := range Tasks.By(r, "service", row.Key(row.Cluster, row.Name)) {
		c := counts[t.Deployment]
		c.add(r, t)
		counts[t.Deployment] = c
	}
	return counts
}

// revisionCounts counts a service's tasks by revision id. The primary
// deployment's revision is asked to have all that the service desires.
func revisionCounts(r store.Reader, row ServiceRow) map[string]taskCounts {
	byDeployment, out := deploymentCounts(r, row), map[string]taskCounts{}
	for i, d := range row.Deployments {
		c, more := out[d.RevisionID], byDeployment[d.ID]
		c.running, c.pending = c.running+more.running, c.pending+more.pending
		c.requested = c.running + c.pending
		if i == 0 {
			c.requested = int32(row.DesiredCount)
		}
		out[d.RevisionID] = c
	}
	return out
}

func (c *taskCounts) add(r store.Reader, t Task) {
	switch lastStatus(r, t) {
	case "RUNNING", "DEACTIVATING", "STOPPING":
		if t.DesiredStatus == "RUNNING" {
			c.running++
		}
	case "PROVISIONING", "PENDING", "ACTIVATING":
		if t.DesiredStatus == "RUNNING" {
			c.pending++
		}
	}
}

func describeDeployment(row ServiceRow, d Deployment, primary bool, c taskCounts) ecsapi.Deployment {
	out := ecsapi.Deployment{
		Id: &d.ID, Status: new("ACTIVE"), TaskDefinition: &d.TaskDefinition, DesiredCount: new(int32(0)),
		RunningCount: &c.running, PendingCount: &c.pending, FailedTasks: new(int32(d.FailedTasks)),
		CreatedAt: &d.CreatedAt, UpdatedAt: &d.UpdatedAt, CapacityProviderStrategy: d.Strategy, LaunchType: d.LaunchType,
		PlatformVersion: &d.PlatformVersion, PlatformFamily: new("Linux"), NetworkConfiguration: d.Network,
		RolloutState: ecsapi.DeploymentRolloutState(d.RolloutState), RolloutStateReason: &d.Reason, ServiceConnectConfiguration: d.ServiceConnect,
	}
	if primary {
		out.Status, out.DesiredCount = new("PRIMARY"), new(int32(row.DesiredCount))
	}
	return out
}
