package ecs

import (
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/store"
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
		out.Tags = tagList(row.Tags)
	}
	counts := map[string]*taskCounts{}
	for t := range Tasks.By(r, "service", row.Key(row.Cluster, row.Name)) {
		c := counts[t.Deployment]
		if c == nil {
			c = &taskCounts{}
			counts[t.Deployment] = c
		}
		c.add(r, t)
	}
	for _, c := range counts {
		*out.RunningCount += c.running
		*out.PendingCount += c.pending
	}
	for i, d := range row.Deployments {
		c := counts[d.ID]
		if c == nil {
			c = &taskCounts{}
		}
		out.Deployments = append(out.Deployments, describeDeployment(row, d, i == 0, *c))
	}
	if len(row.Deployments) > 0 {
		d := row.Deployments[0]
		out.TaskDefinition, out.LaunchType, out.CapacityProviderStrategy = &d.TaskDefinition, d.LaunchType, d.Strategy
		out.NetworkConfiguration, out.LoadBalancers, out.ServiceRegistries = d.Network, orEmpty(d.LoadBalancers), orEmpty(d.Registries)
		out.PlatformVersion, out.PlatformFamily = &d.PlatformVersion, new("Linux")
	}
	if log, err := events.Get(r, row.Key(row.Cluster, row.Name)); err == nil {
		for _, e := range log.Events {
			out.Events = append(out.Events, ecsapi.ServiceEvent{Id: &e.ID, CreatedAt: &e.At, Message: &e.Text})
		}
	}
	return out
}

type taskCounts struct{ running, pending int32 }

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
		RolloutState: d.RolloutState, RolloutStateReason: &d.Reason, ServiceConnectConfiguration: d.ServiceConnect,
	}
	if primary {
		out.Status, out.DesiredCount = new("PRIMARY"), new(int32(row.DesiredCount))
	}
	return out
}
