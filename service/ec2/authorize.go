package ec2

import (
	"context"
	"slices"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// AuthorizeSecurityGroupIngress adds rules for what may come in.
func (s *Service) AuthorizeSecurityGroupIngress(ctx context.Context, in *ec2api.AuthorizeSecurityGroupIngressInput) (*ec2api.AuthorizeSecurityGroupIngressOutput, error) {
	rules, err := s.authorize(ctx, permissionInput{
		in.GroupId, in.GroupName, in.IpProtocol, in.CidrIp, in.SourceSecurityGroupName, in.FromPort, in.ToPort, in.IpPermissions,
	}, in.TagSpecifications, false)
	if err != nil {
		return nil, err
	}
	return &ec2api.AuthorizeSecurityGroupIngressOutput{Return: new(true), SecurityGroupRules: rules}, nil
}

// AuthorizeSecurityGroupEgress adds rules for what may go out.
func (s *Service) AuthorizeSecurityGroupEgress(ctx context.Context, in *ec2api.AuthorizeSecurityGroupEgressInput) (*ec2api.AuthorizeSecurityGroupEgressOutput, error) {
	rules, err := s.authorize(ctx, permissionInput{
		in.GroupId, nil, in.IpProtocol, in.CidrIp, in.SourceSecurityGroupName, in.FromPort, in.ToPort, in.IpPermissions,
	}, in.TagSpecifications, true)
	if err != nil {
		return nil, err
	}
	return &ec2api.AuthorizeSecurityGroupEgressOutput{Return: new(true), SecurityGroupRules: rules}, nil
}

func (s *Service) authorize(ctx context.Context, in permissionInput, specs []ec2api.TagSpecification, egress bool) ([]ec2api.SecurityGroupRule, error) {
	tags, err := tagsFor(specs, "security-group-rule")
	if err != nil {
		return nil, err
	}
	scope := scopeOf(ctx)
	var ids []string // drawn outside of the transaction, which may run twice
	for range in.peers() {
		ids = append(ids, awsapi.NewID(ctx, "sgr-", 17))
	}
	return update(s, func(tx *store.Tx) ([]ec2api.SecurityGroupRule, error) {
		g, err := in.find(tx, scope)
		if err != nil {
			return nil, err
		}
		rules, err := in.rulesOf(tx, scope, g, egress)
		if err != nil {
			return nil, err
		}
		have := slices.Collect(Rules.By(tx, "group", g.key()))
		var out []ec2api.SecurityGroupRule
		for n, r := range rules {
			r.ID, r.Tags = ids[n], tags
			i := slices.IndexFunc(have, r.same)
			if i >= 0 && have[i].ID != r.ID {
				return nil, fault("InvalidPermission.Duplicate", "the specified rule \"%s\" already exists", r)
			}
			if i < 0 {
				have = append(have, r)
				Rules.Put(tx, r)
			}
			out = append(out, r.api())
		}
		return out, s.checkQuota(have, egress)
	})
}

// find is the group that the input names, which must be by id: names are for
// the default VPC, and there is none.
func (in permissionInput) find(r store.Reader, scope arn.Scope) (SecurityGroup, error) {
	switch {
	case in.group != nil:
		return groupKind.get(r, scope, *in.group)
	case in.name != nil:
		return SecurityGroup{}, fault("VPCIdNotSpecified", "No default VPC for this user")
	}
	return SecurityGroup{}, fault("MissingParameter", "The request must contain the parameter groupName or groupId")
}

// peers counts the rules that the input makes.
func (in permissionInput) peers() int {
	n := 0
	for _, p := range in.permissions {
		n += len(p.IpRanges) + len(p.Ipv6Ranges) + len(p.PrefixListIds) + len(p.UserIdGroupPairs)
	}
	return max(n, 2)
}

func (s *Service) checkQuota(rules []Rule, egress bool) error {
	n := 0
	for _, r := range rules {
		if r.Egress == egress {
			n++
		}
	}
	if n > s.quotas.Rules {
		return fault("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
	}
	return nil
}

// RevokeSecurityGroupIngress removes rules for what may come in.
func (s *Service) RevokeSecurityGroupIngress(ctx context.Context, in *ec2api.RevokeSecurityGroupIngressInput) (*ec2api.RevokeSecurityGroupIngressOutput, error) {
	revoked, err := s.revoke(ctx, permissionInput{
		in.GroupId, in.GroupName, in.IpProtocol, in.CidrIp, in.SourceSecurityGroupName, in.FromPort, in.ToPort, in.IpPermissions,
	}, in.SecurityGroupRuleIds, false)
	if err != nil {
		return nil, err
	}
	return &ec2api.RevokeSecurityGroupIngressOutput{Return: new(true), RevokedSecurityGroupRules: revoked}, nil
}

// RevokeSecurityGroupEgress removes rules for what may go out.
func (s *Service) RevokeSecurityGroupEgress(ctx context.Context, in *ec2api.RevokeSecurityGroupEgressInput) (*ec2api.RevokeSecurityGroupEgressOutput, error) {
	revoked, err := s.revoke(ctx, permissionInput{
		in.GroupId, nil, in.IpProtocol, in.CidrIp, in.SourceSecurityGroupName, in.FromPort, in.ToPort, in.IpPermissions,
	}, in.SecurityGroupRuleIds, true)
	if err != nil {
		return nil, err
	}
	return &ec2api.RevokeSecurityGroupEgressOutput{Return: new(true), RevokedSecurityGroupRules: revoked}, nil
}

func (s *Service) revoke(ctx context.Context, in permissionInput, ids []string, egress bool) ([]ec2api.RevokedSecurityGroupRule, error) {
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) ([]ec2api.RevokedSecurityGroupRule, error) {
		g, err := in.find(tx, scope)
		if err != nil {
			return nil, err
		}
		rules, err := in.present(tx, g, ids, egress)
		if err != nil {
			return nil, err
		}
		var out []ec2api.RevokedSecurityGroupRule
		for _, r := range rules {
			Rules.Delete(tx, r.key())
			out = append(out, ec2api.RevokedSecurityGroupRule{
				SecurityGroupRuleId: &r.ID, GroupId: &r.Group, IsEgress: &r.Egress, IpProtocol: &r.Protocol, FromPort: new(int32(r.Low)), ToPort: new(int32(r.High)),
				CidrIpv4: opt(r.CIDR), CidrIpv6: opt(r.CIDR6), PrefixListId: opt(r.PrefixList), ReferencedGroupId: opt(r.Peer.GroupID), Description: opt(r.Description),
			})
		}
		return out, nil
	})
}

// present finds the rules of a group that ids or permissions name.
func (in permissionInput) present(tx *store.Tx, g SecurityGroup, ids []string, egress bool) ([]Rule, error) {
	var out []Rule
	for _, id := range ids {
		r, err := ruleKind.get(tx, g.Scope, id)
		if err == nil && (r.Group != g.ID || r.Egress != egress) {
			err = ruleKind.errMissing(id)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	if len(ids) > 0 {
		return out, nil
	}
	wanted, err := in.rulesOf(tx, g.Scope, g, egress)
	if err != nil {
		return nil, err
	}
	have := slices.Collect(Rules.By(tx, "group", g.key()))
	for _, w := range wanted {
		i := slices.IndexFunc(have, w.same)
		if i < 0 {
			return nil, fault("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
		}
		out = append(out, have[i])
	}
	return out, nil
}
