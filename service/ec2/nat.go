package ec2

import (
	"context"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

// NATGateway lets subnets that route to it out of their VPC. State goes from
// pending to available, and from deleting to deleted; failed is final too.
type NATGateway struct {
	Meta
	VPC, Subnet      string
	Connectivity     string // public or private
	Allocation       string // elastic IP of a public one
	AssociationID    string
	Interface        string
	State            string
	FailureCode      string
	FailureMessage   string
	Created, Deleted time.Time
	PrivateIP        string
	PublicIP         string
}

// NATGateways holds NAT gateways, keyed by scope and id; deleted ones for an hour.
var NATGateways = store.NewTable("ec2/nat-gateway", func(g NATGateway) string { return g.key() },
	store.Index("vpc", func(g NATGateway) []string { return []string{g.Scope.Key(g.VPC)} }))

var natKind = &kind[NATGateway]{
	table: NATGateways, typ: "natgateway", prefix: "nat-", code: "InvalidNatGatewayID",
	meta:    func(g *NATGateway) *Meta { return &g.Meta },
	missing: func(id string) error { return fault("NatGatewayNotFound", "NatGateway %s was not found", id) },
	fields: func(_ store.Reader, g NATGateway) map[string][]string {
		return map[string][]string{"nat-gateway-id": one(g.ID), "state": one(g.State), "subnet-id": one(g.Subnet), "vpc-id": one(g.VPC), "connectivity-type": one(g.Connectivity)}
	},
}

// CreateNatGateway makes a NAT gateway in state pending. A public one takes an
// elastic IP that nobody else uses.
func (s *Service) CreateNatGateway(ctx context.Context, in *ec2api.CreateNatGatewayInput) (*ec2api.CreateNatGatewayOutput, error) {
	if err := required("subnetId", val(in.SubnetId)); err != nil {
		return nil, err
	}
	tags, err := tagsFor(in.TagSpecifications, "natgateway")
	if err != nil {
		return nil, err
	}
	g := NATGateway{
		Meta:   Meta{Scope: scopeOf(ctx), ID: awsapi.NewID(ctx, "nat-", 17), Tags: tags},
		Subnet: *in.SubnetId, Connectivity: string(in.ConnectivityType), Allocation: val(in.AllocationId), AssociationID: awsapi.NewID(ctx, "eipassoc-", 17),
		Interface: awsapi.NewID(ctx, "eni-", 17), State: "pending", Created: time.Now().UTC().Truncate(time.Second), PrivateIP: val(in.PrivateIpAddress),
	}
	if g.Connectivity == "" {
		g.Connectivity = "public"
	}
	switch {
	case g.Connectivity == "public" && g.Allocation == "":
		return nil, errMissingParameter("AllocationId")
	case g.Connectivity == "private" && g.Allocation != "":
		return nil, errInvalidParameter("Elastic IP addresses are not supported for private NAT gateways.")
	}
	return update(s, func(tx *store.Tx) (*ec2api.CreateNatGatewayOutput, error) {
		if old, err := NATGateways.Get(tx, g.key()); err == nil {
			return &ec2api.CreateNatGatewayOutput{NatGateway: new(old.api()), ClientToken: in.ClientToken}, nil
		}
		row, err := g.create(tx)
		if err != nil {
			return nil, err
		}
		return &ec2api.CreateNatGatewayOutput{NatGateway: new(row.api()), ClientToken: in.ClientToken}, nil
	})
}

func (g NATGateway) create(tx *store.Tx) (NATGateway, error) {
	i, err := CreateInterface(tx, g.Scope, InterfaceSpec{
		ID: g.Interface, SubnetID: g.Subnet, Type: "nat_gateway", IP: g.PrivateIP,
		Description: "Interface for NAT Gateway " + g.ID, OwnerARN: g.Scope.ARN("ec2", "natgateway/"+g.ID),
	})
	if err != nil {
		return g, err
	}
	g.VPC, g.PrivateIP = i.VPC, i.IP
	if g.Connectivity == "public" {
		a, err := addressKind.get(tx, g.Scope, g.Allocation)
		if err != nil {
			return g, err
		}
		if a.Interface != "" {
			return g, fault("Resource.AlreadyAssociated", "Elastic IP address [%s] is already associated", a.ID)
		}
		a.Interface, a.AssociationID = i.ID, g.AssociationID
		Addresses.Put(tx, a)
		g.PublicIP = a.IP
	}
	NATGateways.Put(tx, g)
	return g, nil
}

// DeleteNatGateway begins the end of a NAT gateway.
func (s *Service) DeleteNatGateway(ctx context.Context, in *ec2api.DeleteNatGatewayInput) (*ec2api.DeleteNatGatewayOutput, error) {
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.DeleteNatGatewayOutput, error) {
		g, err := natKind.get(tx, scope, val(in.NatGatewayId))
		if err != nil {
			return nil, err
		}
		if g.State != "deleted" {
			g.State = "deleting"
			NATGateways.Put(tx, g)
		}
		return &ec2api.DeleteNatGatewayOutput{NatGatewayId: &g.ID}, nil
	})
}

// DescribeNatGateways lists NAT gateways.
func (s *Service) DescribeNatGateways(ctx context.Context, in *ec2api.DescribeNatGatewaysInput) (*ec2api.DescribeNatGatewaysOutput, error) {
	rows, next, err := natKind.describe(s.store.Snapshot(), scopeOf(ctx), query{in.NatGatewayIds, in.Filter, in.MaxResults, in.NextToken})
	if err != nil {
		return nil, err
	}
	out := &ec2api.DescribeNatGatewaysOutput{NextToken: next}
	for _, g := range rows {
		out.NatGateways = append(out.NatGateways, g.api())
	}
	return out, nil
}

func (g NATGateway) api() ec2api.NatGateway {
	out := ec2api.NatGateway{
		NatGatewayId: &g.ID, CreateTime: &g.Created, State: ec2api.NatGatewayState(g.State), SubnetId: &g.Subnet, VpcId: &g.VPC,
		Tags: apiTags(g.Tags), ConnectivityType: ec2api.ConnectivityType(g.Connectivity), FailureCode: opt(g.FailureCode), FailureMessage: opt(g.FailureMessage),
		NatGatewayAddresses: []ec2api.NatGatewayAddress{{
			AllocationId: opt(g.Allocation), NetworkInterfaceId: &g.Interface, PrivateIp: &g.PrivateIP, PublicIp: opt(g.PublicIP), IsPrimary: new(true), Status: "succeeded",
		}},
	}
	if g.Connectivity == "public" {
		out.NatGatewayAddresses[0].AssociationId = &g.AssociationID
	}
	if !g.Deleted.IsZero() {
		out.DeleteTime = &g.Deleted
	}
	return out
}

// deletedFor is how long a deleted NAT gateway is still described.
const deletedFor = time.Hour

// natLoop brings NAT gateways from pending to available, and from deleting to
// deleted and away.
func (s *Service) natLoop() loop.Loop {
	return loop.Loop{
		Name:      "nat gateways",
		List:      NATGateways.Keys,
		Keys:      loop.Changed(NATGateways),
		Reconcile: s.reconcileNAT,
	}
}

func (s *Service) reconcileNAT(_ context.Context, key string) (time.Duration, error) {
	now := time.Now().UTC().Truncate(time.Second)
	return update(s, func(tx *store.Tx) (time.Duration, error) {
		g, err := NATGateways.Get(tx, key)
		if err != nil {
			return 0, nil
		}
		switch g.State {
		case "pending":
			g.State = "available"
			if g.Connectivity == "public" && len(slices.Collect(InternetGateways.By(tx, "vpc", g.Scope.Key(g.VPC)))) == 0 {
				g.State, g.FailureCode = "failed", "Gateway.NotAttached"
				g.FailureMessage = "Network " + g.VPC + " has no Internet gateway attached"
			}
		case "deleting":
			if _, err := Interfaces.Get(tx, g.Scope.Key(g.Interface)); err == nil {
				if err := DeleteInterface(tx, g.Scope, g.Interface); err != nil {
					return 0, err
				}
			}
			g.State, g.Deleted = "deleted", now
		case "deleted":
			if left := g.Deleted.Add(deletedFor).Sub(now); left > 0 {
				return left, nil
			}
			NATGateways.Delete(tx, key)
			return 0, nil
		}
		NATGateways.Put(tx, g)
		return 0, nil
	})
}
