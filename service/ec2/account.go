package ec2

import (
	"context"
	"slices"
	"strconv"

	"github.com/slipway-dev/slipway/api/ec2api"
)

// DescribeAvailabilityZones lists the three zones of the region.
func (s *Service) DescribeAvailabilityZones(ctx context.Context, in *ec2api.DescribeAvailabilityZonesInput) (*ec2api.DescribeAvailabilityZonesOutput, error) {
	region := scopeOf(ctx).Region
	out := &ec2api.DescribeAvailabilityZonesOutput{}
	for _, name := range in.ZoneNames {
		if !slices.Contains(Zones(region), name) {
			return nil, errInvalidParameter("Invalid availability zone: [%s]", name)
		}
	}
	for _, zone := range Zones(region) {
		id := zoneID(region, zone)
		ok, err := matches(in.Filters, map[string][]string{
			"zone-name": one(zone), "zone-id": one(id), "region-name": one(region), "state": one("available"), "zone-type": one("availability-zone"),
			"opt-in-status": one("opt-in-not-required"), "group-name": one(region + "-zg-1"), "message": nil,
		}, nil)
		if err != nil {
			return nil, err
		}
		if !ok || len(in.ZoneNames) > 0 && !slices.Contains(in.ZoneNames, zone) || len(in.ZoneIds) > 0 && !slices.Contains(in.ZoneIds, id) {
			continue
		}
		out.AvailabilityZones = append(out.AvailabilityZones, ec2api.AvailabilityZone{
			ZoneName: new(zone), ZoneId: &id, RegionName: &region, State: "available", ZoneType: new("availability-zone"),
			OptInStatus: "opt-in-not-required", GroupName: new(region + "-zg-1"), NetworkBorderGroup: &region,
		})
	}
	return out, nil
}

// DescribeRegions lists the regions that every account has.
func (s *Service) DescribeRegions(_ context.Context, in *ec2api.DescribeRegionsInput) (*ec2api.DescribeRegionsOutput, error) {
	for _, name := range in.RegionNames {
		if !slices.Contains(regions, name) {
			return nil, errInvalidParameter("Invalid region: [%s]", name)
		}
	}
	out := &ec2api.DescribeRegionsOutput{}
	for _, name := range regions {
		endpoint := "ec2." + name + ".amazonaws.com"
		ok, err := matches(in.Filters, map[string][]string{"region-name": one(name), "endpoint": one(endpoint), "opt-in-status": one("opt-in-not-required")}, nil)
		if err != nil {
			return nil, err
		}
		if ok && (len(in.RegionNames) == 0 || slices.Contains(in.RegionNames, name)) {
			out.Regions = append(out.Regions, ec2api.Region{RegionName: new(name), Endpoint: &endpoint, OptInStatus: new("opt-in-not-required")})
		}
	}
	return out, nil
}

// DescribeAccountAttributes tells quotas and platform of the account. Quotas
// that are not enforced show AWS's usual number.
func (s *Service) DescribeAccountAttributes(_ context.Context, in *ec2api.DescribeAccountAttributesInput) (*ec2api.DescribeAccountAttributesOutput, error) {
	addresses := s.quotas.Addresses
	if addresses == 0 {
		addresses = 5
	}
	out := &ec2api.DescribeAccountAttributesOutput{}
	for _, a := range [][2]string{
		{"supported-platforms", "VPC"},
		{"default-vpc", "none"},
		{"max-instances", "20"},
		{"vpc-max-security-groups-per-interface", "5"},
		{"max-elastic-ips", strconv.Itoa(addresses)},
		{"vpc-max-elastic-ips", strconv.Itoa(addresses)},
	} {
		if len(in.AttributeNames) == 0 || slices.Contains(in.AttributeNames, ec2api.AccountAttributeName(a[0])) {
			out.AccountAttributes = append(out.AccountAttributes, ec2api.AccountAttribute{
				AttributeName: new(a[0]), AttributeValues: []ec2api.AccountAttributeValue{{AttributeValue: new(a[1])}},
			})
		}
	}
	return out, nil
}
