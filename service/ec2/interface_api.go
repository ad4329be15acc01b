package ec2

import (
	"context"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

func interfaceFields(r store.Reader, i Interface) map[string][]string {
	var names []string
	for _, id := range i.Groups {
		g, _ := Groups.Get(r, i.Scope.Key(id))
		names = append(names, g.Name)
	}
	f := map[string][]string{
		"network-interface-id": one(i.ID), "vpc-id": one(i.VPC), "subnet-id": one(i.Subnet), "availability-zone": one(i.AZ), "description": one(i.Description),
		"group-id": i.Groups, "group-name": names, "interface-type": one(i.Type), "mac-address": one(i.MAC), "owner-id": one(i.Scope.Account),
		"private-ip-address": one(i.IP), "addresses.private-ip-address": one(i.IP), "addresses.primary": flag(true), "private-dns-name": one(i.PrivateDNSName),
		"requester-managed": flag(i.Requester), "source-dest-check": flag(!i.NoSourceCheck), "status": one(i.status()), "requester-id": nil,
		"availability-zone-id": one(zoneID(i.Scope.Region, i.AZ)), "ipv6-addresses.ipv6-address": nil, "operator.managed": flag(false), "operator.principal": nil,
		"association.public-ip": nil, "association.public-dns-name": nil, "association.ip-owner-id": nil, "association.allocation-id": nil, "association.association-id": nil,
		"addresses.association.public-ip": nil, "addresses.association.owner-id": nil, "attachment.instance-id": nil, "attachment.instance-owner-id": nil,
		"attachment.attachment-id": nil, "attachment.status": nil, "attachment.attach-time": nil, "attachment.device-index": nil, "attachment.delete-on-termination": nil,
	}
	out := i.api(r)
	if as := out.Association; as != nil {
		f["association.public-ip"], f["addresses.association.public-ip"] = one(*as.PublicIp), one(*as.PublicIp)
		f["association.ip-owner-id"], f["addresses.association.owner-id"] = one(*as.IpOwnerId), one(*as.IpOwnerId)
		f["association.public-dns-name"] = one(*as.PublicDnsName)
		if as.AllocationId != nil {
			f["association.allocation-id"], f["association.association-id"] = one(*as.AllocationId), one(*as.AssociationId)
		}
	}
	if at := out.Attachment; at != nil {
		f["requester-id"] = one(*out.RequesterId)
		f["attachment.attachment-id"], f["attachment.instance-owner-id"] = one(*at.AttachmentId), one(*at.InstanceOwnerId)
		f["attachment.status"], f["attachment.device-index"], f["attachment.delete-on-termination"] = one("attached"), one("1"), flag(false)
	}
	return f
}

// status is in-use for what belongs to a service, available for the rest.
func (i Interface) status() string {
	if i.Requester {
		return "in-use"
	}
	return "available"
}

// CreateNetworkInterface makes an interface that belongs to nobody.
func (s *Service) CreateNetworkInterface(ctx context.Context, in *ec2api.CreateNetworkInterfaceInput) (*ec2api.CreateNetworkInterfaceOutput, error) {
	tags, err := tagsFor(in.TagSpecifications, "network-interface")
	if err != nil {
		return nil, err
	}
	ip := val(in.PrivateIpAddress)
	if len(in.PrivateIpAddresses) > 1 || val(in.SecondaryPrivateIpAddressCount) > 0 {
		return nil, fault("PrivateIpAddressLimitExceeded", "Network interfaces have one private address here; secondary addresses are not supported.")
	}
	if len(in.PrivateIpAddresses) == 1 {
		ip = val(in.PrivateIpAddresses[0].PrivateIpAddress)
	}
	spec := InterfaceSpec{
		ID: awsapi.NewID(ctx, "eni-", 17), SubnetID: val(in.SubnetId), GroupIDs: in.Groups, Description: val(in.Description), IP: ip, Tags: tags,
	}
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.CreateNetworkInterfaceOutput, error) {
		i, err := CreateInterface(tx, scope, spec)
		if err != nil {
			return nil, err
		}
		return &ec2api.CreateNetworkInterfaceOutput{NetworkInterface: new(i.api(tx)), ClientToken: in.ClientToken}, nil
	})
}

// DeleteNetworkInterface removes an interface that no service manages.
func (s *Service) DeleteNetworkInterface(ctx context.Context, in *ec2api.DeleteNetworkInterfaceInput) (*ec2api.DeleteNetworkInterfaceOutput, error) {
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.DeleteNetworkInterfaceOutput, error) {
		i, err := interfaceKind.get(tx, scope, val(in.NetworkInterfaceId))
		if err != nil {
			return nil, err
		}
		if i.Requester {
			return nil, fault("InvalidParameterValue", "Network interface '%s' is currently in use.", i.ID)
		}
		return &ec2api.DeleteNetworkInterfaceOutput{}, DeleteInterface(tx, scope, i.ID)
	})
}

// DescribeNetworkInterfaces lists interfaces.
func (s *Service) DescribeNetworkInterfaces(ctx context.Context, in *ec2api.DescribeNetworkInterfacesInput) (*ec2api.DescribeNetworkInterfacesOutput, error) {
	snap := s.store.Snapshot()
	rows, next, err := interfaceKind.describe(snap, scopeOf(ctx), query{in.NetworkInterfaceIds, in.Filters, in.MaxResults, in.NextToken})
	if err != nil {
		return nil, err
	}
	out := &ec2api.DescribeNetworkInterfacesOutput{NextToken: next}
	for _, i := range rows {
		out.NetworkInterfaces = append(out.NetworkInterfaces, i.api(snap))
	}
	return out, nil
}

// DescribeNetworkInterfaceAttribute reads one attribute of an interface.
func (s *Service) DescribeNetworkInterfaceAttribute(ctx context.Context, in *ec2api.DescribeNetworkInterfaceAttributeInput) (*ec2api.DescribeNetworkInterfaceAttributeOutput, error) {
	snap := s.store.Snapshot()
	row, err := interfaceKind.get(snap, scopeOf(ctx), val(in.NetworkInterfaceId))
	if err != nil {
		return nil, err
	}
	i, out := row.api(snap), &ec2api.DescribeNetworkInterfaceAttributeOutput{NetworkInterfaceId: &row.ID}
	switch in.Attribute {
	case "description":
		out.Description = &ec2api.AttributeValue{Value: i.Description}
	case "groupSet":
		out.Groups = i.Groups
	case "sourceDestCheck":
		out.SourceDestCheck = &ec2api.AttributeBooleanValue{Value: i.SourceDestCheck}
	case "attachment":
		out.Attachment = i.Attachment
	default:
		return nil, errInvalidParameter("Value (%s) for parameter attribute is invalid.", in.Attribute)
	}
	return out, nil
}

// ModifyNetworkInterfaceAttribute changes description or security groups.
func (s *Service) ModifyNetworkInterfaceAttribute(ctx context.Context, in *ec2api.ModifyNetworkInterfaceAttributeInput) (*ec2api.ModifyNetworkInterfaceAttributeOutput, error) {
	if in.SourceDestCheck != nil && !val(in.SourceDestCheck.Value) {
		return nil, fault("OperationNotPermitted", "The source/destination check of interfaces cannot be switched off here.")
	}
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.ModifyNetworkInterfaceAttributeOutput, error) {
		i, err := interfaceKind.get(tx, scope, val(in.NetworkInterfaceId))
		if err != nil {
			return nil, err
		}
		if in.Description != nil {
			i.Description = val(in.Description.Value)
		}
		if len(in.Groups) > 0 {
			if i, err = i.withGroups(tx, in.Groups); err != nil {
				return nil, err
			}
		}
		Interfaces.Put(tx, i)
		return &ec2api.ModifyNetworkInterfaceAttributeOutput{}, nil
	})
}

func (i Interface) withGroups(r store.Reader, ids []string) (Interface, error) {
	for _, id := range ids {
		g, err := groupKind.get(r, i.Scope, id)
		if err != nil {
			return i, err
		}
		if g.VPC != i.VPC {
			return i, errInvalidParameter("You have specified two resources that belong to different networks.")
		}
	}
	i.Groups = slices.Clone(ids)
	return i, nil
}

// SetGroups replaces the security groups of an interface, for services that own it.
func SetGroups(tx *store.Tx, i Interface, ids []string) (Interface, error) {
	i, err := i.withGroups(tx, ids)
	if err == nil {
		Interfaces.Put(tx, i)
	}
	return i, err
}

func (i Interface) api(r store.Reader) ec2api.NetworkInterface {
	out := ec2api.NetworkInterface{
		NetworkInterfaceId: &i.ID, VpcId: &i.VPC, SubnetId: &i.Subnet, AvailabilityZone: &i.AZ, AvailabilityZoneId: opt(zoneID(i.Scope.Region, i.AZ)), Description: &i.Description,
		InterfaceType: ec2api.NetworkInterfaceType(i.Type), MacAddress: &i.MAC, OwnerId: &i.Scope.Account, PrivateDnsName: &i.PrivateDNSName, PrivateIpAddress: &i.IP,
		RequesterManaged: &i.Requester, SourceDestCheck: new(!i.NoSourceCheck), Status: ec2api.NetworkInterfaceStatus(i.status()), TagSet: apiTags(i.Tags),
	}
	for _, id := range i.Groups {
		g, _ := Groups.Get(r, i.Scope.Key(id))
		out.Groups = append(out.Groups, ec2api.GroupIdentifier{GroupId: new(id), GroupName: &g.Name})
	}
	if i.Requester {
		out.RequesterId = &i.Scope.Account
		owner := "amazon-aws"
		if i.Type == "load_balancer" {
			owner = "amazon-elb"
			out.RequesterId = &owner
		}
		out.Attachment = &ec2api.NetworkInterfaceAttachment{
			AttachmentId: new("eni-attach-" + strings.TrimPrefix(i.ID, "eni-")), DeleteOnTermination: new(false), DeviceIndex: new(int32(1)), Status: "attached", InstanceOwnerId: &owner,
		}
	}
	if ip := publicIP(r, i); ip != "" {
		out.Association = &ec2api.NetworkInterfaceAssociation{PublicIp: &ip, IpOwnerId: new("amazon"), PublicDnsName: new(publicName(i.Scope.Region, ip))}
		for a := range Addresses.By(r, "interface", i.key()) {
			out.Association.AllocationId, out.Association.AssociationId, out.Association.IpOwnerId = &a.ID, &a.AssociationID, &i.Scope.Account
		}
	}
	out.PrivateIpAddresses = []ec2api.NetworkInterfacePrivateIpAddress{{Primary: new(true), PrivateDnsName: &i.PrivateDNSName, PrivateIpAddress: &i.IP, Association: out.Association}}
	return out
}
