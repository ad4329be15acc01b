package ec2

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Resources are the CloudFormation types of this service.
func (s *Service) Resources() []cfn.Type {
	return []cfn.Type{
		cfn.Of("AWS::EC2::VPC", vpcs{s}),
		cfn.Of("AWS::EC2::VPCCidrBlock", vpcCIDRBlocks{s}),
		cfn.Of("AWS::EC2::Subnet", subnets{s}),
		cfn.Of("AWS::EC2::RouteTable", routeTables{s}),
		cfn.Of("AWS::EC2::Route", routes{s}),
		cfn.Of("AWS::EC2::SubnetRouteTableAssociation", subnetAssociations{s}),
		cfn.Of("AWS::EC2::InternetGateway", internetGateways{s}),
		cfn.Of("AWS::EC2::VPCGatewayAttachment", gatewayAttachments{s}),
		cfn.Of("AWS::EC2::NatGateway", natGateways{s}),
		cfn.Of("AWS::EC2::EIP", eips{s}),
		cfn.Of("AWS::EC2::SecurityGroup", securityGroups{s}),
		cfn.Of("AWS::EC2::SecurityGroupIngress", groupIngresses{s}),
		cfn.Of("AWS::EC2::SecurityGroupEgress", groupEgresses{s}),
		cfn.Of("AWS::EC2::NetworkAcl", networkACLs{s}),
		cfn.Of("AWS::EC2::NetworkAclEntry", aclEntries{s}),
		cfn.Of("AWS::EC2::SubnetNetworkAclAssociation", aclAssociations{s}),
		cfn.Of("AWS::EC2::VPCEndpoint", vpcEndpoints{s}),
		cfn.Of("AWS::EC2::NetworkInterface", networkInterfaces{s}),
	}
}

// stackTags are the stack's tags and the resource's own, as a creation takes them.
func stackTags(ctx context.Context, resourceType ec2api.ResourceType, own []cfn.Tag) []ec2api.TagSpecification {
	req, _ := cfn.From(ctx)
	all := req.AllTags(own)
	if len(all) == 0 {
		return nil
	}
	return []ec2api.TagSpecification{{ResourceType: resourceType, Tags: apiTags(all)}}
}

// setTags makes the tags of a resource those of the stack and its own.
func setTags[R any](ctx context.Context, s *Service, k *kind[R], id string, own []cfn.Tag) error {
	req, _ := cfn.From(ctx)
	all := req.AllTags(own)
	return s.store.Update(func(tx *store.Tx) error {
		return k.changeTags(tx, scopeOf(ctx), id, func(tags map[string]string) {
			clear(tags)
			maps.Copy(tags, all)
		})
	})
}

// cfnTags are the tags that a template gave: those of CloudFormation itself are
// not among them.
func cfnTags(tags map[string]string) []cfn.Tag {
	var out []cfn.Tag
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		if !reserved(k) {
			out = append(out, cfn.Tag{Key: k, Value: tags[k]})
		}
	}
	return out
}

// ifThere turns the error of a deletion into nil when the resource is gone.
func ifThere[T any](_ T, err error) error {
	if e, ok := errors.AsType[*awsapi.Error](err); ok && strings.HasSuffix(e.Code, "NotFound") {
		return nil
	}
	return err
}
