package mesh

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// assignment is where a cluster's endpoints are, those of a zone together.
// Zones and endpoints are in order, so that the same ones are the same version.
func assignment(cluster string, all []Endpoint, port int32) *xdsapi.ClusterLoadAssignment {
	all = slices.DeleteFunc(slices.Clone(all), func(e Endpoint) bool { return !e.IP.IsValid() })
	slices.SortFunc(all, func(a, b Endpoint) int { return cmp.Or(cmp.Compare(a.Zone, b.Zone), a.IP.Compare(b.IP)) })
	all = slices.CompactFunc(all, func(a, b Endpoint) bool { return a.IP == b.IP })
	out := &xdsapi.ClusterLoadAssignment{ClusterName: cluster}
	for i, e := range all {
		if i == 0 || all[i-1].Zone != e.Zone {
			out.Endpoints = append(out.Endpoints, &xdsapi.LocalityLbEndpoints{Locality: locality(e.Zone), LoadBalancingWeight: wrapperspb.UInt32(0)})
		}
		health := xdsapi.HealthStatus_HEALTHSTATUS_HEALTHY
		if e.Unhealthy {
			health = xdsapi.HealthStatus_HEALTHSTATUS_UNHEALTHY
		}
		zone := out.Endpoints[len(out.Endpoints)-1]
		zone.LoadBalancingWeight.Value++ // a proxyless client takes a zone without a weight for an empty one
		zone.LbEndpoints = append(zone.LbEndpoints, &xdsapi.LbEndpoint{
			HealthStatus:   health,
			HostIdentifier: &xdsapi.LbEndpoint_Endpoint{Endpoint: &xdsapi.Endpoint{Address: address(e.IP.String(), port)}},
		})
	}
	return out
}

// locality is a zone's: "us-east-1a" lies in "us-east-1".
func locality(zone string) *xdsapi.Locality {
	region := zone
	if n := len(zone); n > 0 && zone[n-1] >= 'a' {
		region = zone[:n-1]
	}
	return &xdsapi.Locality{Region: region, Zone: zone}
}
