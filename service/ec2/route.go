package ec2

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/store"
)

// CreateRoute adds a route.
func (s *Service) CreateRoute(ctx context.Context, in *ec2api.CreateRouteInput) (*ec2api.CreateRouteOutput, error) {
	err := s.setRoute(ctx, in, false)
	if err != nil {
		return nil, err
	}
	return &ec2api.CreateRouteOutput{Return: new(true)}, nil
}

// ReplaceRoute changes the target of a route.
func (s *Service) ReplaceRoute(ctx context.Context, in *ec2api.ReplaceRouteInput) (*ec2api.ReplaceRouteOutput, error) {
	err := s.setRoute(ctx, &ec2api.CreateRouteInput{
		RouteTableId: in.RouteTableId, DestinationCidrBlock: in.DestinationCidrBlock, DestinationIpv6CidrBlock: in.DestinationIpv6CidrBlock,
		DestinationPrefixListId: in.DestinationPrefixListId, GatewayId: in.GatewayId, NatGatewayId: in.NatGatewayId, VpcEndpointId: in.VpcEndpointId,
		NetworkInterfaceId: in.NetworkInterfaceId, VpcPeeringConnectionId: in.VpcPeeringConnectionId, TransitGatewayId: in.TransitGatewayId, InstanceId: in.InstanceId,
	}, true)
	if err != nil {
		return nil, err
	}
	return &ec2api.ReplaceRouteOutput{}, nil
}

func (s *Service) setRoute(ctx context.Context, in *ec2api.CreateRouteInput, replace bool) error {
	scope := scopeOf(ctx)
	destination, err := destinationOf(in.DestinationCidrBlock, in.DestinationPrefixListId, in.DestinationIpv6CidrBlock)
	if err != nil {
		return err
	}
	return s.store.Update(func(tx *store.Tx) error {
		t, err := routeTableKind.get(tx, scope, val(in.RouteTableId))
		if err != nil {
			return err
		}
		target, err := t.targetOf(tx, in)
		if err != nil {
			return err
		}
		if err := t.mayRoute(tx, destination); err != nil {
			return err
		}
		route := Route{Destination: destination, Target: target}
		n := slices.IndexFunc(t.Routes, func(r Route) bool { return r.Destination == destination })
		t.Routes = slices.Clone(t.Routes)
		switch {
		case n >= 0 && (replace || t.Routes[n] == route):
			t.Routes[n] = route
		case n >= 0:
			return fault("RouteAlreadyExists", "The route identified by %s already exists.", destination)
		case replace:
			return errNoRoute(destination, t.ID)
		default:
			t.Routes = append(t.Routes, route)
		}
		RouteTables.Put(tx, t)
		return nil
	})
}

func errNoRoute(destination, table string) error {
	return fault("InvalidRoute.NotFound", "no route with destination-cidr-block %s in route table %s", destination, table)
}

// destinationOf is a CIDR block with its host bits cleared, or a prefix list's id.
func destinationOf(cidr, list, cidr6 *string) (string, error) {
	switch {
	case list != nil:
		return *list, nil
	case cidr6 != nil:
		return "", errInvalidParameter("The VPC has no IPv6 CIDR block; destination %s cannot be routed.", *cidr6)
	case cidr == nil:
		return "", errMissingParameter("destinationCidrBlock")
	}
	p, err := netip.ParsePrefix(*cidr)
	if err != nil || !p.Addr().Is4() {
		return "", errCIDR(*cidr, "destinationCidrBlock")
	}
	return p.Masked().String(), nil
}

// targetOf is the one target of a request; what it names must exist.
func (t RouteTable) targetOf(r store.Reader, in *ec2api.CreateRouteInput) (string, error) {
	var ids []string
	for _, p := range []*string{in.GatewayId, in.NatGatewayId, in.VpcEndpointId, in.NetworkInterfaceId, in.VpcPeeringConnectionId, in.TransitGatewayId, in.InstanceId} {
		if val(p) != "" {
			ids = append(ids, *p)
		}
	}
	if len(ids) != 1 {
		return "", errInvalidParameter("exactly one of gatewayId, natGatewayId, networkInterfaceId, vpcPeeringConnectionId, transitGatewayId or vpcEndpointId must be specified")
	}
	id, scope := ids[0], t.Scope
	var err error
	switch {
	case strings.HasPrefix(id, "igw-"):
		var g InternetGateway
		if g, err = internetGatewayKind.get(r, scope, id); err == nil && g.VPC != t.VPC {
			err = errInvalidParameter("route table %s and network gateway %s belong to different networks", t.ID, id)
		}
	case strings.HasPrefix(id, "nat-"):
		var g NATGateway
		if g, err = natKind.get(r, scope, id); err == nil && g.VPC != t.VPC {
			err = errInvalidParameter("route table %s and network gateway %s belong to different networks", t.ID, id)
		}
	case strings.HasPrefix(id, "vpce-"):
		_, err = endpointKind.get(r, scope, id)
	case strings.HasPrefix(id, "eni-"):
		_, err = interfaceKind.get(r, scope, id)
	default: // peering, transit and VPN gateways do not exist here
		err = fault("InvalidGatewayID.NotFound", "The gateway ID '%s' does not exist", id)
	}
	return id, err
}

// mayRoute refuses destinations that the local route covers, unless they are
// more specific.
func (t RouteTable) mayRoute(r store.Reader, destination string) error {
	v, err := vpcKind.get(r, t.Scope, t.VPC)
	if err != nil {
		return err
	}
	for _, c := range v.CIDRs {
		if c.Block == destination {
			return fault("RouteAlreadyExists", "The route identified by %s already exists.", destination)
		}
	}
	if p, err := netip.ParsePrefix(destination); err == nil && slices.ContainsFunc(v.CIDRs, func(c CIDR) bool {
		return netip.MustParsePrefix(c.Block).Contains(p.Addr()) && netip.MustParsePrefix(c.Block).Bits() < p.Bits()
	}) {
		return errInvalidParameter("The destination CIDR block %s is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance.", destination)
	}
	return nil
}

// DeleteRoute removes a route.
func (s *Service) DeleteRoute(ctx context.Context, in *ec2api.DeleteRouteInput) (*ec2api.DeleteRouteOutput, error) {
	destination, err := destinationOf(in.DestinationCidrBlock, in.DestinationPrefixListId, in.DestinationIpv6CidrBlock)
	if err != nil {
		return nil, err
	}
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.DeleteRouteOutput, error) {
		t, err := routeTableKind.get(tx, scope, val(in.RouteTableId))
		if err != nil {
			return nil, err
		}
		n := slices.IndexFunc(t.Routes, func(r Route) bool { return r.Destination == destination })
		if n < 0 {
			return nil, errNoRoute(destination, t.ID)
		}
		t.Routes = slices.Delete(slices.Clone(t.Routes), n, n+1)
		RouteTables.Put(tx, t)
		return &ec2api.DeleteRouteOutput{}, nil
	})
}

func (t RouteTable) api(r store.Reader) ec2api.RouteTable {
	out := ec2api.RouteTable{RouteTableId: &t.ID, VpcId: &t.VPC, OwnerId: &t.Scope.Account, Tags: apiTags(t.Tags), Routes: t.apiRoutes(r)}
	for _, a := range t.Associations {
		out.Associations = append(out.Associations, ec2api.RouteTableAssociation{
			RouteTableAssociationId: &a.ID, RouteTableId: &t.ID, SubnetId: opt(a.Subnet), Main: &a.Main,
			AssociationState: &ec2api.RouteTableAssociationState{State: "associated"},
		})
	}
	return out
}

// apiRoutes are the local routes, the table's own, and those of gateway endpoints.
func (t RouteTable) apiRoutes(r store.Reader) []ec2api.Route {
	var out []ec2api.Route
	if v, err := VPCs.Get(r, t.Scope.Key(t.VPC)); err == nil {
		for _, c := range v.CIDRs {
			out = append(out, ec2api.Route{DestinationCidrBlock: &c.Block, GatewayId: new("local"), Origin: "CreateRouteTable", State: "active"})
		}
	}
	for _, route := range t.Routes {
		a := ec2api.Route{Origin: "CreateRoute", State: "active"}
		if strings.HasPrefix(route.Destination, "pl-") {
			a.DestinationPrefixListId = &route.Destination
		} else {
			a.DestinationCidrBlock = &route.Destination
		}
		switch {
		case strings.HasPrefix(route.Target, "nat-"):
			a.NatGatewayId = &route.Target
		case strings.HasPrefix(route.Target, "eni-"):
			a.NetworkInterfaceId = &route.Target
		default:
			a.GatewayId = &route.Target
		}
		if !t.leads(r, route.Target) {
			a.State = "blackhole"
		}
		out = append(out, a)
	}
	for e := range Endpoints.By(r, "vpc", t.Scope.Key(t.VPC)) {
		if e.gateway() && slices.Contains(e.RouteTables, t.ID) {
			list := prefixListOf(t.Scope.Region, e.Service)
			out = append(out, ec2api.Route{DestinationPrefixListId: &list.ID, GatewayId: &e.ID, Origin: "CreateRoute", State: "active"})
		}
	}
	return out
}

// leads tells whether the target of a route is there and in service.
func (t RouteTable) leads(r store.Reader, target string) bool {
	key := t.Scope.Key(target)
	switch {
	case strings.HasPrefix(target, "igw-"):
		g, err := InternetGateways.Get(r, key)
		return err == nil && g.VPC == t.VPC
	case strings.HasPrefix(target, "nat-"):
		g, err := NATGateways.Get(r, key)
		return err == nil && g.State == "available"
	case strings.HasPrefix(target, "eni-"):
		_, err := Interfaces.Get(r, key)
		return err == nil
	}
	return false
}
