package ec2

import (
	"context"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// permissionInput is what the four operations that change rules have in common.
type permissionInput struct {
	group, name, protocol, cidr, source *string
	from, to                            *int32
	permissions                         []ec2api.IpPermission
}

// rulesOf turns permissions into rules without ids, one per peer.
func (in permissionInput) rulesOf(r store.Reader, scope arn.Scope, g SecurityGroup, egress bool) ([]Rule, error) {
	perms := in.permissions
	if len(perms) == 0 {
		if in.protocol == nil {
			return nil, errMissingParameter("ipPermissions")
		}
		p := ec2api.IpPermission{IpProtocol: in.protocol, FromPort: in.from, ToPort: in.to}
		if in.cidr != nil {
			p.IpRanges = []ec2api.IpRange{{CidrIp: in.cidr}}
		}
		if in.source != nil {
			p.UserIdGroupPairs = []ec2api.UserIdGroupPair{{GroupName: in.source}}
		}
		perms = []ec2api.IpPermission{p}
	}
	var rules []Rule
	for _, p := range perms {
		t, err := trafficOf(p.IpProtocol, p.FromPort, p.ToPort)
		if err != nil {
			return nil, err
		}
		before := len(rules)
		add := func(peer Peer, err error, description *string) error {
			if err == nil {
				err = peer.check(r, scope, g.VPC)
			}
			rules = append(rules, Rule{Meta: Meta{Scope: scope}, Group: g.ID, Egress: egress, Traffic: t, Peer: peer, Description: val(description)})
			return err
		}
		for _, x := range p.IpRanges {
			peer, err := cidrPeer(val(x.CidrIp))
			if err := add(peer, err, x.Description); err != nil {
				return nil, err
			}
		}
		for _, x := range p.Ipv6Ranges {
			peer, err := cidr6Peer(val(x.CidrIpv6))
			if err := add(peer, err, x.Description); err != nil {
				return nil, err
			}
		}
		for _, x := range p.PrefixListIds {
			if err := add(Peer{PrefixList: val(x.PrefixListId)}, nil, x.Description); err != nil {
				return nil, err
			}
		}
		for _, x := range p.UserIdGroupPairs {
			id := val(x.GroupId)
			if id == "" {
				id = groupByName(r, scope, g.VPC, val(x.GroupName)).ID
			}
			if id == "" {
				return nil, fault("InvalidGroup.NotFound", "The security group '%s' does not exist", val(x.GroupName))
			}
			if err := add(Peer{GroupID: id}, nil, x.Description); err != nil {
				return nil, err
			}
		}
		if len(rules) == before {
			return nil, errMissingParameter("ipRanges, ipv6Ranges, prefixListIds or groups")
		}
	}
	return rules, nil
}

func groupByName(r store.Reader, scope arn.Scope, vpcID, name string) SecurityGroup {
	for g := range Groups.By(r, "vpc", scope.Key(vpcID)) {
		if g.Name == name {
			return g
		}
	}
	return SecurityGroup{}
}

// permissions groups rules of one direction by their traffic, as
// DescribeSecurityGroups shows them.
func permissions(rules []Rule, egress bool) []ec2api.IpPermission {
	var order []Traffic
	by := map[Traffic]*ec2api.IpPermission{}
	for _, r := range rules {
		if r.Egress != egress {
			continue
		}
		p := by[r.Traffic]
		if p == nil {
			p = &ec2api.IpPermission{IpProtocol: &r.Protocol}
			if r.hasPorts() {
				p.FromPort, p.ToPort = new(int32(r.Low)), new(int32(r.High))
			}
			by[r.Traffic] = p
			order = append(order, r.Traffic)
		}
		description := opt(r.Description)
		switch {
		case r.CIDR != "":
			p.IpRanges = append(p.IpRanges, ec2api.IpRange{CidrIp: &r.CIDR, Description: description})
		case r.CIDR6 != "":
			p.Ipv6Ranges = append(p.Ipv6Ranges, ec2api.Ipv6Range{CidrIpv6: &r.CIDR6, Description: description})
		case r.PrefixList != "":
			p.PrefixListIds = append(p.PrefixListIds, ec2api.PrefixListId{PrefixListId: &r.PrefixList, Description: description})
		default:
			p.UserIdGroupPairs = append(p.UserIdGroupPairs, ec2api.UserIdGroupPair{GroupId: &r.Peer.GroupID, UserId: &r.Scope.Account, Description: description})
		}
	}
	slices.SortFunc(order, func(a, b Traffic) int {
		if a.Low != b.Low {
			return a.Low - b.Low
		}
		return strings.Compare(a.Protocol, b.Protocol)
	})
	var out []ec2api.IpPermission
	for _, t := range order {
		out = append(out, *by[t])
	}
	return out
}

// DescribeSecurityGroupRules lists rules.
func (s *Service) DescribeSecurityGroupRules(ctx context.Context, in *ec2api.DescribeSecurityGroupRulesInput) (*ec2api.DescribeSecurityGroupRulesOutput, error) {
	rows, next, err := ruleKind.describe(s.store.Snapshot(), scopeOf(ctx), query{in.SecurityGroupRuleIds, in.Filters, in.MaxResults, in.NextToken})
	if err != nil {
		return nil, err
	}
	out := &ec2api.DescribeSecurityGroupRulesOutput{NextToken: next}
	for _, r := range rows {
		out.SecurityGroupRules = append(out.SecurityGroupRules, r.api())
	}
	return out, nil
}
