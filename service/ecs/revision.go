package ecs

import (
	"slices"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/elbv2"
)

// completeRevision resolves the names in a revision, fills in defaults, and
// refuses what no task could be started from.
func completeRevision(tx *store.Tx, c Cluster, rev Revision) (Revision, error) {
	if rev.TaskDefinition == "" {
		return rev, errInvalid("TaskDefinition can not be blank.")
	}
	d, err := activeDefinition(tx, c.Scope, rev.TaskDefinition)
	if err != nil {
		return rev, err
	}
	rev.TaskDefinition = d.ARN()
	if rev.LaunchType, rev.Strategy, err = capacity(c, rev.LaunchType, rev.Strategy); err != nil {
		return rev, err
	}
	if rev.PlatformVersion == "" {
		rev.PlatformVersion = "LATEST"
	}
	if err := checkNetwork(tx, c.Scope, rev.Network); err != nil {
		return rev, err
	}
	for _, lb := range rev.LoadBalancers {
		if err := checkBalancer(tx, d, lb); err != nil {
			return rev, err
		}
	}
	for _, r := range rev.Registries {
		if err := checkRegistry(c.Scope, d, r); err != nil {
			return rev, err
		}
	}
	return rev, nil
}

func checkBalancer(r store.Reader, d TaskDefinition, lb ecsapi.LoadBalancer) error {
	if lb.TargetGroupArn == nil {
		return errInvalid("targetGroupArn must be specified: classic load balancers are not supported on Fargate.")
	}
	group, err := elbv2.TargetGroups.Get(r, *lb.TargetGroupArn)
	if err != nil {
		return errInvalid("Unable to assume role and validate the specified targetGroupArn. Please verify that the ECS service role being passed has the proper permissions.")
	}
	if group.TargetType != "ip" {
		return errInvalid("The provided target group %s has target type %s, which is incompatible with the awsvpc network mode specified in the task definition.",
			*lb.TargetGroupArn, group.TargetType)
	}
	if !elbv2.Attached(r, *lb.TargetGroupArn) {
		return errInvalid("The target group with targetGroupArn %s does not have an associated load balancer.", *lb.TargetGroupArn)
	}
	return checkPort(d, value(lb.ContainerName), value(lb.ContainerPort))
}

func checkPort(d TaskDefinition, container string, port int32) error {
	i := slices.IndexFunc(d.Spec.ContainerDefinitions, func(c ecsapi.ContainerDefinition) bool { return *c.Name == container })
	if i < 0 {
		return errInvalid("The container %s does not exist in the task definition.", container)
	}
	if !slices.ContainsFunc(d.Spec.ContainerDefinitions[i].PortMappings, func(p ecsapi.PortMapping) bool { return value(p.ContainerPort) == port }) {
		return errInvalid("The container %s did not have a container port %d defined.", container, port)
	}
	return nil
}

// checkRegistry refuses a service registry whose ARN is none, or whose
// container has no such port.
func checkRegistry(sc arn.Scope, d TaskDefinition, r ecsapi.ServiceRegistry) error {
	a, err := arn.Parse(value(r.RegistryArn))
	if err != nil || a.Service != "servicediscovery" {
		return errInvalid("Invalid service registry ARN: %s", value(r.RegistryArn))
	}
	if a.Scope() != sc {
		return errInvalid("The service registry %s is not in this account and region.", value(r.RegistryArn))
	}
	if r.ContainerName == nil {
		return nil
	}
	return checkPort(d, *r.ContainerName, value(r.ContainerPort))
}
