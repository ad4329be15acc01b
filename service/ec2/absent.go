package ec2

import (
	"context"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// Of some kinds of resources there can be none, since the operations that make
// them are not implemented: instances, volumes, peering connections and the
// like. To list them is answered truthfully with nothing, as clients ask for
// them when they look a VPC up, make an inventory or clean up; to name one is
// answered as EC2 does for what does not exist.

// absent registers an operation that lists such a kind. ids are those that a
// request names.
func absent[I, O any](a *awsapi.Service, op, code, noun string, ids func(*I) []string) {
	handle(a, op, func(_ context.Context, in *I) (*O, error) {
		for _, id := range ids(in) {
			return nil, fault(code, "The %s '%s' does not exist", noun, id)
		}
		return new(O), nil
	})
}

func absents(a *awsapi.Service) {
	absent[ec2api.DescribeVpnGatewaysInput, ec2api.DescribeVpnGatewaysOutput](a, "DescribeVpnGateways",
		"InvalidVpnGatewayID.NotFound", "vpnGateway ID", func(in *ec2api.DescribeVpnGatewaysInput) []string { return in.VpnGatewayIds })
	absent[ec2api.DescribeVpnConnectionsInput, ec2api.DescribeVpnConnectionsOutput](a, "DescribeVpnConnections",
		"InvalidVpnConnectionID.NotFound", "vpnConnection ID", func(in *ec2api.DescribeVpnConnectionsInput) []string { return in.VpnConnectionIds })
	absent[ec2api.DescribeInstancesInput, ec2api.DescribeInstancesOutput](a, "DescribeInstances",
		"InvalidInstanceID.NotFound", "instance ID", func(in *ec2api.DescribeInstancesInput) []string { return in.InstanceIds })
	absent[ec2api.DescribeInstanceStatusInput, ec2api.DescribeInstanceStatusOutput](a, "DescribeInstanceStatus",
		"InvalidInstanceID.NotFound", "instance ID", func(in *ec2api.DescribeInstanceStatusInput) []string { return in.InstanceIds })
	absent[ec2api.DescribeVolumesInput, ec2api.DescribeVolumesOutput](a, "DescribeVolumes",
		"InvalidVolume.NotFound", "volume", func(in *ec2api.DescribeVolumesInput) []string { return in.VolumeIds })
	absent[ec2api.DescribeKeyPairsInput, ec2api.DescribeKeyPairsOutput](a, "DescribeKeyPairs",
		"InvalidKeyPair.NotFound", "key pair", func(in *ec2api.DescribeKeyPairsInput) []string { return append(in.KeyNames, in.KeyPairIds...) })
	absent[ec2api.DescribeVpcPeeringConnectionsInput, ec2api.DescribeVpcPeeringConnectionsOutput](a, "DescribeVpcPeeringConnections",
		"InvalidVpcPeeringConnectionID.NotFound", "vpcPeeringConnection ID", func(in *ec2api.DescribeVpcPeeringConnectionsInput) []string { return in.VpcPeeringConnectionIds })
	absent[ec2api.DescribeTransitGatewaysInput, ec2api.DescribeTransitGatewaysOutput](a, "DescribeTransitGateways",
		"InvalidTransitGatewayID.NotFound", "transitGateway ID", func(in *ec2api.DescribeTransitGatewaysInput) []string { return in.TransitGatewayIds })
	absent[ec2api.DescribeTransitGatewayVpcAttachmentsInput, ec2api.DescribeTransitGatewayVpcAttachmentsOutput](a, "DescribeTransitGatewayVpcAttachments",
		"InvalidTransitGatewayAttachmentID.NotFound", "transitGatewayAttachment ID",
		func(in *ec2api.DescribeTransitGatewayVpcAttachmentsInput) []string {
			return in.TransitGatewayAttachmentIds
		})
	absent[ec2api.DescribeEgressOnlyInternetGatewaysInput, ec2api.DescribeEgressOnlyInternetGatewaysOutput](a, "DescribeEgressOnlyInternetGateways",
		"InvalidGatewayID.NotFound", "egressOnlyInternetGateway ID", func(in *ec2api.DescribeEgressOnlyInternetGatewaysInput) []string {
			return in.EgressOnlyInternetGatewayIds
		})
	absent[ec2api.DescribeFlowLogsInput, ec2api.DescribeFlowLogsOutput](a, "DescribeFlowLogs",
		"InvalidFlowLogId.NotFound", "flow log", func(in *ec2api.DescribeFlowLogsInput) []string { return in.FlowLogIds })
	absent[ec2api.DescribeNetworkInterfacePermissionsInput, ec2api.DescribeNetworkInterfacePermissionsOutput](a, "DescribeNetworkInterfacePermissions",
		"InvalidPermissionID.NotFound", "permission ID", func(in *ec2api.DescribeNetworkInterfacePermissionsInput) []string {
			return in.NetworkInterfacePermissionIds
		})
	absent[ec2api.DescribeSecurityGroupVpcAssociationsInput, ec2api.DescribeSecurityGroupVpcAssociationsOutput](a, "DescribeSecurityGroupVpcAssociations",
		"", "", func(*ec2api.DescribeSecurityGroupVpcAssociationsInput) []string { return nil })
	absent[ec2api.DescribeVpcEndpointConnectionsInput, ec2api.DescribeVpcEndpointConnectionsOutput](a, "DescribeVpcEndpointConnections",
		"", "", func(*ec2api.DescribeVpcEndpointConnectionsInput) []string { return nil })
}
