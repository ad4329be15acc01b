package ec2

import (
	"context"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// InternetGateway lets interfaces with public addresses out of its VPC.
type InternetGateway struct {
	Meta
	VPC string // attached to; empty: detached
}

// InternetGateways holds internet gateways, keyed by scope and id.
var InternetGateways = store.NewTable("ec2/internet-gateway", func(g InternetGateway) string { return g.key() },
	store.Index("vpc", func(g InternetGateway) []string {
		if g.VPC == "" {
			return nil
		}
		return []string{g.Scope.Key(g.VPC)}
	}))

var internetGatewayKind = &kind[InternetGateway]{
	table: InternetGateways, typ: "internet-gateway", prefix: "igw-", code: "InvalidInternetGatewayID", noun: "internetGateway ID",
	meta: func(g *InternetGateway) *Meta { return &g.Meta },
	fields: func(_ store.Reader, g InternetGateway) map[string][]string {
		f := map[string][]string{"internet-gateway-id": one(g.ID), "owner-id": one(g.Scope.Account), "attachment.vpc-id": nil, "attachment.state": nil}
		if g.VPC != "" {
			f["attachment.vpc-id"], f["attachment.state"] = one(g.VPC), one("available")
		}
		return f
	},
}

// CreateInternetGateway makes a gateway that is not attached yet.
func (s *Service) CreateInternetGateway(ctx context.Context, in *ec2api.CreateInternetGatewayInput) (*ec2api.CreateInternetGatewayOutput, error) {
	tags, err := tagsFor(in.TagSpecifications, "internet-gateway")
	if err != nil {
		return nil, err
	}
	g := InternetGateway{Meta: Meta{Scope: scopeOf(ctx), ID: awsapi.NewID(ctx, "igw-", 17), Tags: tags}}
	return update(s, func(tx *store.Tx) (*ec2api.CreateInternetGatewayOutput, error) {
		if old, err := InternetGateways.Get(tx, g.key()); err == nil {
			return &ec2api.CreateInternetGatewayOutput{InternetGateway: new(old.api())}, nil
		}
		InternetGateways.Put(tx, g)
		return &ec2api.CreateInternetGatewayOutput{InternetGateway: new(g.api())}, nil
	})
}

// AttachInternetGateway attaches a gateway to a VPC, one to each.
func (s *Service) AttachInternetGateway(ctx context.Context, in *ec2api.AttachInternetGatewayInput) (*ec2api.AttachInternetGatewayOutput, error) {
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.AttachInternetGatewayOutput, error) {
		g, err := internetGatewayKind.get(tx, scope, val(in.InternetGatewayId))
		if err != nil {
			return nil, err
		}
		v, err := vpcKind.get(tx, scope, val(in.VpcId))
		if err != nil {
			return nil, err
		}
		if g.VPC != "" {
			return nil, fault("Resource.AlreadyAssociated", "resource %s is already attached to network %s", g.ID, g.VPC)
		}
		for range InternetGateways.By(tx, "vpc", v.key()) {
			return nil, errInvalidParameter("Network %s already has an internet gateway attached", v.ID)
		}
		g.VPC = v.ID
		InternetGateways.Put(tx, g)
		return &ec2api.AttachInternetGatewayOutput{}, nil
	})
}

// DetachInternetGateway detaches a gateway from a VPC that uses no public
// address any more.
func (s *Service) DetachInternetGateway(ctx context.Context, in *ec2api.DetachInternetGatewayInput) (*ec2api.DetachInternetGatewayOutput, error) {
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.DetachInternetGatewayOutput, error) {
		g, err := internetGatewayKind.get(tx, scope, val(in.InternetGatewayId))
		if err != nil {
			return nil, err
		}
		if g.VPC == "" || g.VPC != val(in.VpcId) {
			return nil, fault("Gateway.NotAttached", "resource %s is not attached to network %s", g.ID, val(in.VpcId))
		}
		for i := range Interfaces.By(tx, "vpc", scope.Key(g.VPC)) {
			if publicIP(tx, i) != "" {
				return nil, fault("DependencyViolation", "Network %s has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.", g.VPC)
			}
		}
		g.VPC = ""
		InternetGateways.Put(tx, g)
		return &ec2api.DetachInternetGatewayOutput{}, nil
	})
}

// DeleteInternetGateway removes a detached gateway.
func (s *Service) DeleteInternetGateway(ctx context.Context, in *ec2api.DeleteInternetGatewayInput) (*ec2api.DeleteInternetGatewayOutput, error) {
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.DeleteInternetGatewayOutput, error) {
		g, err := internetGatewayKind.get(tx, scope, val(in.InternetGatewayId))
		if err != nil {
			return nil, err
		}
		if g.VPC != "" {
			return nil, errDependency("internetGateway", g.ID)
		}
		InternetGateways.Delete(tx, g.key())
		return &ec2api.DeleteInternetGatewayOutput{}, nil
	})
}

// DescribeInternetGateways lists internet gateways.
func (s *Service) DescribeInternetGateways(ctx context.Context, in *ec2api.DescribeInternetGatewaysInput) (*ec2api.DescribeInternetGatewaysOutput, error) {
	rows, next, err := internetGatewayKind.describe(s.store.Snapshot(), scopeOf(ctx), query{in.InternetGatewayIds, in.Filters, in.MaxResults, in.NextToken})
	if err != nil {
		return nil, err
	}
	out := &ec2api.DescribeInternetGatewaysOutput{NextToken: next}
	for _, g := range rows {
		out.InternetGateways = append(out.InternetGateways, g.api())
	}
	return out, nil
}

func (g InternetGateway) api() ec2api.InternetGateway {
	out := ec2api.InternetGateway{InternetGatewayId: &g.ID, OwnerId: &g.Scope.Account, Tags: apiTags(g.Tags)}
	if g.VPC != "" {
		out.Attachments = []ec2api.InternetGatewayAttachment{{State: "available", VpcId: &g.VPC}}
	}
	return out
}
