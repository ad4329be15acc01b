package ec2

import (
	"context"
	"slices"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// RouteTable says where the traffic of its subnets goes.
type RouteTable struct {
	Meta
	VPC          string
	Routes       []Route // without the local route of the VPC
	Associations []Association
}

// Route sends a destination to a target. Destination is a CIDR block or the id of
// a prefix list; Target the id of a gateway, endpoint, or anything else EC2 knows.
type Route struct {
	Destination, Target string
}

// Association ties a subnet to a route table; the main table has one without a
// subnet.
type Association struct {
	ID, Subnet string
	Main       bool
}

// RouteTables holds route tables, keyed by scope and id.
var RouteTables = store.NewTable("ec2/route-table", func(t RouteTable) string { return t.key() },
	store.Index("vpc", func(t RouteTable) []string { return []string{t.Scope.Key(t.VPC)} }))

var routeTableKind = &kind[RouteTable]{
	table: RouteTables, typ: "route-table", prefix: "rtb-", code: "InvalidRouteTableID", noun: "routeTable ID",
	meta:   func(t *RouteTable) *Meta { return &t.Meta },
	fields: routeTableFields,
}

func routeTableFields(r store.Reader, t RouteTable) map[string][]string {
	f := map[string][]string{"route-table-id": one(t.ID), "vpc-id": one(t.VPC), "owner-id": one(t.Scope.Account)}
	for _, name := range []string{
		"association.route-table-association-id", "association.route-table-id", "association.subnet-id", "association.main", "association.gateway-id",
		"route.destination-cidr-block", "route.destination-ipv6-cidr-block", "route.destination-prefix-list-id", "route.gateway-id", "route.nat-gateway-id",
		"route.origin", "route.state", "route.vpc-peering-connection-id", "route.instance-id", "route.transit-gateway-id", "route.egress-only-internet-gateway-id",
	} {
		f[name] = nil
	}
	add := func(name, v string) {
		if v != "" {
			f[name] = append(f[name], v)
		}
	}
	for _, a := range t.Associations {
		add("association.route-table-association-id", a.ID)
		add("association.route-table-id", t.ID)
		add("association.subnet-id", a.Subnet)
		add("association.main", flag(a.Main)[0])
	}
	for _, rt := range t.apiRoutes(r) {
		add("route.destination-cidr-block", val(rt.DestinationCidrBlock))
		add("route.destination-prefix-list-id", val(rt.DestinationPrefixListId))
		add("route.gateway-id", val(rt.GatewayId))
		add("route.nat-gateway-id", val(rt.NatGatewayId))
		add("route.vpc-peering-connection-id", val(rt.VpcPeeringConnectionId))
		add("route.transit-gateway-id", val(rt.TransitGatewayId))
		add("route.origin", string(rt.Origin))
		add("route.state", string(rt.State))
	}
	return f
}

func (t RouteTable) main() bool {
	return slices.ContainsFunc(t.Associations, func(a Association) bool { return a.Main })
}

// dissociate removes the association of a subnet, if there is one.
func (t RouteTable) dissociate(tx *store.Tx, subnet string) {
	n := slices.IndexFunc(t.Associations, func(a Association) bool { return a.Subnet == subnet })
	if n >= 0 {
		t.Associations = slices.Delete(slices.Clone(t.Associations), n, n+1)
		RouteTables.Put(tx, t)
	}
}

// tableOf is the route table of a subnet: the associated one, or the main one.
func tableOf(r store.Reader, s Subnet) RouteTable {
	var main RouteTable
	for t := range RouteTables.By(r, "vpc", s.Scope.Key(s.VPC)) {
		for _, a := range t.Associations {
			if a.Subnet == s.ID {
				return t
			}
			if a.Main {
				main = t
			}
		}
	}
	return main
}

// CreateRouteTable makes a table with the local route only.
func (s *Service) CreateRouteTable(ctx context.Context, in *ec2api.CreateRouteTableInput) (*ec2api.CreateRouteTableOutput, error) {
	tags, err := tagsFor(in.TagSpecifications, "route-table")
	if err != nil {
		return nil, err
	}
	t := RouteTable{Meta: Meta{Scope: scopeOf(ctx), ID: awsapi.NewID(ctx, "rtb-", 17), Tags: tags}, VPC: val(in.VpcId)}
	return update(s, func(tx *store.Tx) (*ec2api.CreateRouteTableOutput, error) {
		if old, err := RouteTables.Get(tx, t.key()); err == nil {
			return &ec2api.CreateRouteTableOutput{RouteTable: new(old.api(tx)), ClientToken: in.ClientToken}, nil
		}
		if _, err := vpcKind.get(tx, t.Scope, t.VPC); err != nil {
			return nil, err
		}
		RouteTables.Put(tx, t)
		return &ec2api.CreateRouteTableOutput{RouteTable: new(t.api(tx)), ClientToken: in.ClientToken}, nil
	})
}

// DeleteRouteTable removes a table that is associated with nothing.
func (s *Service) DeleteRouteTable(ctx context.Context, in *ec2api.DeleteRouteTableInput) (*ec2api.DeleteRouteTableOutput, error) {
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.DeleteRouteTableOutput, error) {
		t, err := routeTableKind.get(tx, scope, val(in.RouteTableId))
		if err != nil {
			return nil, err
		}
		if len(t.Associations) > 0 {
			return nil, errDependency("routeTable", t.ID)
		}
		for e := range Endpoints.By(tx, "vpc", scope.Key(t.VPC)) {
			if i := slices.Index(e.RouteTables, t.ID); i >= 0 {
				e.RouteTables = slices.Delete(slices.Clone(e.RouteTables), i, i+1)
				Endpoints.Put(tx, e)
			}
		}
		RouteTables.Delete(tx, t.key())
		return &ec2api.DeleteRouteTableOutput{}, nil
	})
}

// DescribeRouteTables lists route tables.
func (s *Service) DescribeRouteTables(ctx context.Context, in *ec2api.DescribeRouteTablesInput) (*ec2api.DescribeRouteTablesOutput, error) {
	snap := s.store.Snapshot()
	rows, next, err := routeTableKind.describe(snap, scopeOf(ctx), query{in.RouteTableIds, in.Filters, in.MaxResults, in.NextToken})
	if err != nil {
		return nil, err
	}
	out := &ec2api.DescribeRouteTablesOutput{NextToken: next}
	for _, t := range rows {
		out.RouteTables = append(out.RouteTables, t.api(snap))
	}
	return out, nil
}

// AssociateRouteTable ties a subnet to a table.
func (s *Service) AssociateRouteTable(ctx context.Context, in *ec2api.AssociateRouteTableInput) (*ec2api.AssociateRouteTableOutput, error) {
	scope := scopeOf(ctx)
	a := Association{ID: awsapi.NewID(ctx, "rtbassoc-", 17), Subnet: val(in.SubnetId)}
	return update(s, func(tx *store.Tx) (*ec2api.AssociateRouteTableOutput, error) {
		t, err := routeTableKind.get(tx, scope, val(in.RouteTableId))
		if err != nil {
			return nil, err
		}
		sub, err := subnetKind.get(tx, scope, a.Subnet)
		if err != nil {
			return nil, err
		}
		if sub.VPC != t.VPC {
			return nil, errInvalidParameter("Route table %s and subnet %s belong to different networks", t.ID, sub.ID)
		}
		out := &ec2api.AssociateRouteTableOutput{AssociationId: &a.ID, AssociationState: &ec2api.RouteTableAssociationState{State: "associated"}}
		have := tableOf(tx, sub)
		for _, old := range have.Associations {
			switch {
			case old.Subnet != sub.ID:
			case have.ID == t.ID: // as it is
				out.AssociationId = &old.ID
				return out, nil
			default:
				return nil, fault("Resource.AlreadyAssociated", "the specified association for route table %s conflicts with an existing association", t.ID)
			}
		}
		t.Associations = append(slices.Clone(t.Associations), a)
		RouteTables.Put(tx, t)
		return out, nil
	})
}

// DisassociateRouteTable gives a subnet back to the main table.
func (s *Service) DisassociateRouteTable(ctx context.Context, in *ec2api.DisassociateRouteTableInput) (*ec2api.DisassociateRouteTableOutput, error) {
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.DisassociateRouteTableOutput, error) {
		t, a, err := findAssociation(tx, scope, val(in.AssociationId))
		if err != nil {
			return nil, err
		}
		if a.Main {
			return nil, errInvalidParameter("cannot disassociate the main route table association %s", a.ID)
		}
		t.dissociate(tx, a.Subnet)
		return &ec2api.DisassociateRouteTableOutput{}, nil
	})
}

// ReplaceRouteTableAssociation ties a subnet to another table, or makes another
// table the main one.
func (s *Service) ReplaceRouteTableAssociation(ctx context.Context, in *ec2api.ReplaceRouteTableAssociationInput) (*ec2api.ReplaceRouteTableAssociationOutput, error) {
	scope, id := scopeOf(ctx), awsapi.NewID(ctx, "rtbassoc-", 17)
	return update(s, func(tx *store.Tx) (*ec2api.ReplaceRouteTableAssociationOutput, error) {
		from, a, err := findAssociation(tx, scope, val(in.AssociationId))
		if err != nil {
			return nil, err
		}
		to, err := routeTableKind.get(tx, scope, val(in.RouteTableId))
		if err != nil {
			return nil, err
		}
		if to.VPC != from.VPC {
			return nil, errInvalidParameter("Route table %s and route table %s belong to different networks", from.ID, to.ID)
		}
		from.Associations = slices.DeleteFunc(slices.Clone(from.Associations), func(x Association) bool { return x == a })
		RouteTables.Put(tx, from)
		if to.ID == from.ID {
			to = from
		}
		to.Associations = append(slices.Clone(to.Associations), Association{ID: id, Subnet: a.Subnet, Main: a.Main})
		RouteTables.Put(tx, to)
		return &ec2api.ReplaceRouteTableAssociationOutput{NewAssociationId: &id, AssociationState: &ec2api.RouteTableAssociationState{State: "associated"}}, nil
	})
}

func findAssociation(r store.Reader, scope arn.Scope, id string) (RouteTable, Association, error) {
	for t := range routeTableKind.list(r, scope) {
		for _, a := range t.Associations {
			if a.ID == id {
				return t, a, nil
			}
		}
	}
	return RouteTable{}, Association{}, fault("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", id)
}
