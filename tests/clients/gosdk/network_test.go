package gosdk

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// do fails the test when a call does.
func do[O any](t *testing.T) func(*O, error) *O {
	return func(out *O, err error) *O {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// network is a VPC of two subnets with a way out.
type network struct {
	vpc, group string
	subnets    []string
}

func newNetwork(t *testing.T, c *ec2.Client) (n network) {
	t.Helper()
	ctx := t.Context()
	v := do[ec2.CreateVpcOutput](t)(c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16"), TagSpecifications: []types.TagSpecification{
		{ResourceType: types.ResourceTypeVpc, Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("sdk")}}},
	}})).Vpc
	n.vpc = *v.VpcId
	zones := do[ec2.DescribeAvailabilityZonesOutput](t)(c.DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{})).AvailabilityZones
	for i, block := range []string{"10.0.0.0/24", "10.0.1.0/24"} {
		s := do[ec2.CreateSubnetOutput](t)(c.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: &n.vpc, CidrBlock: &block, AvailabilityZone: zones[i].ZoneName}))
		n.subnets = append(n.subnets, *s.Subnet.SubnetId)
	}
	gateway := do[ec2.CreateInternetGatewayOutput](t)(c.CreateInternetGateway(ctx, &ec2.CreateInternetGatewayInput{})).InternetGateway.InternetGatewayId
	do[ec2.AttachInternetGatewayOutput](t)(c.AttachInternetGateway(ctx, &ec2.AttachInternetGatewayInput{VpcId: &n.vpc, InternetGatewayId: gateway}))
	tables := do[ec2.DescribeRouteTablesOutput](t)(c.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: []types.Filter{{Name: aws.String("vpc-id"), Values: []string{n.vpc}}}})).RouteTables
	do[ec2.CreateRouteOutput](t)(c.CreateRoute(ctx, &ec2.CreateRouteInput{RouteTableId: tables[0].RouteTableId, DestinationCidrBlock: aws.String("0.0.0.0/0"), GatewayId: gateway}))
	n.group = *do[ec2.CreateSecurityGroupOutput](t)(c.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{VpcId: &n.vpc, GroupName: aws.String("web"), Description: aws.String("web")})).GroupId
	do[ec2.AuthorizeSecurityGroupIngressOutput](t)(c.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &n.group, IpPermissions: []types.IpPermission{{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(80), ToPort: aws.Int32(80), IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}},
	}))
	return n
}

func TestANetworkThroughTheSDK(t *testing.T) {
	c, ctx := ec2.NewFromConfig(config("200000000001", "eu-west-1")), t.Context()
	n := newNetwork(t, c)
	_, err := c.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &n.group, IpPermissions: []types.IpPermission{{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(80), ToPort: aws.Int32(80), IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}},
	})
	refuses(t, err, "InvalidPermission.Duplicate", nil)
	_, err = c.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{n.vpc}, DryRun: aws.Bool(true)})
	refuses(t, err, "DryRunOperation", nil)
	_, err = c.DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: &n.vpc})
	refuses(t, err, "DependencyViolation", nil)

	acl := do[ec2.CreateNetworkAclOutput](t)(c.CreateNetworkAcl(ctx, &ec2.CreateNetworkAclInput{VpcId: &n.vpc})).NetworkAcl.NetworkAclId
	do[ec2.CreateNetworkAclEntryOutput](t)(c.CreateNetworkAclEntry(ctx, &ec2.CreateNetworkAclEntryInput{
		NetworkAclId: acl, RuleNumber: aws.Int32(100), Protocol: aws.String("6"), RuleAction: types.RuleActionAllow, Egress: aws.Bool(false),
		CidrBlock: aws.String("10.0.0.0/16"), PortRange: &types.PortRange{From: aws.Int32(443), To: aws.Int32(443)},
	}))
	lists := do[ec2.DescribeNetworkAclsOutput](t)(c.DescribeNetworkAcls(ctx, &ec2.DescribeNetworkAclsInput{Filters: []types.Filter{{Name: aws.String("association.subnet-id"), Values: n.subnets[:1]}}}))
	var association *string
	for _, a := range lists.NetworkAcls[0].Associations {
		if *a.SubnetId == n.subnets[0] {
			association = a.NetworkAclAssociationId
		}
	}
	moved := do[ec2.ReplaceNetworkAclAssociationOutput](t)(c.ReplaceNetworkAclAssociation(ctx, &ec2.ReplaceNetworkAclAssociationInput{AssociationId: association, NetworkAclId: acl}))
	lists = do[ec2.DescribeNetworkAclsOutput](t)(c.DescribeNetworkAcls(ctx, &ec2.DescribeNetworkAclsInput{NetworkAclIds: []string{*acl}}))
	if a := lists.NetworkAcls[0]; len(a.Entries) != 3 || len(a.Associations) != 1 || *a.Associations[0].NetworkAclAssociationId != *moved.NewAssociationId {
		t.Errorf("%+v", a)
	}
	_, err = c.DeleteNetworkAcl(ctx, &ec2.DeleteNetworkAclInput{NetworkAclId: acl})
	refuses(t, err, "DependencyViolation", nil)
	pages := ec2.NewDescribeSubnetsPaginator(c, &ec2.DescribeSubnetsInput{MaxResults: aws.Int32(5), Filters: []types.Filter{{Name: aws.String("vpc-id"), Values: []string{n.vpc}}}})
	found := 0
	for pages.HasMorePages() {
		found += len(do[ec2.DescribeSubnetsOutput](t)(pages.NextPage(ctx)).Subnets)
	}
	if found != len(n.subnets) {
		t.Errorf("%d subnets", found)
	}
}

func TestALoadBalancerThroughTheSDK(t *testing.T) {
	cfg, ctx := config("200000000002", "eu-west-1"), t.Context()
	n := newNetwork(t, ec2.NewFromConfig(cfg))
	c := elasticloadbalancingv2.NewFromConfig(cfg)
	lb := do[elasticloadbalancingv2.CreateLoadBalancerOutput](t)(c.CreateLoadBalancer(ctx, &elasticloadbalancingv2.CreateLoadBalancerInput{
		Name: aws.String("sdk"), Subnets: n.subnets, SecurityGroups: []string{n.group}, Scheme: elbtypes.LoadBalancerSchemeEnumInternal,
	})).LoadBalancers[0]
	group := do[elasticloadbalancingv2.CreateTargetGroupOutput](t)(c.CreateTargetGroup(ctx, &elasticloadbalancingv2.CreateTargetGroupInput{
		Name: aws.String("sdk"), VpcId: &n.vpc, Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(80), TargetType: elbtypes.TargetTypeEnumIp, HealthCheckPath: aws.String("/health"),
	})).TargetGroups[0].TargetGroupArn
	listener := do[elasticloadbalancingv2.CreateListenerOutput](t)(c.CreateListener(ctx, &elasticloadbalancingv2.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(8123),
		DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumFixedResponse, FixedResponseConfig: &elbtypes.FixedResponseActionConfig{StatusCode: aws.String("404"), ContentType: aws.String("text/plain")}}},
	})).Listeners[0].ListenerArn
	rule := &elasticloadbalancingv2.CreateRuleInput{
		ListenerArn: listener, Priority: aws.Int32(10), Conditions: []elbtypes.RuleCondition{{Field: aws.String("path-pattern"), PathPatternConfig: &elbtypes.PathPatternConditionConfig{Values: []string{"/sdk/*"}}}},
		Actions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: group}},
	}
	do[elasticloadbalancingv2.CreateRuleOutput](t)(c.CreateRule(ctx, rule))
	_, err := c.CreateRule(ctx, rule)
	refuses(t, err, "PriorityInUse", new(*elbtypes.PriorityInUseException))
	do[elasticloadbalancingv2.RegisterTargetsOutput](t)(c.RegisterTargets(ctx, &elasticloadbalancingv2.RegisterTargetsInput{TargetGroupArn: group, Targets: []elbtypes.TargetDescription{{Id: aws.String("10.0.0.99"), Port: aws.Int32(80)}}}))
	health := do[elasticloadbalancingv2.DescribeTargetHealthOutput](t)(c.DescribeTargetHealth(ctx, &elasticloadbalancingv2.DescribeTargetHealthInput{TargetGroupArn: group})).TargetHealthDescriptions
	if len(health) != 1 || *health[0].Target.Id != "10.0.0.99" {
		t.Errorf("%+v", health)
	}
	rules := do[elasticloadbalancingv2.DescribeRulesOutput](t)(c.DescribeRules(ctx, &elasticloadbalancingv2.DescribeRulesInput{ListenerArn: listener})).Rules
	if len(rules) != 2 || !strings.HasSuffix(*rules[1].Priority, "default") {
		t.Errorf("%+v", rules)
	}
	_, err = c.DeleteTargetGroup(ctx, &elasticloadbalancingv2.DeleteTargetGroupInput{TargetGroupArn: group})
	refuses(t, err, "ResourceInUse", new(*elbtypes.ResourceInUseException))
	do[elasticloadbalancingv2.DeleteLoadBalancerOutput](t)(c.DeleteLoadBalancer(ctx, &elasticloadbalancingv2.DeleteLoadBalancerInput{LoadBalancerArn: lb.LoadBalancerArn}))
	_, err = c.DescribeLoadBalancers(ctx, &elasticloadbalancingv2.DescribeLoadBalancersInput{Names: []string{"sdk"}})
	refuses(t, err, "LoadBalancerNotFound", new(*elbtypes.LoadBalancerNotFoundException))
}
