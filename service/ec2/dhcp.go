package ec2

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/arn"
)

// dhcpOptions is the id of a region's default set of DHCP options, the only
// one there is: that of every VPC.
func dhcpOptions(scope arn.Scope) string {
	sum := sha256.Sum256([]byte("dhcp options " + scope.Key("")))
	return "dopt-" + hex.EncodeToString(sum[:])[:17]
}

// DescribeDhcpOptions shows the default set: Amazon's DNS, which answers at
// VPC+2, and the region's domain.
func (s *Service) DescribeDhcpOptions(ctx context.Context, in *ec2api.DescribeDhcpOptionsInput) (*ec2api.DescribeDhcpOptionsOutput, error) {
	scope := scopeOf(ctx)
	id, domain := dhcpOptions(scope), privateDomain(scope.Region)
	for _, asked := range in.DhcpOptionsIds {
		if asked != id {
			return nil, fault("InvalidDhcpOptionID.NotFound", "The dhcpOption ID '%s' does not exist", asked)
		}
	}
	ok, err := matches(in.Filters, map[string][]string{
		"dhcp-options-id": one(id), "key": {"domain-name", "domain-name-servers"}, "value": {domain, "AmazonProvidedDNS"}, "owner-id": one(scope.Account),
	}, nil)
	if err != nil || !ok {
		return &ec2api.DescribeDhcpOptionsOutput{}, err
	}
	return &ec2api.DescribeDhcpOptionsOutput{DhcpOptions: []ec2api.DhcpOptions{{
		DhcpOptionsId: &id, OwnerId: &scope.Account, DhcpConfigurations: []ec2api.DhcpConfiguration{
			{Key: new("domain-name"), Values: []ec2api.AttributeValue{{Value: &domain}}},
			{Key: new("domain-name-servers"), Values: []ec2api.AttributeValue{{Value: new("AmazonProvidedDNS")}}},
		},
	}}}, nil
}
