package ec2

import (
	"context"
	"net/netip"
	"slices"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Address is an elastic IP address.
type Address struct {
	Meta          // ID is the allocation id
	IP            string
	AssociationID string
	Interface     string // associated with; empty: none
}

// Addresses holds elastic IP addresses, keyed by scope and allocation id.
var Addresses = store.NewTable("ec2/address", func(a Address) string { return a.key() },
	store.Index("interface", func(a Address) []string {
		if a.Interface == "" {
			return nil
		}
		return []string{a.Scope.Key(a.Interface)}
	}))

var addressKind = &kind[Address]{
	table: Addresses, typ: "elastic-ip", prefix: "eipalloc-", code: "InvalidAllocationID", noun: "allocation ID",
	meta: func(a *Address) *Meta { return &a.Meta },
	fields: func(r store.Reader, a Address) map[string][]string {
		i, _ := Interfaces.Get(r, a.Scope.Key(a.Interface))
		return map[string][]string{
			"allocation-id": one(a.ID), "association-id": one(a.AssociationID), "domain": one("vpc"), "public-ip": one(a.IP), "instance-id": nil,
			"network-border-group": one(a.Scope.Region), "network-interface-id": one(a.Interface), "network-interface-owner-id": one(a.Scope.Account), "private-ip-address": one(i.IP),
		}
	},
}

// publicPools are where public addresses come from: ranges that RFC 5737 keeps
// for documentation, so that no address of a real host is ever claimed.
var publicPools = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("198.51.100.0/24")}

// freePublicIP is the lowest public address that nobody has.
func freePublicIP(r store.Reader) (string, error) {
	used := map[string]bool{}
	for a := range Addresses.List(r, "") {
		used[a.IP] = true
	}
	for i := range Interfaces.List(r, "") {
		used[i.PublicIP] = true
	}
	for _, pool := range publicPools {
		for ip := pool.Addr().Next(); pool.Contains(ip.Next()); ip = ip.Next() {
			if !used[ip.String()] {
				return ip.String(), nil
			}
		}
	}
	return "", fault("InsufficientAddressCapacity", "Insufficient capacity: all public addresses are in use.")
}

// publicIP is an interface's public address: its elastic IP, or the one it was
// given at creation.
func publicIP(r store.Reader, i Interface) string {
	for a := range Addresses.By(r, "interface", i.key()) {
		return a.IP
	}
	return i.PublicIP
}

// AllocateAddress makes an elastic IP address.
func (s *Service) AllocateAddress(ctx context.Context, in *ec2api.AllocateAddressInput) (*ec2api.AllocateAddressOutput, error) {
	tags, err := tagsFor(in.TagSpecifications, "elastic-ip")
	if err != nil {
		return nil, err
	}
	scope := scopeOf(ctx)
	a := Address{Meta: Meta{Scope: scope, ID: awsapi.NewID(ctx, "eipalloc-", 17), Tags: tags}}
	a, err = update(s, func(tx *store.Tx) (Address, error) {
		if old, err := Addresses.Get(tx, a.key()); err == nil {
			return old, nil
		}
		if n := len(slices.Collect(addressKind.list(tx, scope))); s.quotas.Addresses > 0 && n >= s.quotas.Addresses {
			return a, fault("AddressLimitExceeded", "The maximum number of addresses has been reached.")
		}
		ip, err := freePublicIP(tx)
		if err != nil {
			return a, err
		}
		a := a
		a.IP = ip
		Addresses.Put(tx, a)
		return a, nil
	})
	if err != nil {
		return nil, err
	}
	return &ec2api.AllocateAddressOutput{
		AllocationId: &a.ID, PublicIp: &a.IP, Domain: "vpc", PublicIpv4Pool: new("amazon"), NetworkBorderGroup: &scope.Region,
	}, nil
}

// ReleaseAddress gives an elastic IP address back.
func (s *Service) ReleaseAddress(ctx context.Context, in *ec2api.ReleaseAddressInput) (*ec2api.ReleaseAddressOutput, error) {
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.ReleaseAddressOutput, error) {
		a, err := addressKind.get(tx, scope, val(in.AllocationId))
		if err != nil {
			return nil, err
		}
		if a.Interface != "" {
			return nil, errAddressInUse(a.IP)
		}
		Addresses.Delete(tx, a.key())
		return &ec2api.ReleaseAddressOutput{}, nil
	})
}

// AssociateAddress gives an interface an elastic IP address.
func (s *Service) AssociateAddress(ctx context.Context, in *ec2api.AssociateAddressInput) (*ec2api.AssociateAddressOutput, error) {
	if in.InstanceId != nil {
		return nil, fault("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", *in.InstanceId)
	}
	scope, id := scopeOf(ctx), awsapi.NewID(ctx, "eipassoc-", 17)
	return update(s, func(tx *store.Tx) (*ec2api.AssociateAddressOutput, error) {
		a, err := addressKind.get(tx, scope, val(in.AllocationId))
		if err != nil {
			return nil, err
		}
		i, err := interfaceKind.get(tx, scope, val(in.NetworkInterfaceId))
		if err != nil {
			return nil, err
		}
		if a.AssociationID == id {
			return &ec2api.AssociateAddressOutput{AssociationId: &id}, nil
		}
		again := in.AllowReassociation == nil || *in.AllowReassociation
		for old := range Addresses.By(tx, "interface", i.key()) {
			if !again {
				return nil, fault("Resource.AlreadyAssociated", "resource %s is already associated with associate-id %s", i.ID, old.AssociationID)
			}
			old.Interface, old.AssociationID = "", ""
			Addresses.Put(tx, old)
		}
		if a.Interface != "" && a.Interface != i.ID && !again {
			return nil, fault("Resource.AlreadyAssociated", "resource %s is already associated with associate-id %s", a.ID, a.AssociationID)
		}
		a.Interface, a.AssociationID = i.ID, id
		Addresses.Put(tx, a)
		return &ec2api.AssociateAddressOutput{AssociationId: &id}, nil
	})
}

// DisassociateAddress takes an elastic IP address from its interface.
func (s *Service) DisassociateAddress(ctx context.Context, in *ec2api.DisassociateAddressInput) (*ec2api.DisassociateAddressOutput, error) {
	scope, id := scopeOf(ctx), val(in.AssociationId)
	return update(s, func(tx *store.Tx) (*ec2api.DisassociateAddressOutput, error) {
		for a := range addressKind.list(tx, scope) {
			if id == "" || a.AssociationID != id {
				continue
			}
			if i, err := Interfaces.Get(tx, scope.Key(a.Interface)); err == nil && i.Type == "nat_gateway" {
				return nil, fault("AuthFailure", "You do not have permission to access the specified resource.")
			}
			a.Interface, a.AssociationID = "", ""
			Addresses.Put(tx, a)
			return &ec2api.DisassociateAddressOutput{}, nil
		}
		return nil, fault("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", id)
	})
}

// DescribeAddresses lists elastic IP addresses.
func (s *Service) DescribeAddresses(ctx context.Context, in *ec2api.DescribeAddressesInput) (*ec2api.DescribeAddressesOutput, error) {
	snap := s.store.Snapshot()
	rows, _, err := addressKind.describe(snap, scopeOf(ctx), query{ids: in.AllocationIds, filters: in.Filters})
	if err != nil {
		return nil, err
	}
	for _, ip := range in.PublicIps {
		if !slices.ContainsFunc(rows, func(a Address) bool { return a.IP == ip }) {
			return nil, fault("InvalidAddress.NotFound", "Address '%s' not found.", ip)
		}
	}
	out := &ec2api.DescribeAddressesOutput{}
	for _, a := range rows {
		if len(in.PublicIps) == 0 || slices.Contains(in.PublicIps, a.IP) {
			out.Addresses = append(out.Addresses, a.api(snap))
		}
	}
	return out, nil
}

// DescribeAddressesAttribute lists the reverse names of elastic IP addresses:
// none has one, since names of real domains cannot be verified here and
// ModifyAddressAttribute is not implemented. As on AWS only addresses with an
// attribute are in the answer.
func (s *Service) DescribeAddressesAttribute(ctx context.Context, in *ec2api.DescribeAddressesAttributeInput) (*ec2api.DescribeAddressesAttributeOutput, error) {
	if _, _, err := addressKind.describe(s.store.Snapshot(), scopeOf(ctx), query{ids: in.AllocationIds, max: in.MaxResults, next: in.NextToken}); err != nil {
		return nil, err
	}
	return &ec2api.DescribeAddressesAttributeOutput{}, nil
}

func (a Address) api(r store.Reader) ec2api.Address {
	out := ec2api.Address{
		AllocationId: &a.ID, PublicIp: &a.IP, Domain: "vpc", PublicIpv4Pool: new("amazon"), NetworkBorderGroup: &a.Scope.Region, Tags: apiTags(a.Tags),
	}
	if i, err := Interfaces.Get(r, a.Scope.Key(a.Interface)); err == nil {
		out.AssociationId, out.NetworkInterfaceId, out.NetworkInterfaceOwnerId, out.PrivateIpAddress = &a.AssociationID, &i.ID, &a.Scope.Account, &i.IP
	}
	return out
}
