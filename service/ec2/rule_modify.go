package ec2

import (
	"context"
	"slices"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/store"
)

// ModifySecurityGroupRules replaces what rules permit; their ids stay.
func (s *Service) ModifySecurityGroupRules(ctx context.Context, in *ec2api.ModifySecurityGroupRulesInput) (*ec2api.ModifySecurityGroupRulesOutput, error) {
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.ModifySecurityGroupRulesOutput, error) {
		g, err := groupKind.get(tx, scope, val(in.GroupId))
		if err != nil {
			return nil, err
		}
		for _, u := range in.SecurityGroupRules {
			r, err := ruleKind.get(tx, scope, val(u.SecurityGroupRuleId))
			if err == nil && r.Group != g.ID {
				err = ruleKind.errMissing(r.ID)
			}
			if err != nil {
				return nil, err
			}
			if u.SecurityGroupRule == nil {
				return nil, errMissingParameter("SecurityGroupRule")
			}
			if err := r.replace(tx, g, *u.SecurityGroupRule); err != nil {
				return nil, err
			}
		}
		return &ec2api.ModifySecurityGroupRulesOutput{Return: new(true)}, nil
	})
}

func (r Rule) replace(tx *store.Tx, g SecurityGroup, to ec2api.SecurityGroupRuleRequest) error {
	t, err := trafficOf(to.IpProtocol, to.FromPort, to.ToPort)
	if err != nil {
		return err
	}
	peer := Peer{PrefixList: val(to.PrefixListId), GroupID: val(to.ReferencedGroupId)}
	switch {
	case to.CidrIpv4 != nil:
		peer, err = cidrPeer(*to.CidrIpv4)
	case to.CidrIpv6 != nil:
		peer, err = cidr6Peer(*to.CidrIpv6)
	case peer == Peer{}:
		err = errMissingParameter("CidrIpv4, CidrIpv6, PrefixListId or ReferencedGroupId")
	}
	if err == nil {
		err = peer.check(tx, g.Scope, g.VPC)
	}
	if err != nil {
		return err
	}
	r.Traffic, r.Peer, r.Description = t, peer, val(to.Description)
	for other := range Rules.By(tx, "group", g.key()) {
		if other.ID != r.ID && other.same(r) {
			return fault("InvalidPermission.Duplicate", "the specified rule \"%s\" already exists", r)
		}
	}
	Rules.Put(tx, r)
	return nil
}

// UpdateSecurityGroupRuleDescriptionsIngress changes descriptions.
func (s *Service) UpdateSecurityGroupRuleDescriptionsIngress(ctx context.Context, in *ec2api.UpdateSecurityGroupRuleDescriptionsIngressInput) (*ec2api.UpdateSecurityGroupRuleDescriptionsIngressOutput, error) {
	err := s.redescribe(ctx, permissionInput{group: in.GroupId, name: in.GroupName, permissions: in.IpPermissions}, in.SecurityGroupRuleDescriptions, false)
	if err != nil {
		return nil, err
	}
	return &ec2api.UpdateSecurityGroupRuleDescriptionsIngressOutput{Return: new(true)}, nil
}

// UpdateSecurityGroupRuleDescriptionsEgress changes descriptions.
func (s *Service) UpdateSecurityGroupRuleDescriptionsEgress(ctx context.Context, in *ec2api.UpdateSecurityGroupRuleDescriptionsEgressInput) (*ec2api.UpdateSecurityGroupRuleDescriptionsEgressOutput, error) {
	err := s.redescribe(ctx, permissionInput{group: in.GroupId, name: in.GroupName, permissions: in.IpPermissions}, in.SecurityGroupRuleDescriptions, true)
	if err != nil {
		return nil, err
	}
	return &ec2api.UpdateSecurityGroupRuleDescriptionsEgressOutput{Return: new(true)}, nil
}

func (s *Service) redescribe(ctx context.Context, in permissionInput, byID []ec2api.SecurityGroupRuleDescription, egress bool) error {
	scope := scopeOf(ctx)
	return s.store.Update(func(tx *store.Tx) error {
		g, err := in.find(tx, scope)
		if err != nil {
			return err
		}
		var ids, texts []string
		for _, d := range byID {
			ids, texts = append(ids, val(d.SecurityGroupRuleId)), append(texts, val(d.Description))
		}
		rules, err := in.present(tx, g, ids, egress)
		if err != nil {
			return err
		}
		if len(byID) == 0 {
			wanted, err := in.rulesOf(tx, scope, g, egress)
			if err != nil {
				return err
			}
			texts = slices.Collect(func(yield func(string) bool) {
				for _, w := range wanted {
					if !yield(w.Description) {
						return
					}
				}
			})
		}
		for i, r := range rules {
			r.Description = texts[i]
			Rules.Put(tx, r)
		}
		return nil
	})
}
