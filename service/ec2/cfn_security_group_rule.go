package ec2

import (
	"context"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// groupIngressProps is AWS::EC2::SecurityGroupIngress.
type groupIngressProps struct {
	Id                         string `cfn:"id,readOnly"` //nolint:revive // AWS's name
	GroupId                    string `cfn:"createOnly"`  //nolint:revive // AWS's name
	GroupName                  string `cfn:"createOnly"`
	IpProtocol                 string `cfn:"required,createOnly"` //nolint:revive // AWS's name
	FromPort                   *int32 `cfn:"createOnly"`
	ToPort                     *int32 `cfn:"createOnly"`
	CidrIp                     string `cfn:"createOnly"` //nolint:revive // AWS's name
	CidrIpv6                   string `cfn:"createOnly"`
	SourcePrefixListId         string `cfn:"createOnly"` //nolint:revive // AWS's name
	SourceSecurityGroupId      string `cfn:"createOnly"` //nolint:revive // AWS's name
	SourceSecurityGroupName    string `cfn:"createOnly"`
	SourceSecurityGroupOwnerId string `cfn:"createOnly"` //nolint:revive // AWS's name
	Description                string
}

type groupIngresses struct{ s *Service }

var _ cfn.Updater[groupIngressProps] = groupIngresses{}

func (h groupIngresses) Create(ctx context.Context, p *groupIngressProps) error {
	out, err := h.s.AuthorizeSecurityGroupIngress(ctx, &ec2api.AuthorizeSecurityGroupIngressInput{
		GroupId: opt(p.GroupId), GroupName: opt(p.GroupName),
		IpPermissions: []ec2api.IpPermission{permissionOf(p.IpProtocol, p.FromPort, p.ToPort, p.CidrIp, p.CidrIpv6, p.SourcePrefixListId, p.SourceSecurityGroupId, p.SourceSecurityGroupName, p.Description)},
	})
	if err != nil {
		return err
	}
	p.Id = *out.SecurityGroupRules[0].SecurityGroupRuleId
	return setTags(ctx, h.s, ruleKind, p.Id, nil) // so that the group knows it from rules made by hand
}

func (h groupIngresses) Read(ctx context.Context, p *groupIngressProps) error {
	r, err := ruleKind.get(h.s.store.Snapshot(), scopeOf(ctx), p.Id)
	if err != nil {
		return err
	}
	p.GroupId, p.Description, p.CidrIp, p.CidrIpv6 = r.Group, r.Description, r.CIDR, r.CIDR6
	p.SourcePrefixListId, p.SourceSecurityGroupId = r.PrefixList, r.Peer.GroupID
	return nil
}

func (h groupIngresses) Update(ctx context.Context, _, after *groupIngressProps) error {
	_, err := h.s.UpdateSecurityGroupRuleDescriptionsIngress(ctx, &ec2api.UpdateSecurityGroupRuleDescriptionsIngressInput{
		GroupId: &after.GroupId, SecurityGroupRuleDescriptions: []ec2api.SecurityGroupRuleDescription{{SecurityGroupRuleId: &after.Id, Description: &after.Description}},
	})
	return err
}

func (h groupIngresses) Delete(ctx context.Context, p *groupIngressProps) error {
	return ifThere(h.s.RevokeSecurityGroupIngress(ctx, &ec2api.RevokeSecurityGroupIngressInput{GroupId: &p.GroupId, SecurityGroupRuleIds: []string{p.Id}}))
}

// groupEgressProps is AWS::EC2::SecurityGroupEgress.
type groupEgressProps struct {
	Id                         string `cfn:"id,readOnly"`         //nolint:revive // AWS's name
	GroupId                    string `cfn:"required,createOnly"` //nolint:revive // AWS's name
	IpProtocol                 string `cfn:"required,createOnly"` //nolint:revive // AWS's name
	FromPort                   *int32 `cfn:"createOnly"`
	ToPort                     *int32 `cfn:"createOnly"`
	CidrIp                     string `cfn:"createOnly"` //nolint:revive // AWS's name
	CidrIpv6                   string `cfn:"createOnly"`
	DestinationPrefixListId    string `cfn:"createOnly"` //nolint:revive // AWS's name
	DestinationSecurityGroupId string `cfn:"createOnly"` //nolint:revive // AWS's name
	Description                string
}

type groupEgresses struct{ s *Service }

var _ cfn.Updater[groupEgressProps] = groupEgresses{}

func (h groupEgresses) Create(ctx context.Context, p *groupEgressProps) error {
	out, err := h.s.AuthorizeSecurityGroupEgress(ctx, &ec2api.AuthorizeSecurityGroupEgressInput{
		GroupId:       &p.GroupId,
		IpPermissions: []ec2api.IpPermission{permissionOf(p.IpProtocol, p.FromPort, p.ToPort, p.CidrIp, p.CidrIpv6, p.DestinationPrefixListId, p.DestinationSecurityGroupId, "", p.Description)},
	})
	if err != nil {
		return err
	}
	p.Id = *out.SecurityGroupRules[0].SecurityGroupRuleId
	return setTags(ctx, h.s, ruleKind, p.Id, nil) // so that the group knows it from rules made by hand
}

func (h groupEgresses) Read(ctx context.Context, p *groupEgressProps) error {
	r, err := ruleKind.get(h.s.store.Snapshot(), scopeOf(ctx), p.Id)
	if err != nil {
		return err
	}
	p.GroupId, p.Description, p.CidrIp, p.CidrIpv6 = r.Group, r.Description, r.CIDR, r.CIDR6
	p.DestinationPrefixListId, p.DestinationSecurityGroupId = r.PrefixList, r.Peer.GroupID
	return nil
}

func (h groupEgresses) Update(ctx context.Context, _, after *groupEgressProps) error {
	_, err := h.s.UpdateSecurityGroupRuleDescriptionsEgress(ctx, &ec2api.UpdateSecurityGroupRuleDescriptionsEgressInput{
		GroupId: &after.GroupId, SecurityGroupRuleDescriptions: []ec2api.SecurityGroupRuleDescription{{SecurityGroupRuleId: &after.Id, Description: &after.Description}},
	})
	return err
}

func (h groupEgresses) Delete(ctx context.Context, p *groupEgressProps) error {
	return ifThere(h.s.RevokeSecurityGroupEgress(ctx, &ec2api.RevokeSecurityGroupEgressInput{GroupId: &p.GroupId, SecurityGroupRuleIds: []string{p.Id}}))
}
