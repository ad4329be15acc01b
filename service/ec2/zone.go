package ec2

import (
	"slices"
	"strings"
)

// Zones are the names of a region's Availability Zones: three of them.
func Zones(region string) []string { return []string{region + "a", region + "b", region + "c"} }

// zoneID is the id of a zone: "use1-az1" for us-east-1a.
func zoneID(region, zone string) string {
	n := slices.Index(Zones(region), zone)
	if n < 0 {
		return ""
	}
	return regionCode(region) + "-az" + string(rune('1'+n))
}

// regionCode is a region's short form: us-east-1 is use1, ap-southeast-2 apse2.
func regionCode(region string) string {
	short := strings.NewReplacer("north", "n", "south", "s", "east", "e", "west", "w", "central", "c", "gov", "g")
	return strings.ReplaceAll(short.Replace(region), "-", "")
}

// zoneNamed finds a zone by name or id; the first one when both are empty.
func zoneNamed(region, name, id string) (string, error) {
	for _, z := range Zones(region) {
		if name == z || name == "" && (id == "" || id == zoneID(region, z)) {
			return z, nil
		}
	}
	return "", errInvalidParameter("Value (%s) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: %s.",
		name+id, strings.Join(Zones(region), ", "))
}

// regions are those DescribeRegions lists: the ones enabled in every account.
var regions = []string{
	"ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1", "eu-central-1", "eu-north-1",
	"eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
}
