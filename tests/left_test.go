package tests

import (
	"fmt"

	"github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/api/servicediscoveryapi"
	"github.com/slipway-dev/slipway/api/ssmapi"
)

// left names every kind of resource that the account still has, and how many:
// what only has a history, such as a deleted NAT gateway, is not among them.
func (w world) left() (kinds []string) {
	w.Helper()
	count := func(kind string, n int) {
		if n > 0 {
			kinds = append(kinds, fmt.Sprintf("%d %s", n, kind))
		}
	}
	count("running tasks", len(w.tasks("")))
	count("VPCs", len(list[ec2api.DescribeVpcsInput, ec2api.DescribeVpcsOutput](w, "ec2", "DescribeVpcs").Vpcs))
	count("subnets", len(list[ec2api.DescribeSubnetsInput, ec2api.DescribeSubnetsOutput](w, "ec2", "DescribeSubnets").Subnets))
	count("route tables", len(list[ec2api.DescribeRouteTablesInput, ec2api.DescribeRouteTablesOutput](w, "ec2", "DescribeRouteTables").RouteTables))
	count("security groups", len(list[ec2api.DescribeSecurityGroupsInput, ec2api.DescribeSecurityGroupsOutput](w, "ec2", "DescribeSecurityGroups").SecurityGroups))
	count("internet gateways", len(list[ec2api.DescribeInternetGatewaysInput, ec2api.DescribeInternetGatewaysOutput](w, "ec2", "DescribeInternetGateways").InternetGateways))
	count("addresses", len(list[ec2api.DescribeAddressesInput, ec2api.DescribeAddressesOutput](w, "ec2", "DescribeAddresses").Addresses))
	count("endpoints", len(list[ec2api.DescribeVpcEndpointsInput, ec2api.DescribeVpcEndpointsOutput](w, "ec2", "DescribeVpcEndpoints").VpcEndpoints))
	count("network interfaces", len(list[ec2api.DescribeNetworkInterfacesInput, ec2api.DescribeNetworkInterfacesOutput](w, "ec2", "DescribeNetworkInterfaces").NetworkInterfaces))
	count("load balancers", len(list[elbv2api.DescribeLoadBalancersInput, elbv2api.DescribeLoadBalancersOutput](w, "elbv2", "DescribeLoadBalancers").LoadBalancers))
	count("target groups", len(list[elbv2api.DescribeTargetGroupsInput, elbv2api.DescribeTargetGroupsOutput](w, "elbv2", "DescribeTargetGroups").TargetGroups))
	count("clusters", len(list[ecsapi.ListClustersInput, ecsapi.ListClustersOutput](w, "ecs", "ListClusters").ClusterArns))
	count("task definitions", len(list[ecsapi.ListTaskDefinitionsInput, ecsapi.ListTaskDefinitionsOutput](w, "ecs", "ListTaskDefinitions").TaskDefinitionArns))
	count("repositories", len(list[ecrapi.DescribeRepositoriesInput, ecrapi.DescribeRepositoriesOutput](w, "ecr", "DescribeRepositories").Repositories))
	count("roles", len(list[iamapi.ListRolesInput, iamapi.ListRolesOutput](w, "iam", "ListRoles").Roles))
	policies := call[iamapi.ListPoliciesInput, iamapi.ListPoliciesOutput](w, "iam", "ListPolicies", &iamapi.ListPoliciesInput{Scope: "Local"})
	count("policies", len(policies.Policies))
	count("log groups", len(list[logsapi.DescribeLogGroupsInput, logsapi.DescribeLogGroupsOutput](w, "logs", "DescribeLogGroups").LogGroups))
	count("namespaces", len(list[servicediscoveryapi.ListNamespacesInput, servicediscoveryapi.ListNamespacesOutput](w, "servicediscovery", "ListNamespaces").Namespaces))
	count("meshes", len(list[appmeshapi.ListMeshesInput, appmeshapi.ListMeshesOutput](w, "appmesh", "ListMeshes").Meshes))
	count("buckets", len(list[s3api.ListBucketsInput, s3api.ListBucketsOutput](w, "s3", "ListBuckets").Buckets))
	count("parameters", len(list[ssmapi.DescribeParametersInput, ssmapi.DescribeParametersOutput](w, "ssm", "DescribeParameters").Parameters))
	alarms := call[cloudwatchapi.DescribeAlarmsInput, cloudwatchapi.DescribeAlarmsOutput](w, "cloudwatch", "DescribeAlarms",
		&cloudwatchapi.DescribeAlarmsInput{AlarmTypes: []cloudwatchapi.AlarmType{"MetricAlarm", "CompositeAlarm"}})
	count("alarms", len(alarms.MetricAlarms)+len(alarms.CompositeAlarms))
	count("dashboards", len(list[cloudwatchapi.ListDashboardsInput, cloudwatchapi.ListDashboardsOutput](w, "cloudwatch", "ListDashboards").DashboardEntries))
	targets := call[applicationautoscalingapi.DescribeScalableTargetsInput, applicationautoscalingapi.DescribeScalableTargetsOutput](w,
		"application-autoscaling", "DescribeScalableTargets", &applicationautoscalingapi.DescribeScalableTargetsInput{ServiceNamespace: "ecs"})
	count("scalable targets", len(targets.ScalableTargets))
	return kinds
}

// list calls an operation that needs no parameter.
func list[I, O any](w world, service, op string) *O {
	w.Helper()
	return call[I, O](w, service, op, new(I))
}
