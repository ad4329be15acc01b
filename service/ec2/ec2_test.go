package ec2

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/vpc"
)

var scope = arn.Scope{Account: "123456789012", Region: "us-east-1"}

// fakeNetwork remembers what it was told.
type fakeNetwork struct {
	mu      sync.Mutex
	applied map[string]vpc.Config
	left    []string // VPCs of an earlier engine
}

func (f *fakeNetwork) Apply(_ context.Context, c vpc.Config) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.applied == nil {
		f.applied = map[string]vpc.Config{}
	}
	f.applied[c.ID] = c
	return nil
}

func (f *fakeNetwork) Remove(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.applied, id)
	f.left = slices.DeleteFunc(f.left, func(v string) bool { return v == id })
	return nil
}

func (f *fakeNetwork) Known() []string { return f.left }

func newService(t testing.TB) (*Service, context.Context) {
	t.Helper()
	st, err := store.Open(store.Config{}, Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	s := New(Config{Store: st, Log: slog.New(slog.DiscardHandler), Network: &fakeNetwork{}})
	return s, awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: scope})
}

// must fails the test on an error.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// refused fails the test unless err is "Code: message".
func refused(t testing.TB, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%s: got %v, want %s", what, err, want)
	}
}

func (s *Service) testVPC(t testing.TB, ctx context.Context, cidr string) string {
	t.Helper()
	return *must[*ec2api.CreateVpcOutput](t)(s.CreateVpc(ctx, &ec2api.CreateVpcInput{CidrBlock: &cidr})).Vpc.VpcId
}

func (s *Service) testSubnet(t testing.TB, ctx context.Context, vpcID, cidr string) string {
	t.Helper()
	return *must[*ec2api.CreateSubnetOutput](t)(s.CreateSubnet(ctx, &ec2api.CreateSubnetInput{VpcId: &vpcID, CidrBlock: &cidr})).Subnet.SubnetId
}

func (s *Service) testGroup(t testing.TB, ctx context.Context, vpcID, name string) string {
	t.Helper()
	return *must[*ec2api.CreateSecurityGroupOutput](t)(s.CreateSecurityGroup(ctx, &ec2api.CreateSecurityGroupInput{VpcId: &vpcID, GroupName: &name, Description: new("for a test")})).GroupId
}

func tcp(port int32, peer ec2api.IpPermission) []ec2api.IpPermission {
	peer.IpProtocol, peer.FromPort, peer.ToPort = new("tcp"), &port, &port
	return []ec2api.IpPermission{peer}
}

func fromCIDR(c string) ec2api.IpPermission {
	return ec2api.IpPermission{IpRanges: []ec2api.IpRange{{CidrIp: &c}}}
}

func fromGroup(id string) ec2api.IpPermission {
	return ec2api.IpPermission{UserIdGroupPairs: []ec2api.UserIdGroupPair{{GroupId: &id}}}
}

func TestVPCComesWithItsDefaults(t *testing.T) {
	s, ctx := newService(t)
	id := s.testVPC(t, ctx, "10.0.5.7/16")
	v := must[*ec2api.DescribeVpcsOutput](t)(s.DescribeVpcs(ctx, &ec2api.DescribeVpcsInput{VpcIds: []string{id}})).Vpcs[0]
	if *v.CidrBlock != "10.0.0.0/16" || v.State != "available" || *v.IsDefault {
		t.Errorf("vpc: %+v", v)
	}
	byVPC := []ec2api.Filter{{Name: new("vpc-id"), Values: []string{id}}}
	groups := must[*ec2api.DescribeSecurityGroupsOutput](t)(s.DescribeSecurityGroups(ctx, &ec2api.DescribeSecurityGroupsInput{Filters: byVPC})).SecurityGroups
	if len(groups) != 1 || *groups[0].GroupName != "default" || *groups[0].IpPermissions[0].UserIdGroupPairs[0].GroupId != *groups[0].GroupId ||
		*groups[0].IpPermissionsEgress[0].IpRanges[0].CidrIp != "0.0.0.0/0" {
		t.Errorf("default security group: %+v", groups)
	}
	tables := must[*ec2api.DescribeRouteTablesOutput](t)(s.DescribeRouteTables(ctx, &ec2api.DescribeRouteTablesInput{Filters: byVPC})).RouteTables
	if len(tables) != 1 || !*tables[0].Associations[0].Main || *tables[0].Routes[0].GatewayId != "local" {
		t.Errorf("main route table: %+v", tables)
	}
	acls := must[*ec2api.DescribeNetworkAclsOutput](t)(s.DescribeNetworkAcls(ctx, &ec2api.DescribeNetworkAclsInput{Filters: byVPC})).NetworkAcls
	if len(acls) != 1 || !*acls[0].IsDefault || len(acls[0].Entries) != 4 {
		t.Errorf("network acl: %+v", acls)
	}
	must[*ec2api.DeleteVpcOutput](t)(s.DeleteVpc(ctx, &ec2api.DeleteVpcInput{VpcId: &id}))
	for _, table := range []func() int{
		func() int { return len(slices.Collect(Groups.List(s.store.Snapshot(), ""))) },
		func() int { return len(slices.Collect(Rules.List(s.store.Snapshot(), ""))) },
		func() int { return len(slices.Collect(RouteTables.List(s.store.Snapshot(), ""))) },
		func() int { return len(slices.Collect(ACLs.List(s.store.Snapshot(), ""))) },
	} {
		if n := table(); n != 0 {
			t.Errorf("%d rows are left after the VPC", n)
		}
	}
}

func TestAttributes(t *testing.T) {
	s, ctx := newService(t)
	id := s.testVPC(t, ctx, "10.0.0.0/16")
	get := func(name ec2api.VpcAttributeName) bool {
		out := must[*ec2api.DescribeVpcAttributeOutput](t)(s.DescribeVpcAttribute(ctx, &ec2api.DescribeVpcAttributeInput{VpcId: &id, Attribute: name}))
		if name == "enableDnsSupport" {
			return *out.EnableDnsSupport.Value
		}
		return *out.EnableDnsHostnames.Value
	}
	if !get("enableDnsSupport") || get("enableDnsHostnames") {
		t.Error("AWS's defaults are DNS support on, hostnames off")
	}
	must[*ec2api.ModifyVpcAttributeOutput](t)(s.ModifyVpcAttribute(ctx, &ec2api.ModifyVpcAttributeInput{VpcId: &id, EnableDnsHostnames: &ec2api.AttributeBooleanValue{Value: new(true)}}))
	if !get("enableDnsHostnames") {
		t.Error("the attribute was not set")
	}
}

func TestSubnets(t *testing.T) {
	s, ctx := newService(t)
	id := s.testVPC(t, ctx, "10.0.0.0/16")
	sub := s.testSubnet(t, ctx, id, "10.0.1.0/24")
	create := func(cidr string) error {
		_, err := s.CreateSubnet(ctx, &ec2api.CreateSubnetInput{VpcId: &id, CidrBlock: &cidr})
		return err
	}
	refused(t, "overlap", create("10.0.1.128/25"), "InvalidSubnet.Conflict: The CIDR '10.0.1.128/25' conflicts with another subnet")
	refused(t, "outside", create("10.1.0.0/24"), "InvalidSubnet.Range: The CIDR '10.1.0.0/24' is invalid.")
	refused(t, "too small", create("10.0.2.0/29"), "InvalidSubnet.Range")
	refused(t, "host bits", create("10.0.2.1/24"), "InvalidSubnet.Range")
	refused(t, "nonsense", create("10.0.2.0"), "InvalidParameterValue: Value (10.0.2.0) for parameter cidrBlock is invalid. This is not a valid CIDR block.")
	_, err := s.CreateSubnet(ctx, &ec2api.CreateSubnetInput{VpcId: &id, CidrBlock: new("10.0.9.0/24"), AvailabilityZone: new("us-east-1z")})
	refused(t, "zone", err, "InvalidParameterValue: Value (us-east-1z) for parameter availabilityZone is invalid.")

	describe := func() ec2api.Subnet {
		return must[*ec2api.DescribeSubnetsOutput](t)(s.DescribeSubnets(ctx, &ec2api.DescribeSubnetsInput{SubnetIds: []string{sub}})).Subnets[0]
	}
	if n := *describe().AvailableIpAddressCount; n != 251 {
		t.Errorf("a fresh /24 has %d addresses", n)
	}
	eni := *must[*ec2api.CreateNetworkInterfaceOutput](t)(s.CreateNetworkInterface(ctx, &ec2api.CreateNetworkInterfaceInput{SubnetId: &sub})).NetworkInterface.NetworkInterfaceId
	if n := *describe().AvailableIpAddressCount; n != 250 {
		t.Errorf("with an interface it has %d addresses", n)
	}
	_, err = s.DeleteSubnet(ctx, &ec2api.DeleteSubnetInput{SubnetId: &sub})
	refused(t, "in use", err, "DependencyViolation: The subnet '"+sub+"' has dependencies and cannot be deleted.")
	must[*ec2api.DeleteNetworkInterfaceOutput](t)(s.DeleteNetworkInterface(ctx, &ec2api.DeleteNetworkInterfaceInput{NetworkInterfaceId: &eni}))
	must[*ec2api.DeleteSubnetOutput](t)(s.DeleteSubnet(ctx, &ec2api.DeleteSubnetInput{SubnetId: &sub}))
}

func TestSecurityGroupRules(t *testing.T) {
	s, ctx := newService(t)
	id := s.testVPC(t, ctx, "10.0.0.0/16")
	web, db := s.testGroup(t, ctx, id, "web"), s.testGroup(t, ctx, id, "db")
	authorize := func(p []ec2api.IpPermission) ([]ec2api.SecurityGroupRule, error) {
		out, err := s.AuthorizeSecurityGroupIngress(ctx, &ec2api.AuthorizeSecurityGroupIngressInput{GroupId: &db, IpPermissions: p})
		if err != nil {
			return nil, err
		}
		return out.SecurityGroupRules, nil
	}
	rules := must[[]ec2api.SecurityGroupRule](t)(authorize(tcp(5432, fromGroup(web))))
	if len(rules) != 1 || *rules[0].ReferencedGroupInfo.GroupId != web {
		t.Errorf("rules: %+v", rules)
	}
	must[[]ec2api.SecurityGroupRule](t)(authorize(tcp(80, fromCIDR("0.0.0.0/0"))))

	_, err := authorize(tcp(80, fromCIDR("0.0.0.0/0")))
	refused(t, "twice", err, `InvalidPermission.Duplicate: the specified rule "peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW" already exists`)
	_, err = authorize(tcp(80, fromCIDR("0.0.0.0")))
	refused(t, "bad CIDR", err, "InvalidParameterValue: CIDR block 0.0.0.0 is malformed")
	_, err = authorize(tcp(80, fromGroup("sg-00000000000000000")))
	refused(t, "no such group", err, "InvalidGroup.NotFound: The security group 'sg-00000000000000000' does not exist")
	_, err = authorize([]ec2api.IpPermission{{IpProtocol: new("tcp"), FromPort: new(int32(90)), ToPort: new(int32(80)), IpRanges: []ec2api.IpRange{{CidrIp: new("10.0.0.0/8")}}}})
	refused(t, "ports", err, "InvalidParameterValue: Invalid TCP/UDP port range (90:80)")

	_, err = s.DeleteSecurityGroup(ctx, &ec2api.DeleteSecurityGroupInput{GroupId: &web})
	refused(t, "referenced", err, "DependencyViolation: resource "+web+" has a dependent object")
	_, err = s.DeleteVpc(ctx, &ec2api.DeleteVpcInput{VpcId: &id})
	refused(t, "vpc in use", err, "DependencyViolation: The vpc '"+id+"' has dependencies and cannot be deleted.")
	_, err = s.CreateSecurityGroup(ctx, &ec2api.CreateSecurityGroupInput{VpcId: &id, GroupName: new("web"), Description: new("x")})
	refused(t, "same name", err, "InvalidGroup.Duplicate: The security group 'web' already exists for VPC '"+id+"'")

	must[*ec2api.ModifySecurityGroupRulesOutput](t)(s.ModifySecurityGroupRules(ctx, &ec2api.ModifySecurityGroupRulesInput{GroupId: &db, SecurityGroupRules: []ec2api.SecurityGroupRuleUpdate{{
		SecurityGroupRuleId: rules[0].SecurityGroupRuleId,
		SecurityGroupRule:   &ec2api.SecurityGroupRuleRequest{IpProtocol: new("tcp"), FromPort: new(int32(5433)), ToPort: new(int32(5433)), ReferencedGroupId: &web},
	}}}))
	_, err = s.RevokeSecurityGroupIngress(ctx, &ec2api.RevokeSecurityGroupIngressInput{GroupId: &db, IpPermissions: tcp(5432, fromGroup(web))})
	refused(t, "changed away", err, "InvalidPermission.NotFound: The specified rule does not exist in this security group.")
	must[*ec2api.RevokeSecurityGroupIngressOutput](t)(s.RevokeSecurityGroupIngress(ctx, &ec2api.RevokeSecurityGroupIngressInput{GroupId: &db, SecurityGroupRuleIds: []string{*rules[0].SecurityGroupRuleId}}))
	must[*ec2api.DeleteSecurityGroupOutput](t)(s.DeleteSecurityGroup(ctx, &ec2api.DeleteSecurityGroupInput{GroupId: &web}))

	left := must[*ec2api.DescribeSecurityGroupRulesOutput](t)(s.DescribeSecurityGroupRules(ctx, &ec2api.DescribeSecurityGroupRulesInput{Filters: []ec2api.Filter{{Name: new("group-id"), Values: []string{db}}}}))
	if len(left.SecurityGroupRules) != 2 {
		t.Errorf("rules left: %+v", left)
	}
}

func TestFiltersTagsAndPages(t *testing.T) {
	s, ctx := newService(t)
	id := s.testVPC(t, ctx, "10.0.0.0/16")
	for i := range 7 {
		group := s.testGroup(t, ctx, id, fmt.Sprintf("g%d", i))
		must[*ec2api.CreateTagsOutput](t)(s.CreateTags(ctx, &ec2api.CreateTagsInput{Resources: []string{group}, Tags: []ec2api.Tag{{Key: new("Name"), Value: new(fmt.Sprintf("dev-microservices-%d", i))}}}))
	}
	count := func(name string, values ...string) int {
		return len(must[*ec2api.DescribeSecurityGroupsOutput](t)(s.DescribeSecurityGroups(ctx, &ec2api.DescribeSecurityGroupsInput{Filters: []ec2api.Filter{{Name: &name, Values: values}}})).SecurityGroups)
	}
	for _, c := range []struct {
		name   string
		values []string
		want   int
	}{
		{"tag:Name", []string{"*microservices*"}, 7},
		{"tag:Name", []string{"*-1", "*-2"}, 2},
		{"tag:Name", []string{"dev-microservices-?"}, 7},
		{"tag:Name", []string{"microservices"}, 0},
		{"tag-key", []string{"Name"}, 7},
		{"tag-value", []string{"*3"}, 1},
		{"group-name", []string{"g*"}, 7},
		{"group-name", []string{"G*"}, 0},
		{"vpc-id", []string{id}, 8},
		{"tag:Team", []string{"*"}, 0},
	} {
		if got := count(c.name, c.values...); got != c.want {
			t.Errorf("filter %s=%v: %d, want %d", c.name, c.values, got, c.want)
		}
	}
	_, err := s.DescribeSecurityGroups(ctx, &ec2api.DescribeSecurityGroupsInput{Filters: []ec2api.Filter{{Name: new("colour"), Values: []string{"red"}}}})
	refused(t, "unknown filter", err, "InvalidParameterValue: The filter 'colour' is invalid")

	seen := map[string]bool{}
	in := &ec2api.DescribeSecurityGroupsInput{MaxResults: new(int32(3))}
	for pages := 1; ; pages++ {
		out := must[*ec2api.DescribeSecurityGroupsOutput](t)(s.DescribeSecurityGroups(ctx, in))
		for _, g := range out.SecurityGroups {
			seen[*g.GroupId] = true
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			if pages != 3 || len(seen) != 8 {
				t.Errorf("%d pages, %d groups", pages, len(seen))
			}
			break
		}
	}
	_, err = s.DescribeSecurityGroups(ctx, &ec2api.DescribeSecurityGroupsInput{NextToken: new("forged")})
	if !errors.Is(err, awsapi.ErrInvalidToken) {
		t.Errorf("forged token: %v", err)
	}

	tags := must[*ec2api.DescribeTagsOutput](t)(s.DescribeTags(ctx, &ec2api.DescribeTagsInput{Filters: []ec2api.Filter{{Name: new("resource-type"), Values: []string{"security-group"}}, {Name: new("value"), Values: []string{"*-4"}}}})).Tags
	if len(tags) != 1 {
		t.Errorf("tags: %+v", tags)
	}
	must[*ec2api.DeleteTagsOutput](t)(s.DeleteTags(ctx, &ec2api.DeleteTagsInput{Resources: []string{*tags[0].ResourceId}, Tags: []ec2api.Tag{{Key: new("Name")}}}))
	if got := count("tag-key", "Name"); got != 6 {
		t.Errorf("after a tag was deleted: %d", got)
	}
	_, err = s.CreateTags(ctx, &ec2api.CreateTagsInput{Resources: []string{id}, Tags: []ec2api.Tag{{Key: new("aws:x"), Value: new("y")}}})
	refused(t, "reserved", err, "InvalidParameterValue: Tag keys starting with 'aws:' are reserved for internal use")
}

func TestWhatIsNotThere(t *testing.T) {
	s, ctx := newService(t)
	none := strings.Repeat("0", 17)
	for want, call := range map[string]func() error{
		"InvalidVpcID.NotFound: The vpc ID 'vpc-" + none + "' does not exist": func() error {
			_, err := s.DescribeVpcs(ctx, &ec2api.DescribeVpcsInput{VpcIds: []string{"vpc-" + none}})
			return err
		},
		`InvalidVpcID.Malformed: Invalid id: "x"`: func() error {
			_, err := s.DeleteVpc(ctx, &ec2api.DeleteVpcInput{VpcId: new("x")})
			return err
		},
		"InvalidSubnetID.NotFound: The subnet ID 'subnet-" + none + "' does not exist": func() error {
			_, err := s.DeleteSubnet(ctx, &ec2api.DeleteSubnetInput{SubnetId: new("subnet-" + none)})
			return err
		},
		"InvalidGroup.NotFound: The security group 'sg-" + none + "' does not exist": func() error {
			_, err := s.DeleteSecurityGroup(ctx, &ec2api.DeleteSecurityGroupInput{GroupId: new("sg-" + none)})
			return err
		},
		"InvalidInternetGatewayID.NotFound: The internetGateway ID 'igw-" + none + "' does not exist": func() error {
			_, err := s.DeleteInternetGateway(ctx, &ec2api.DeleteInternetGatewayInput{InternetGatewayId: new("igw-" + none)})
			return err
		},
		"NatGatewayNotFound: NatGateway nat-" + none + " was not found": func() error {
			_, err := s.DescribeNatGateways(ctx, &ec2api.DescribeNatGatewaysInput{NatGatewayIds: []string{"nat-" + none}})
			return err
		},
		"InvalidAllocationID.NotFound: The allocation ID 'eipalloc-" + none + "' does not exist": func() error {
			_, err := s.ReleaseAddress(ctx, &ec2api.ReleaseAddressInput{AllocationId: new("eipalloc-" + none)})
			return err
		},
		"InvalidAddress.NotFound: Address '203.0.113.9' not found.": func() error {
			_, err := s.DescribeAddresses(ctx, &ec2api.DescribeAddressesInput{PublicIps: []string{"203.0.113.9"}})
			return err
		},
		"InvalidRouteTableID.NotFound: The routeTable ID 'rtb-" + none + "' does not exist": func() error {
			_, err := s.DeleteRouteTable(ctx, &ec2api.DeleteRouteTableInput{RouteTableId: new("rtb-" + none)})
			return err
		},
		"InvalidAssociationID.NotFound: The association ID 'rtbassoc-1' does not exist": func() error {
			_, err := s.DisassociateRouteTable(ctx, &ec2api.DisassociateRouteTableInput{AssociationId: new("rtbassoc-1")})
			return err
		},
		"InvalidVpcEndpointId.NotFound: The Vpc Endpoint Id 'vpce-" + none + "' does not exist": func() error {
			_, err := s.DescribeVpcEndpoints(ctx, &ec2api.DescribeVpcEndpointsInput{VpcEndpointIds: []string{"vpce-" + none}})
			return err
		},
		"InvalidNetworkInterfaceID.NotFound: The networkInterface ID 'eni-" + none + "' does not exist": func() error {
			_, err := s.DeleteNetworkInterface(ctx, &ec2api.DeleteNetworkInterfaceInput{NetworkInterfaceId: new("eni-" + none)})
			return err
		},
		"InvalidPrefixListID.NotFound: The prefix list ID 'pl-1' does not exist": func() error {
			_, err := s.DescribePrefixLists(ctx, &ec2api.DescribePrefixListsInput{PrefixListIds: []string{"pl-1"}})
			return err
		},
		"InvalidID: The ID 'i-1' is not valid": func() error {
			_, err := s.CreateTags(ctx, &ec2api.CreateTagsInput{Resources: []string{"i-1"}})
			return err
		},
	} {
		refused(t, want, call(), want)
	}
}

func TestZonesAndRegions(t *testing.T) {
	s, ctx := newService(t)
	zones := must[*ec2api.DescribeAvailabilityZonesOutput](t)(s.DescribeAvailabilityZones(ctx, &ec2api.DescribeAvailabilityZonesInput{})).AvailabilityZones
	if len(zones) != 3 || *zones[2].ZoneName != "us-east-1c" || *zones[0].ZoneId != "use1-az1" {
		t.Errorf("zones: %+v", zones)
	}
	for region, want := range map[string]string{"us-west-2": "usw2", "ap-southeast-2": "apse2", "eu-central-1": "euc1", "ca-central-1": "cac1", "ap-northeast-3": "apne3"} {
		if got := regionCode(region); got != want {
			t.Errorf("%s: %s, want %s", region, got, want)
		}
	}
	if n := len(must[*ec2api.DescribeRegionsOutput](t)(s.DescribeRegions(ctx, &ec2api.DescribeRegionsInput{Filters: []ec2api.Filter{{Name: new("region-name"), Values: []string{"us-*"}}}})).Regions); n != 4 {
		t.Errorf("%d regions in the US", n)
	}
}
