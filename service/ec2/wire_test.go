package ec2

import (
	"net/http/httptest"
	"testing"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// Over the wire, as clients call it: lists, filters, errors and DryRun in EC2's
// own protocol.
func TestOverTheWire(t *testing.T) {
	s, _ := newService(t)
	server := httptest.NewServer(awsapi.NewMux(awsapi.Config{AnyAuth: true, DefaultScope: scope}, s.API()))
	defer server.Close()
	c := awsapi.NewClient(awsapi.ClientConfig{Endpoint: server.URL, Region: "us-east-1", AccessKey: "AKIDEXAMPLE", SecretKey: "secret"})
	v := must[*ec2api.CreateVpcOutput](t)(awsapi.Call[ec2api.CreateVpcInput, ec2api.CreateVpcOutput](t.Context(), c, "ec2", "CreateVpc", &ec2api.CreateVpcInput{
		CidrBlock: new("10.0.0.0/16"), TagSpecifications: []ec2api.TagSpecification{{ResourceType: "vpc", Tags: []ec2api.Tag{{Key: new("Name"), Value: new("dev-microservices")}}}},
	})).Vpc
	group := must[*ec2api.CreateSecurityGroupOutput](t)(awsapi.Call[ec2api.CreateSecurityGroupInput, ec2api.CreateSecurityGroupOutput](t.Context(), c, "ec2", "CreateSecurityGroup", &ec2api.CreateSecurityGroupInput{
		VpcId: v.VpcId, GroupName: new("web"), Description: new("web"),
	}))
	must[*ec2api.AuthorizeSecurityGroupIngressOutput](t)(awsapi.Call[ec2api.AuthorizeSecurityGroupIngressInput, ec2api.AuthorizeSecurityGroupIngressOutput](t.Context(), c, "ec2", "AuthorizeSecurityGroupIngress", &ec2api.AuthorizeSecurityGroupIngressInput{
		GroupId: group.GroupId, IpPermissions: tcp(80, fromCIDR("0.0.0.0/0")),
	}))
	groups := must[*ec2api.DescribeSecurityGroupsOutput](t)(awsapi.Call[ec2api.DescribeSecurityGroupsInput, ec2api.DescribeSecurityGroupsOutput](t.Context(), c, "ec2", "DescribeSecurityGroups", &ec2api.DescribeSecurityGroupsInput{
		Filters: []ec2api.Filter{{Name: new("vpc-id"), Values: []string{*v.VpcId}}, {Name: new("group-name"), Values: []string{"w*"}}},
	})).SecurityGroups
	if len(groups) != 1 || *groups[0].IpPermissions[0].IpRanges[0].CidrIp != "0.0.0.0/0" || *groups[0].IpPermissions[0].FromPort != 80 {
		t.Errorf("groups: %+v", groups)
	}
	_, err := awsapi.Call[ec2api.DeleteVpcInput, ec2api.DeleteVpcOutput](t.Context(), c, "ec2", "DeleteVpc", &ec2api.DeleteVpcInput{VpcId: v.VpcId})
	refused(t, "in use", err, "DependencyViolation: The vpc '"+*v.VpcId+"' has dependencies and cannot be deleted.")
	_, err = awsapi.Call[ec2api.CreateVpcInput, ec2api.CreateVpcOutput](t.Context(), c, "ec2", "CreateVpc", &ec2api.CreateVpcInput{CidrBlock: new("10.0.0.0/16"), DryRun: new(true)})
	refused(t, "dry run", err, "DryRunOperation: Request would have succeeded, but DryRun flag is set.")
	_, err = awsapi.Call[ec2api.CreateVpcInput, ec2api.CreateVpcOutput](t.Context(), c, "ec2", "CreateVpc", &ec2api.CreateVpcInput{
		CidrBlock: new("10.0.0.0/16"), TagSpecifications: []ec2api.TagSpecification{{ResourceType: "vpc", Tags: []ec2api.Tag{{Key: new("aws:x"), Value: new("y")}}}},
	})
	refused(t, "reserved tag", err, "InvalidParameterValue: Tag keys starting with 'aws:' are reserved for internal use")
	_, err = awsapi.Call[ec2api.DescribeVpcsInput, ec2api.DescribeVpcsOutput](t.Context(), c, "ec2", "DescribeVpcs", &ec2api.DescribeVpcsInput{NextToken: new("forged")})
	if err == nil {
		t.Error("a forged paging token was accepted")
	}
}
