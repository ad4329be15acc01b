package main

import (
	"context"
	"fmt"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

const (
	cluster = "bench"
	// clients is how many requests the bench has open at once, as a
	// deployment tool has.
	clients = 8
	// perBalancer is how many services share a load balancer, whose quota of
	// targets is 1,000.
	perBalancer = 50
)

// platform makes what services need: a VPC with three zones, a cluster, a
// task definition.
type platform struct {
	client  *awsapi.Client
	network *ecsapi.NetworkConfiguration
	vpc     string
}

func call[I, O any](ctx context.Context, p *platform, service, op string, in *I) (*O, error) {
	return awsapi.Call[I, O](ctx, p.client, service, op, in)
}

func build(ctx context.Context, endpoint string, k keys) (*platform, error) {
	p := &platform{client: awsapi.NewClient(awsapi.ClientConfig{
		Endpoint: endpoint, Region: here.Region, AccessKey: k.Access, SecretKey: k.Secret,
		HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * clients}},
	})}
	v, err := call[ec2api.CreateVpcInput, ec2api.CreateVpcOutput](ctx, p, "ec2", "CreateVpc", &ec2api.CreateVpcInput{CidrBlock: new("10.0.0.0/16")})
	if err != nil {
		return nil, err
	}
	p.vpc = *v.Vpc.VpcId
	var subnets []string
	for i, zone := range []string{"a", "b", "c"} {
		s, err := call[ec2api.CreateSubnetInput, ec2api.CreateSubnetOutput](ctx, p, "ec2", "CreateSubnet", &ec2api.CreateSubnetInput{
			VpcId: &p.vpc, AvailabilityZone: new(here.Region + zone), CidrBlock: new(fmt.Sprintf("10.0.%d.0/18", 64*i)),
		})
		if err != nil {
			return nil, err
		}
		subnets = append(subnets, *s.Subnet.SubnetId)
	}
	p.network = &ecsapi.NetworkConfiguration{AwsvpcConfiguration: &ecsapi.AwsVpcConfiguration{Subnets: subnets}}
	if _, err := call[ecsapi.CreateClusterInput, ecsapi.CreateClusterOutput](ctx, p, "ecs", "CreateCluster", &ecsapi.CreateClusterInput{ClusterName: new(cluster)}); err != nil {
		return nil, err
	}
	_, err = call[ecsapi.RegisterTaskDefinitionInput, ecsapi.RegisterTaskDefinitionOutput](ctx, p, "ecs", "RegisterTaskDefinition", &ecsapi.RegisterTaskDefinitionInput{
		Family: new("web"), Cpu: new("256"), Memory: new("512"), NetworkMode: "awsvpc", RequiresCompatibilities: []ecsapi.Compatibility{"FARGATE"},
		ContainerDefinitions: []ecsapi.ContainerDefinition{{
			Name: new("app"), Image: new("web"), Essential: new(true), PortMappings: []ecsapi.PortMapping{{ContainerPort: new(int32(8080))}},
			Environment: []ecsapi.KeyValuePair{{Name: new("STAGE"), Value: new("bench")}},
		}},
	})
	return p, err
}

func serviceName(i int) string { return fmt.Sprintf("service-%04d", i) }

// deploy creates services, of which the first few have a target group.
func (p *platform) deploy(ctx context.Context, services, each, balanced int) error {
	groups, err := p.targetGroups(ctx, balanced)
	if err != nil {
		return err
	}
	return p.all(ctx, services, func(ctx context.Context, i int) error {
		in := &ecsapi.CreateServiceInput{
			Cluster: new(cluster), ServiceName: new(serviceName(i)), TaskDefinition: new("web"), DesiredCount: new(int32(each)),
			LaunchType: "FARGATE", NetworkConfiguration: p.network,
		}
		if i < balanced {
			in.LoadBalancers = []ecsapi.LoadBalancer{{TargetGroupArn: &groups[i], ContainerName: new("app"), ContainerPort: new(int32(8080))}}
		}
		_, err := call[ecsapi.CreateServiceInput, ecsapi.CreateServiceOutput](ctx, p, "ecs", "CreateService", in)
		return err
	})
}

// all calls fn for 0 to n-1, a few at a time.
func (p *platform) all(ctx context.Context, n int, fn func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(clients)
	for i := range n {
		group.Go(func() error { return fn(ctx, i) })
	}
	return group.Wait()
}

// targetGroups makes target groups behind listener rules, fifty a load balancer.
func (p *platform) targetGroups(ctx context.Context, n int) ([]string, error) {
	arns, listener := make([]string, n), ""
	for i := range n {
		g, err := call[elbv2api.CreateTargetGroupInput, elbv2api.CreateTargetGroupOutput](ctx, p, "elbv2", "CreateTargetGroup", &elbv2api.CreateTargetGroupInput{
			Name: new(serviceName(i)), VpcId: &p.vpc, TargetType: "ip", Protocol: "HTTP", Port: new(int32(8080)), HealthCheckIntervalSeconds: new(int32(10)),
		})
		if err != nil {
			return nil, err
		}
		arns[i] = *g.TargetGroups[0].TargetGroupArn
		if i%perBalancer == 0 {
			if listener, err = p.balancer(ctx, i/perBalancer, arns[i]); err != nil {
				return nil, err
			}
		}
		_, err = call[elbv2api.CreateRuleInput, elbv2api.CreateRuleOutput](ctx, p, "elbv2", "CreateRule", &elbv2api.CreateRuleInput{
			ListenerArn: &listener, Priority: new(int32(i%perBalancer + 1)),
			Conditions: []elbv2api.RuleCondition{{Field: new("path-pattern"), Values: []string{"/" + serviceName(i) + "/*"}}},
			Actions:    forward(arns[i]),
		})
		if err != nil {
			return nil, err
		}
	}
	return arns, nil
}

func forward(group string) []elbv2api.Action {
	return []elbv2api.Action{{Type: "forward", TargetGroupArn: &group}}
}

// balancer makes a load balancer and returns its listener.
func (p *platform) balancer(ctx context.Context, n int, group string) (string, error) {
	b, err := call[elbv2api.CreateLoadBalancerInput, elbv2api.CreateLoadBalancerOutput](ctx, p, "elbv2", "CreateLoadBalancer", &elbv2api.CreateLoadBalancerInput{
		Name: new(fmt.Sprintf("bench-%d", n)), Scheme: "internal", Subnets: p.network.AwsvpcConfiguration.Subnets,
	})
	if err != nil {
		return "", err
	}
	l, err := call[elbv2api.CreateListenerInput, elbv2api.CreateListenerOutput](ctx, p, "elbv2", "CreateListener", &elbv2api.CreateListenerInput{
		LoadBalancerArn: b.LoadBalancers[0].LoadBalancerArn, Protocol: "HTTP", Port: new(int32(80)), DefaultActions: forward(group),
	})
	if err != nil {
		return "", err
	}
	return *l.Listeners[0].ListenerArn, nil
}

// scale sets a service's desired count.
func (p *platform) scale(ctx context.Context, service string, to int) error {
	_, err := call[ecsapi.UpdateServiceInput, ecsapi.UpdateServiceOutput](ctx, p, "ecs", "UpdateService", &ecsapi.UpdateServiceInput{
		Cluster: new(cluster), Service: &service, DesiredCount: new(int32(to)),
	})
	return err
}

// running is how many tasks of a service run, by the API.
func (p *platform) running(ctx context.Context, service string) (int, error) {
	out, err := call[ecsapi.DescribeServicesInput, ecsapi.DescribeServicesOutput](ctx, p, "ecs", "DescribeServices", &ecsapi.DescribeServicesInput{
		Cluster: new(cluster), Services: []string{service},
	})
	if err != nil {
		return 0, err
	}
	if len(out.Services) != 1 {
		return 0, fmt.Errorf("no service %s", service)
	}
	return int(*out.Services[0].RunningCount), nil
}
