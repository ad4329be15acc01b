package ecs

import (
	"context"
	"fmt"
	"maps"
	"reflect"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/control/rollout"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// serviceProperties are those of AWS::ECS::Service. Ref is the ARN.
type serviceProperties struct {
	ServiceName                   string `cfn:"createOnly"`
	Cluster                       string `cfn:"createOnly"`
	TaskDefinition                string
	DesiredCount                  *int32
	LaunchType                    ecsapi.LaunchType `cfn:"createOnly"`
	CapacityProviderStrategy      []ecsapi.CapacityProviderStrategyItem
	PlatformVersion               *string
	NetworkConfiguration          *networkProperties
	LoadBalancers                 []ecsapi.LoadBalancer
	ServiceRegistries             []ecsapi.ServiceRegistry
	DeploymentConfiguration       *ecsapi.DeploymentConfiguration
	DeploymentController          *ecsapi.DeploymentController
	HealthCheckGracePeriodSeconds *int32
	EnableExecuteCommand          *bool
	EnableECSManagedTags          *bool
	PropagateTags                 ecsapi.PropagateTags
	SchedulingStrategy            ecsapi.SchedulingStrategy `cfn:"createOnly"`
	AvailabilityZoneRebalancing   ecsapi.AvailabilityZoneRebalancing
	PlacementConstraints          []ecsapi.PlacementConstraint
	PlacementStrategies           []ecsapi.PlacementStrategy
	Role                          *string `cfn:"createOnly"`
	ServiceConnectConfiguration   *ecsapi.ServiceConnectConfiguration
	Tags                          []cfn.Tag
	ServiceArn                    string `cfn:"id,readOnly"`
	Name                          string `cfn:"readOnly"`
}

// networkProperties spell the API's awsvpcConfiguration the CloudFormation way.
type networkProperties struct {
	AwsvpcConfiguration *ecsapi.AwsVpcConfiguration
}

func (n *networkProperties) api() *ecsapi.NetworkConfiguration {
	if n == nil {
		return nil
	}
	return &ecsapi.NetworkConfiguration{AwsvpcConfiguration: n.AwsvpcConfiguration}
}

type serviceResource struct{ *Service }

func (r serviceResource) Create(ctx context.Context, p *serviceProperties) error {
	req, _ := cfn.From(ctx)
	if p.ServiceName == "" {
		p.ServiceName = req.Name(255)
	}
	if p.DesiredCount == nil {
		p.DesiredCount = new(int32(1))
	}
	out, err := r.CreateService(ctx, &ecsapi.CreateServiceInput{
		ServiceName: &p.ServiceName, Cluster: optional(p.Cluster), TaskDefinition: optional(p.TaskDefinition), DesiredCount: p.DesiredCount,
		LaunchType: p.LaunchType, CapacityProviderStrategy: p.CapacityProviderStrategy, PlatformVersion: p.PlatformVersion,
		NetworkConfiguration: p.NetworkConfiguration.api(), LoadBalancers: p.LoadBalancers, ServiceRegistries: p.ServiceRegistries,
		DeploymentConfiguration: p.DeploymentConfiguration, DeploymentController: p.DeploymentController,
		HealthCheckGracePeriodSeconds: p.HealthCheckGracePeriodSeconds, EnableExecuteCommand: p.EnableExecuteCommand,
		EnableECSManagedTags: p.EnableECSManagedTags, PropagateTags: p.PropagateTags, SchedulingStrategy: p.SchedulingStrategy,
		AvailabilityZoneRebalancing: p.AvailabilityZoneRebalancing, PlacementConstraints: p.PlacementConstraints, PlacementStrategy: p.PlacementStrategies,
		ServiceConnectConfiguration: p.ServiceConnectConfiguration, Tags: tagset.List[ecsapi.Tag](req.AllTags(p.Tags)), ClientToken: optional(req.Token),
	})
	if err != nil {
		return err
	}
	p.ServiceArn, p.Name = *out.Service.ServiceArn, *out.Service.ServiceName
	return nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (r serviceResource) row(ctx context.Context, p *serviceProperties) (ServiceRow, error) {
	sc := awsapi.CallerOf(ctx).Scope
	return Services.Get(r.store.Snapshot(), sc.Key(clusterName(optional(p.Cluster)), serviceName(p.ServiceArn)))
}

func (r serviceResource) Read(ctx context.Context, p *serviceProperties) error {
	row, err := r.row(ctx, p)
	if err != nil || row.Status != active {
		return store.ErrNotFound
	}
	d := row.Deployments[0]
	p.ServiceName, p.Name, p.DesiredCount, p.TaskDefinition = row.Name, row.Name, new(int32(row.DesiredCount)), d.TaskDefinition
	p.LoadBalancers, p.ServiceRegistries, p.CapacityProviderStrategy = d.LoadBalancers, d.Registries, d.Strategy
	p.DeploymentConfiguration, p.EnableExecuteCommand = &row.Configuration, &row.ExecEnabled
	p.HealthCheckGracePeriodSeconds, p.PropagateTags, p.EnableECSManagedTags = row.GracePeriod, row.PropagateTags, &row.ManagedTags
	p.AvailabilityZoneRebalancing, p.ServiceConnectConfiguration, p.Tags = row.ZoneRebalancing, d.ServiceConnect, cfn.TagsOf(row.Tags)
	if d.Network != nil {
		p.NetworkConfiguration = &networkProperties{d.Network.AwsvpcConfiguration}
	}
	return nil
}

// update asks for all that the template says, but the count. A balancer or
// registry that it no longer has goes.
func (p *serviceProperties) update() *ecsapi.UpdateServiceInput {
	return &ecsapi.UpdateServiceInput{
		Cluster: optional(p.Cluster), Service: &p.ServiceArn, TaskDefinition: optional(p.TaskDefinition),
		CapacityProviderStrategy: p.CapacityProviderStrategy, PlatformVersion: p.PlatformVersion,
		NetworkConfiguration: p.NetworkConfiguration.api(), LoadBalancers: orEmpty(p.LoadBalancers), ServiceRegistries: orEmpty(p.ServiceRegistries),
		DeploymentConfiguration: p.configuration(), HealthCheckGracePeriodSeconds: p.HealthCheckGracePeriodSeconds,
		EnableExecuteCommand: p.EnableExecuteCommand, EnableECSManagedTags: p.EnableECSManagedTags, PropagateTags: p.PropagateTags,
		AvailabilityZoneRebalancing: p.AvailabilityZoneRebalancing, ServiceConnectConfiguration: p.ServiceConnectConfiguration,
	}
}

// configuration says the strategy aloud: a template without one rolls, also
// when the template before had another, which UpdateService would keep.
func (p *serviceProperties) configuration() *ecsapi.DeploymentConfiguration {
	c := value(p.DeploymentConfiguration)
	if c.Strategy == "" {
		c.Strategy = "ROLLING"
	}
	return &c
}

func (r serviceResource) Update(ctx context.Context, before, after *serviceProperties) error {
	if otherController(after.DeploymentController) {
		return errController(after.DeploymentController)
	}
	req, _ := cfn.From(ctx)
	in := after.update()
	// A count that the template did not change is left to who scales.
	if !reflect.DeepEqual(before.DesiredCount, after.DesiredCount) {
		in.DesiredCount = after.DesiredCount
	}
	if _, err := r.UpdateService(ctx, in); err != nil {
		return err
	}
	return r.retag(after.ServiceArn, func(tags map[string]string) {
		clear(tags)
		maps.Copy(tags, req.AllTags(after.Tags))
	})
}

// Settled is true when the deployment has completed; a deployment that failed
// or was rolled back fails the resource, as CloudFormation words it.
func (r serviceResource) Settled(ctx context.Context, p *serviceProperties) (bool, error) {
	row, err := r.row(ctx, p)
	if err != nil {
		return false, err
	}
	if row.Status != active {
		return false, errServiceNotActive()
	}
	d := row.Deployments[0]
	rolledBack := d.RollsBack != "" && !r.wanted(ctx, p, d.Revision)
	if d.RolloutState == rollout.Failed || rolledBack {
		return false, r.failure(row)
	}
	return d.RolloutState == "COMPLETED" && row.SteadyAnnounced, nil
}

// failure words why the newest deployment of a service did not come to be, as
// CloudFormation does, with the last failure of a task.
func (r serviceResource) failure(row ServiceRow) error {
	rec, _ := ServiceDeployments.Get(r.store.Snapshot(), row.Key(row.Cluster, row.Name, row.Deployments[0].Record))
	what := "ECS Deployment Circuit Breaker was triggered"
	switch rec.Failure {
	case rollout.ByAlarm:
		what = "ECS Deployment Alarm was triggered"
	case rollout.ByUser, rollout.ByPause:
		what = "ECS Deployment was stopped"
	}
	why := ""
	for _, d := range row.Deployments {
		if d.LastFailure != "" {
			why = " Last failure: " + d.LastFailure
		}
	}
	return awsapi.Errorf("GeneralServiceException", 400, "Error occurred during operation '%s'.%s", what, why)
}

// wanted says whether a revision is what the template asks for. When a
// deployment has failed, it is not: the one before is back.
func (r serviceResource) wanted(ctx context.Context, p *serviceProperties, rev Revision) bool {
	asked, _ := applyRevision(rev, p.update())
	if d, err := findDefinition(r.store.Snapshot(), awsapi.CallerOf(ctx).Scope, asked.TaskDefinition); err == nil {
		asked.TaskDefinition = d.ARN()
	}
	return reflect.DeepEqual(asked, rev)
}

// Delete drains the service and waits until its last task is gone: what it
// used, such as subnets, can be deleted then.
func (r serviceResource) Delete(ctx context.Context, p *serviceProperties) error {
	_, err := r.DeleteService(ctx, &ecsapi.DeleteServiceInput{Cluster: optional(p.Cluster), Service: &p.ServiceArn, Force: new(true)})
	if err != nil {
		return gone(err)
	}
	for {
		snap := r.store.Snapshot()
		row, err := r.row(ctx, p)
		if err != nil || row.Status == inactive {
			return nil
		}
		if _, _, err := r.store.Changes(ctx, snap.Revision()); err != nil {
			return fmt.Errorf("wait for service %s to drain: %w", row.Name, err)
		}
	}
}
