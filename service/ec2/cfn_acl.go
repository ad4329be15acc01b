package ec2

import (
	"context"
	"errors"
	"strconv"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// networkACLProps is AWS::EC2::NetworkAcl.
type networkACLProps struct {
	Id    string `cfn:"id,readOnly"`         //nolint:revive // AWS's name
	VpcId string `cfn:"required,createOnly"` //nolint:revive // AWS's name
	Tags  []cfn.Tag
}

type networkACLs struct{ s *Service }

var _ cfn.Updater[networkACLProps] = networkACLs{}

func (h networkACLs) Create(ctx context.Context, p *networkACLProps) error {
	out, err := h.s.CreateNetworkAcl(ctx, &ec2api.CreateNetworkAclInput{VpcId: &p.VpcId, TagSpecifications: stackTags(ctx, "network-acl", p.Tags)})
	if err != nil {
		return err
	}
	p.Id = *out.NetworkAcl.NetworkAclId
	return nil
}

func (h networkACLs) Read(ctx context.Context, p *networkACLProps) error {
	a, err := aclKind.get(h.s.store.Snapshot(), scopeOf(ctx), p.Id)
	if err != nil {
		return err
	}
	p.VpcId, p.Tags = a.VPC, cfnTags(a.Tags)
	return nil
}

func (h networkACLs) Update(ctx context.Context, _, after *networkACLProps) error {
	return setTags(ctx, h.s, aclKind, after.Id, after.Tags)
}

func (h networkACLs) Delete(ctx context.Context, p *networkACLProps) error {
	return ifThere(h.s.DeleteNetworkAcl(ctx, &ec2api.DeleteNetworkAclInput{NetworkAclId: &p.Id}))
}

// aclEntryProps is AWS::EC2::NetworkAclEntry. Its id is "<acl>|<egress>|<number>".
type aclEntryProps struct {
	Id            string `cfn:"id,readOnly"`         //nolint:revive // AWS's name
	NetworkAclId  string `cfn:"required,createOnly"` //nolint:revive // AWS's name
	RuleNumber    int    `cfn:"required,createOnly"`
	Egress        bool   `cfn:"createOnly"`
	Protocol      int    `cfn:"required"`
	RuleAction    string `cfn:"required"`
	CidrBlock     string
	Ipv6CidrBlock string
	Icmp          *icmpProps
	PortRange     *portsProps
}

type icmpProps struct{ Type, Code *int32 }

type portsProps struct{ From, To *int32 }

type aclEntries struct{ s *Service }

var _ cfn.Updater[aclEntryProps] = aclEntries{}

func (p *aclEntryProps) input() *ec2api.CreateNetworkAclEntryInput {
	in := &ec2api.CreateNetworkAclEntryInput{
		NetworkAclId: &p.NetworkAclId, RuleNumber: new(int32(p.RuleNumber)), Egress: &p.Egress, Protocol: new(strconv.Itoa(p.Protocol)),
		RuleAction: ec2api.RuleAction(p.RuleAction), CidrBlock: opt(p.CidrBlock), Ipv6CidrBlock: opt(p.Ipv6CidrBlock),
	}
	if p.Icmp != nil {
		in.IcmpTypeCode = &ec2api.IcmpTypeCode{Type: p.Icmp.Type, Code: p.Icmp.Code}
	}
	if p.PortRange != nil {
		in.PortRange = &ec2api.PortRange{From: p.PortRange.From, To: p.PortRange.To}
	}
	return in
}

func (h aclEntries) Create(ctx context.Context, p *aclEntryProps) error {
	in := p.input()
	_, err := h.s.CreateNetworkAclEntry(ctx, in)
	if errors.Is(err, &awsapi.Error{Code: "NetworkAclEntryAlreadyExists"}) && h.made(ctx, p) {
		err = nil // before a restart
	}
	if err != nil {
		return err
	}
	p.Id = p.NetworkAclId + "|" + strconv.FormatBool(p.Egress) + "|" + strconv.Itoa(p.RuleNumber)
	return nil
}

// made tells whether an entry of exactly this content is there.
func (h aclEntries) made(ctx context.Context, p *aclEntryProps) bool {
	in := p.input()
	want, err := entryInput{in.RuleNumber, in.Protocol, in.RuleAction, in.Egress, in.CidrBlock, in.Ipv6CidrBlock, in.IcmpTypeCode, in.PortRange}.entry()
	if err != nil {
		return false
	}
	a, err := aclKind.get(h.s.store.Snapshot(), scopeOf(ctx), p.NetworkAclId)
	i := entryAt(a.Entries, want.Number, want.Egress)
	return err == nil && i >= 0 && a.Entries[i] == want
}

func (h aclEntries) Read(ctx context.Context, p *aclEntryProps) error {
	a, err := aclKind.get(h.s.store.Snapshot(), scopeOf(ctx), p.NetworkAclId)
	if err != nil {
		return err
	}
	i := entryAt(a.Entries, p.RuleNumber, p.Egress)
	if i < 0 {
		return store.ErrNotFound
	}
	e := a.Entries[i].api()
	p.Protocol, p.RuleAction, p.CidrBlock, p.Ipv6CidrBlock = a.Entries[i].Protocol, string(e.RuleAction), val(e.CidrBlock), val(e.Ipv6CidrBlock)
	p.Icmp, p.PortRange = nil, nil
	if e.IcmpTypeCode != nil {
		p.Icmp = &icmpProps{e.IcmpTypeCode.Type, e.IcmpTypeCode.Code}
	}
	if e.PortRange != nil {
		p.PortRange = &portsProps{e.PortRange.From, e.PortRange.To}
	}
	return nil
}

func (h aclEntries) Update(ctx context.Context, _, after *aclEntryProps) error {
	_, err := h.s.ReplaceNetworkAclEntry(ctx, (*ec2api.ReplaceNetworkAclEntryInput)(after.input()))
	return err
}

func (h aclEntries) Delete(ctx context.Context, p *aclEntryProps) error {
	return ifThere(h.s.DeleteNetworkAclEntry(ctx, &ec2api.DeleteNetworkAclEntryInput{NetworkAclId: &p.NetworkAclId, RuleNumber: new(int32(p.RuleNumber)), Egress: &p.Egress}))
}

// aclAssociationProps is AWS::EC2::SubnetNetworkAclAssociation.
type aclAssociationProps struct {
	AssociationId string `cfn:"id,readOnly"`         //nolint:revive // AWS's name
	SubnetId      string `cfn:"required,createOnly"` //nolint:revive // AWS's name
	NetworkAclId  string `cfn:"required,createOnly"` //nolint:revive // AWS's name
}

type aclAssociations struct{ s *Service }

var _ cfn.Resource[aclAssociationProps] = aclAssociations{}

func (h aclAssociations) Create(ctx context.Context, p *aclAssociationProps) error {
	r := h.s.store.Snapshot()
	sub, err := subnetKind.get(r, scopeOf(ctx), p.SubnetId)
	if err != nil {
		return err
	}
	a, x := aclOf(r, sub)
	if a.ID == p.NetworkAclId { // made before a restart
		p.AssociationId = x.ID
		return nil
	}
	out, err := h.s.ReplaceNetworkAclAssociation(ctx, &ec2api.ReplaceNetworkAclAssociationInput{AssociationId: &x.ID, NetworkAclId: &p.NetworkAclId})
	if err != nil {
		return err
	}
	p.AssociationId = *out.NewAssociationId
	return nil
}

func (h aclAssociations) Read(ctx context.Context, p *aclAssociationProps) error {
	a, x, err := aclAssociation(h.s.store.Snapshot(), scopeOf(ctx), p.AssociationId)
	if err != nil {
		return err
	}
	p.SubnetId, p.NetworkAclId = x.Subnet, a.ID
	return nil
}

// Delete gives the subnet back to the default ACL of its VPC.
func (h aclAssociations) Delete(ctx context.Context, p *aclAssociationProps) error {
	a, _, err := aclAssociation(h.s.store.Snapshot(), scopeOf(ctx), p.AssociationId)
	if err != nil {
		return ifThere(a, err)
	}
	for other := range ACLs.By(h.s.store.Snapshot(), "vpc", a.Scope.Key(a.VPC)) {
		if other.Default {
			return ifThere(h.s.ReplaceNetworkAclAssociation(ctx, &ec2api.ReplaceNetworkAclAssociationInput{AssociationId: &p.AssociationId, NetworkAclId: &other.ID}))
		}
	}
	return nil
}
