package ec2

import (
	"testing"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Every VPC has the region's set of DHCP options, which can be looked up.
func TestAVPCHasTheDefaultDHCPOptions(t *testing.T) {
	s, ctx := newService(t)
	s.testVPC(t, ctx, "10.0.0.0/16")
	id := must[*ec2api.DescribeVpcsOutput](t)(s.DescribeVpcs(ctx, &ec2api.DescribeVpcsInput{})).Vpcs[0].DhcpOptionsId
	for _, in := range []ec2api.DescribeDhcpOptionsInput{
		{}, {DhcpOptionsIds: []string{*id}}, {Filters: []ec2api.Filter{{Name: new("value"), Values: []string{"Amazon*"}}}},
	} {
		sets := must[*ec2api.DescribeDhcpOptionsOutput](t)(s.DescribeDhcpOptions(ctx, &in)).DhcpOptions
		if len(sets) != 1 || *sets[0].DhcpOptionsId != *id || *sets[0].DhcpConfigurations[0].Values[0].Value != "ec2.internal" {
			t.Errorf("%+v finds %+v", in, sets)
		}
	}
	_, err := s.DescribeDhcpOptions(ctx, &ec2api.DescribeDhcpOptionsInput{DhcpOptionsIds: []string{"dopt-0"}})
	refused(t, "a set that is not there", err, "InvalidDhcpOptionID.NotFound: The dhcpOption ID 'dopt-0' does not exist")
	_, err = s.DescribeDhcpOptions(ctx, &ec2api.DescribeDhcpOptionsInput{Filters: []ec2api.Filter{{Name: new("colour"), Values: []string{"red"}}}})
	refused(t, "an unknown filter", err, "InvalidParameterValue: The filter 'colour' is invalid")
}

// The interfaces of services are found by what is known of them.
func TestInterfacesOfServicesAreFound(t *testing.T) {
	s, ctx := newService(t)
	vpc := s.testVPC(t, ctx, "10.0.0.0/16")
	subnet := s.testSubnet(t, ctx, vpc, "10.0.0.0/24")
	group := s.testGroup(t, ctx, vpc, "web")
	if err := s.store.Update(func(tx *store.Tx) error {
		for id, spec := range map[string]InterfaceSpec{
			"eni-00000000000000001": {Type: "load_balancer", Description: "ELB app/shop/0123456789abcdef", OwnerARN: "balancer", PublicIP: true},
			"eni-00000000000000002": {Type: "interface", Description: "arn:aws:ecs:us-east-1:000000000000:attachment/1", OwnerARN: "task"},
		} {
			spec.ID, spec.SubnetID, spec.GroupIDs = id, subnet, []string{group}
			if _, err := CreateInterface(tx, scopeOf(ctx), spec); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		name, value string
		want        int
	}{
		{"description", "ELB app/shop/*", 1},
		{"description", "arn:aws:ecs:*", 1},
		{"requester-id", "amazon-elb", 1},
		{"attachment.instance-owner-id", "amazon-elb", 1},
		{"attachment.device-index", "1", 2},
		{"attachment.instance-id", "*", 0},
		{"group-name", "we?", 2},
		{"addresses.association.public-ip", "203.0.113.*", 1},
		{"association.ip-owner-id", "amazon", 1},
		{"association.allocation-id", "*", 0},
		{"ipv6-addresses.ipv6-address", "*", 0},
	} {
		found := must[*ec2api.DescribeNetworkInterfacesOutput](t)(s.DescribeNetworkInterfaces(ctx, &ec2api.DescribeNetworkInterfacesInput{
			Filters: []ec2api.Filter{{Name: &f.name, Values: []string{f.value}}},
		})).NetworkInterfaces
		if len(found) != f.want {
			t.Errorf("%s=%s finds %d, want %d", f.name, f.value, len(found), f.want)
		}
	}
}
