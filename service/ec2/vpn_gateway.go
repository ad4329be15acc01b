package ec2

import (
	"context"

	"github.com/slipway-dev/slipway/api/ec2api"
)

// DescribeVpnGateways finds none: there is no way to make one here. Clients ask
// nonetheless, the CDK CLI on every look-up of a VPC.
func (s *Service) DescribeVpnGateways(_ context.Context, in *ec2api.DescribeVpnGatewaysInput) (*ec2api.DescribeVpnGatewaysOutput, error) {
	for _, id := range in.VpnGatewayIds {
		return nil, fault("InvalidVpnGatewayID.NotFound", "The vpnGateway ID '%s' does not exist", id)
	}
	return &ec2api.DescribeVpnGatewaysOutput{}, nil
}
