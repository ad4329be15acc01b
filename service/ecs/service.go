package ecs

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// serviceName takes a service's name or ARN.
func serviceName(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

// service finds a service, whatever its status, in an active cluster.
func service(r store.Reader, sc arn.Scope, clusterRef, ref *string) (Cluster, ServiceRow, error) {
	c, err := cluster(r, sc, clusterRef)
	if err != nil {
		return c, ServiceRow{}, err
	}
	row, err := Services.Get(r, sc.Key(c.Name, serviceName(value(ref))))
	if err != nil {
		return c, row, errServiceNotFound()
	}
	return c, row, nil
}

// CreateService makes a service; its loop starts the tasks.
func (s *Service) CreateService(ctx context.Context, in *ecsapi.CreateServiceInput) (*ecsapi.CreateServiceOutput, error) {
	caller := awsapi.CallerOf(ctx)
	if !validName(value(in.ServiceName)) {
		return nil, errInvalid("Invalid service name: %s", value(in.ServiceName))
	}
	row, err := newService(caller, in)
	if err != nil {
		return nil, err
	}
	err = s.store.Update(func(tx *store.Tx) error {
		c, err := cluster(tx, caller.Scope, in.Cluster)
		if err != nil {
			return err
		}
		row.Cluster = c.Name
		if old, err := Services.Get(tx, row.Key(c.Name, row.Name)); err == nil && old.Status != inactive {
			if row.ClientToken != "" && old.ClientToken == row.ClientToken {
				row = old
				return nil
			}
			if old.Status == draining {
				return errInvalid("Unable to Start a service that is still Draining.")
			}
			return errInvalid("Creation of service was not idempotent.")
		}
		rev := revisionOf(in)
		if rev, err = completeRevision(tx, c, rev); err != nil {
			return err
		}
		if err := checkShift(tx, row.Configuration, rev); err != nil {
			return err
		}
		forgetEvents(tx, row)
		forgetHistory(tx, row)
		row.Deployments = nil // the function may run again
		row.begin(tx, rev, row.CreatedAt)
		Services.Put(tx, row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecsapi.CreateServiceOutput{Service: describeService(s.store.Snapshot(), row, true)}, nil
}

// newService fills in ECS's defaults.
func newService(caller awsapi.Caller, in *ecsapi.CreateServiceInput) (ServiceRow, error) {
	row := ServiceRow{
		Scope: caller.Scope, Name: *in.ServiceName, Status: active, DesiredCount: int(value(in.DesiredCount)),
		CreatedAt: time.Now().UTC(), CreatedBy: caller.ARN, ClientToken: value(in.ClientToken),
		GracePeriod: in.HealthCheckGracePeriodSeconds, Controller: "ECS", PropagateTags: in.PropagateTags,
		ManagedTags: value(in.EnableECSManagedTags), ExecEnabled: value(in.EnableExecuteCommand),
		ZoneRebalancing: in.AvailabilityZoneRebalancing, Tags: tagset.Of(in.Tags),
	}
	switch {
	case in.SchedulingStrategy == "DAEMON":
		return row, errInvalid("The scheduling strategy DAEMON is not supported with the FARGATE launch type.")
	case in.DesiredCount == nil:
		return row, errInvalid("desiredCount cannot be empty when using REPLICA scheduling strategy.")
	case *in.DesiredCount < 0:
		return row, errInvalid("desiredCount cannot be negative.")
	case otherController(in.DeploymentController):
		return row, errController(in.DeploymentController)
	case len(in.PlacementConstraints) > 0 || len(in.PlacementStrategy) > 0:
		return row, errPlacement()
	}
	if err := checkServiceSupported(in.ServiceConnectConfiguration, in.VolumeConfigurations, in.VpcLatticeConfigurations); err != nil {
		return row, err
	}
	if row.PropagateTags == "" {
		row.PropagateTags = "NONE"
	}
	var err error
	if row.Configuration, err = deploymentConfiguration(in.DeploymentConfiguration); err != nil {
		return row, err
	}
	if row.ZoneRebalancing == "" { // on, where there is room to start one task first
		row.ZoneRebalancing = "ENABLED"
		if *row.Configuration.MaximumPercent == 100 {
			row.ZoneRebalancing = "DISABLED"
		}
	}
	return row, checkRebalancing(row)
}

// checkRebalancing refuses to even zones where no task may be started first.
func checkRebalancing(row ServiceRow) error {
	if row.ZoneRebalancing == "ENABLED" && *row.Configuration.MaximumPercent <= 100 {
		return errInvalid("availabilityZoneRebalancing cannot be ENABLED with a maximumPercent of 100 or less.")
	}
	return nil
}

func revisionOf(in *ecsapi.CreateServiceInput) Revision {
	return Revision{
		TaskDefinition: value(in.TaskDefinition), LaunchType: in.LaunchType, Strategy: in.CapacityProviderStrategy,
		PlatformVersion: value(in.PlatformVersion), Network: in.NetworkConfiguration,
		LoadBalancers: slices.Concat(in.LoadBalancers), Registries: slices.Concat(in.ServiceRegistries), ServiceConnect: in.ServiceConnectConfiguration,
	}
}

// DeleteService stops a service: it drains, then turns inactive.
func (s *Service) DeleteService(ctx context.Context, in *ecsapi.DeleteServiceInput) (*ecsapi.DeleteServiceOutput, error) {
	sc := awsapi.CallerOf(ctx).Scope
	var out ServiceRow
	err := s.store.Update(func(tx *store.Tx) error {
		_, row, err := service(tx, sc, in.Cluster, in.Service)
		if err != nil {
			return err
		}
		if row.Status == active {
			if row.DesiredCount > 0 && !value(in.Force) {
				return errInvalid("The service cannot be stopped while it is scaled above 0.")
			}
			row.Status, row.DesiredCount = draining, 0
		}
		out = row
		Services.Put(tx, row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecsapi.DeleteServiceOutput{Service: describeService(s.store.Snapshot(), out, true)}, nil
}

// DescribeServices answers up to ten services with their events.
func (s *Service) DescribeServices(ctx context.Context, in *ecsapi.DescribeServicesInput) (*ecsapi.DescribeServicesOutput, error) {
	sc := awsapi.CallerOf(ctx).Scope
	snap := s.store.Snapshot()
	if len(in.Services) == 0 {
		return nil, errInvalid("Services cannot be empty.")
	}
	if len(in.Services) > 10 {
		return nil, errInvalid("Services cannot have more than 10 elements.")
	}
	c, err := Clusters.Get(snap, sc.Key(clusterName(in.Cluster)))
	if err != nil {
		return nil, errClusterNotFound()
	}
	out := &ecsapi.DescribeServicesOutput{Services: []ecsapi.Service{}, Failures: []ecsapi.Failure{}}
	for _, ref := range in.Services {
		row, err := Services.Get(snap, sc.Key(c.Name, serviceName(ref)))
		if err != nil {
			out.Failures = append(out.Failures, missing(sc.ARN("ecs", "service/"+c.Name+"/"+serviceName(ref))))
			continue
		}
		out.Services = append(out.Services, *describeService(snap, row, slices.Contains(in.Include, "TAGS")))
	}
	return out, nil
}

// ListServices lists the ARNs of a cluster's services.
func (s *Service) ListServices(ctx context.Context, in *ecsapi.ListServicesInput) (*ecsapi.ListServicesOutput, error) {
	sc := awsapi.CallerOf(ctx).Scope
	snap := s.store.Snapshot()
	c, err := cluster(snap, sc, in.Cluster)
	if err != nil {
		return nil, err
	}
	arns := []string{}
	for row := range Services.List(snap, sc.Key(c.Name, "")) {
		if row.Status != inactive && (in.LaunchType == "" || row.Deployments[0].LaunchType == in.LaunchType) {
			arns = append(arns, row.ARN())
		}
	}
	most := in.MaxResults
	if most == nil {
		most = new(int32(10)) // ECS's default here
	}
	page, next, err := pageOf(arns, in.NextToken, most)
	return &ecsapi.ListServicesOutput{ServiceArns: page, NextToken: next}, err
}

// otherController reports whether a service is to be deployed by something else than ECS.
func otherController(c *ecsapi.DeploymentController) bool { return c != nil && c.Type != "ECS" }

func errController(c *ecsapi.DeploymentController) error {
	return awsapi.Errorf("UnsupportedFeatureException", 400, "The deployment controller %s is not supported by this engine.", c.Type)
}
