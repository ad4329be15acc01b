package ec2

import (
	"context"
	"reflect"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// API is the service with its operations. Those that make instances, and what
// cannot be enforced here (peering, IPv6, flow logs), are
// not among them.
func (s *Service) API() *awsapi.Service {
	a := awsapi.NewService("ec2")

	handle(a, "CreateVpc", s.CreateVpc)
	handle(a, "DeleteVpc", s.DeleteVpc)
	handle(a, "DescribeVpcs", s.DescribeVpcs)
	handle(a, "ModifyVpcAttribute", s.ModifyVpcAttribute)
	handle(a, "DescribeVpcAttribute", s.DescribeVpcAttribute)
	handle(a, "AssociateVpcCidrBlock", s.AssociateVpcCidrBlock)
	handle(a, "DisassociateVpcCidrBlock", s.DisassociateVpcCidrBlock)

	handle(a, "CreateSubnet", s.CreateSubnet)
	handle(a, "DeleteSubnet", s.DeleteSubnet)
	handle(a, "DescribeSubnets", s.DescribeSubnets)
	handle(a, "ModifySubnetAttribute", s.ModifySubnetAttribute)

	handle(a, "CreateSecurityGroup", s.CreateSecurityGroup)
	handle(a, "DeleteSecurityGroup", s.DeleteSecurityGroup)
	handle(a, "DescribeSecurityGroups", s.DescribeSecurityGroups)
	handle(a, "GetSecurityGroupsForVpc", s.GetSecurityGroupsForVpc)
	handle(a, "DescribeSecurityGroupRules", s.DescribeSecurityGroupRules)
	handle(a, "AuthorizeSecurityGroupIngress", s.AuthorizeSecurityGroupIngress)
	handle(a, "AuthorizeSecurityGroupEgress", s.AuthorizeSecurityGroupEgress)
	handle(a, "RevokeSecurityGroupIngress", s.RevokeSecurityGroupIngress)
	handle(a, "RevokeSecurityGroupEgress", s.RevokeSecurityGroupEgress)
	handle(a, "ModifySecurityGroupRules", s.ModifySecurityGroupRules)
	handle(a, "UpdateSecurityGroupRuleDescriptionsIngress", s.UpdateSecurityGroupRuleDescriptionsIngress)
	handle(a, "UpdateSecurityGroupRuleDescriptionsEgress", s.UpdateSecurityGroupRuleDescriptionsEgress)

	handle(a, "CreateInternetGateway", s.CreateInternetGateway)
	handle(a, "DeleteInternetGateway", s.DeleteInternetGateway)
	handle(a, "AttachInternetGateway", s.AttachInternetGateway)
	handle(a, "DetachInternetGateway", s.DetachInternetGateway)
	handle(a, "DescribeInternetGateways", s.DescribeInternetGateways)
	handle(a, "CreateNatGateway", s.CreateNatGateway)
	handle(a, "DeleteNatGateway", s.DeleteNatGateway)
	handle(a, "DescribeNatGateways", s.DescribeNatGateways)

	handle(a, "AllocateAddress", s.AllocateAddress)
	handle(a, "ReleaseAddress", s.ReleaseAddress)
	handle(a, "AssociateAddress", s.AssociateAddress)
	handle(a, "DisassociateAddress", s.DisassociateAddress)
	handle(a, "DescribeAddresses", s.DescribeAddresses)
	handle(a, "DescribeAddressesAttribute", s.DescribeAddressesAttribute)

	handle(a, "CreateRouteTable", s.CreateRouteTable)
	handle(a, "DeleteRouteTable", s.DeleteRouteTable)
	handle(a, "DescribeRouteTables", s.DescribeRouteTables)
	handle(a, "AssociateRouteTable", s.AssociateRouteTable)
	handle(a, "DisassociateRouteTable", s.DisassociateRouteTable)
	handle(a, "ReplaceRouteTableAssociation", s.ReplaceRouteTableAssociation)
	handle(a, "CreateRoute", s.CreateRoute)
	handle(a, "ReplaceRoute", s.ReplaceRoute)
	handle(a, "DeleteRoute", s.DeleteRoute)

	handle(a, "CreateVpcEndpoint", s.CreateVpcEndpoint)
	handle(a, "DeleteVpcEndpoints", s.DeleteVpcEndpoints)
	handle(a, "DescribeVpcEndpoints", s.DescribeVpcEndpoints)
	handle(a, "ModifyVpcEndpoint", s.ModifyVpcEndpoint)
	handle(a, "DescribeVpcEndpointServices", s.DescribeVpcEndpointServices)
	handle(a, "DescribePrefixLists", s.DescribePrefixLists)
	handle(a, "DescribeManagedPrefixLists", s.DescribeManagedPrefixLists)
	handle(a, "GetManagedPrefixListEntries", s.GetManagedPrefixListEntries)

	handle(a, "CreateNetworkInterface", s.CreateNetworkInterface)
	handle(a, "DeleteNetworkInterface", s.DeleteNetworkInterface)
	handle(a, "DescribeNetworkInterfaces", s.DescribeNetworkInterfaces)
	handle(a, "DescribeNetworkInterfaceAttribute", s.DescribeNetworkInterfaceAttribute)
	handle(a, "ModifyNetworkInterfaceAttribute", s.ModifyNetworkInterfaceAttribute)

	handle(a, "CreateNetworkAcl", s.CreateNetworkAcl)
	handle(a, "DeleteNetworkAcl", s.DeleteNetworkAcl)
	handle(a, "DescribeNetworkAcls", s.DescribeNetworkAcls)
	handle(a, "CreateNetworkAclEntry", s.CreateNetworkAclEntry)
	handle(a, "ReplaceNetworkAclEntry", s.ReplaceNetworkAclEntry)
	handle(a, "DeleteNetworkAclEntry", s.DeleteNetworkAclEntry)
	handle(a, "ReplaceNetworkAclAssociation", s.ReplaceNetworkAclAssociation)

	handle(a, "DescribeDhcpOptions", s.DescribeDhcpOptions)
	handle(a, "DescribeAvailabilityZones", s.DescribeAvailabilityZones)
	handle(a, "DescribeRegions", s.DescribeRegions)
	handle(a, "DescribeAccountAttributes", s.DescribeAccountAttributes)
	handle(a, "CreateTags", s.CreateTags)
	handle(a, "DeleteTags", s.DeleteTags)
	handle(a, "DescribeTags", s.DescribeTags)
	absents(a)
	return a
}

// handle registers an operation. With DryRun set it changes nothing and answers
// DryRunOperation, as every EC2 operation does; tags of AWS's own are for
// CloudFormation only, which calls the methods.
func handle[I, O any](a *awsapi.Service, op string, fn func(context.Context, *I) (*O, error)) {
	dryRun, hasDryRun := reflect.TypeFor[I]().FieldByName("DryRun")
	specs, hasSpecs := reflect.TypeFor[I]().FieldByName("TagSpecifications")
	awsapi.Handle(a, op, func(ctx context.Context, in *I) (*O, error) {
		v := reflect.ValueOf(in).Elem()
		if hasSpecs {
			for _, spec := range v.FieldByIndex(specs.Index).Interface().([]ec2api.TagSpecification) {
				for _, t := range spec.Tags {
					if reserved(val(t.Key)) {
						return nil, errReservedTag()
					}
				}
			}
		}
		if hasDryRun {
			if dry, _ := v.FieldByIndex(dryRun.Index).Interface().(*bool); val(dry) {
				return nil, errDryRun()
			}
		}
		return fn(ctx, in)
	})
}
