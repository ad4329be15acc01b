package ec2

import (
	"context"
	"slices"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// securityGroupProps is AWS::EC2::SecurityGroup.
type securityGroupProps struct {
	Id                   string `cfn:"id,readOnly"` //nolint:revive // AWS's name
	GroupDescription     string `cfn:"required,createOnly"`
	GroupName            string `cfn:"createOnly"`
	VpcId                string `cfn:"createOnly,attribute"` //nolint:revive // AWS's name
	SecurityGroupIngress []ingressProps
	SecurityGroupEgress  []egressProps
	Tags                 []cfn.Tag
	GroupId              string `cfn:"readOnly"` //nolint:revive // AWS's name
}

// ingressProps is an element of SecurityGroupIngress.
type ingressProps struct {
	IpProtocol                 string `cfn:"required"` //nolint:revive // AWS's name
	FromPort, ToPort           *int32
	CidrIp, CidrIpv6           string //nolint:revive // AWS's name
	SourcePrefixListId         string //nolint:revive // AWS's name
	SourceSecurityGroupId      string //nolint:revive // AWS's name
	SourceSecurityGroupName    string
	SourceSecurityGroupOwnerId string //nolint:revive // AWS's name
	Description                string
}

// egressProps is an element of SecurityGroupEgress.
type egressProps struct {
	IpProtocol                 string `cfn:"required"` //nolint:revive // AWS's name
	FromPort, ToPort           *int32
	CidrIp, CidrIpv6           string //nolint:revive // AWS's name
	DestinationPrefixListId    string //nolint:revive // AWS's name
	DestinationSecurityGroupId string //nolint:revive // AWS's name
	Description                string
}

func (p ingressProps) permission() ec2api.IpPermission {
	return permissionOf(p.IpProtocol, p.FromPort, p.ToPort, p.CidrIp, p.CidrIpv6, p.SourcePrefixListId, p.SourceSecurityGroupId, p.SourceSecurityGroupName, p.Description)
}

func (p egressProps) permission() ec2api.IpPermission {
	return permissionOf(p.IpProtocol, p.FromPort, p.ToPort, p.CidrIp, p.CidrIpv6, p.DestinationPrefixListId, p.DestinationSecurityGroupId, "", p.Description)
}

// permissionOf is a permission with the one peer that a template names.
func permissionOf(protocol string, from, to *int32, cidr, cidr6, list, group, groupName, description string) ec2api.IpPermission {
	p := ec2api.IpPermission{IpProtocol: &protocol, FromPort: from, ToPort: to}
	text := opt(description)
	switch {
	case cidr != "":
		p.IpRanges = []ec2api.IpRange{{CidrIp: &cidr, Description: text}}
	case cidr6 != "":
		p.Ipv6Ranges = []ec2api.Ipv6Range{{CidrIpv6: &cidr6, Description: text}}
	case list != "":
		p.PrefixListIds = []ec2api.PrefixListId{{PrefixListId: &list, Description: text}}
	case group != "" || groupName != "":
		p.UserIdGroupPairs = []ec2api.UserIdGroupPair{{GroupId: opt(group), GroupName: opt(groupName), Description: text}}
	}
	return p
}

type securityGroups struct{ s *Service }

var _ cfn.Updater[securityGroupProps] = securityGroups{}

func (h securityGroups) Create(ctx context.Context, p *securityGroupProps) error {
	req, _ := cfn.From(ctx)
	if p.GroupName == "" {
		p.GroupName = req.Name(255)
	}
	out, err := h.s.CreateSecurityGroup(ctx, &ec2api.CreateSecurityGroupInput{
		GroupName: &p.GroupName, Description: &p.GroupDescription, VpcId: opt(p.VpcId), TagSpecifications: stackTags(ctx, "security-group", p.Tags),
	})
	if err != nil {
		return err
	}
	p.Id, p.GroupId = *out.GroupId, *out.GroupId
	return h.setRules(ctx, p, nil)
}

// setRules makes the inline rules those of p. Rules that are separate resources,
// or were made by hand, stay: only those of before are taken away. A group whose template names egress
// rules loses the one that lets everything out.
func (h securityGroups) setRules(ctx context.Context, p, before *securityGroupProps) error {
	in, out := p.permissions()
	var oldIn, oldOut []ec2api.IpPermission
	if before != nil {
		oldIn, oldOut = before.permissions()
	}
	open := []ec2api.IpPermission{permissionOf("-1", nil, nil, "0.0.0.0/0", "", "", "", "", "")}
	if before == nil || len(oldOut) == 0 {
		oldOut = open
	}
	if len(out) == 0 {
		out = open
	}
	if err := h.s.replaceRules(ctx, p.Id, oldIn, in, false); err != nil {
		return err
	}
	return h.s.replaceRules(ctx, p.Id, oldOut, out, true)
}

func (p *securityGroupProps) permissions() (in, out []ec2api.IpPermission) {
	for _, r := range p.SecurityGroupIngress {
		in = append(in, r.permission())
	}
	for _, r := range p.SecurityGroupEgress {
		out = append(out, r.permission())
	}
	return in, out
}

func (h securityGroups) Read(ctx context.Context, p *securityGroupProps) error {
	g, err := groupKind.get(h.s.store.Snapshot(), scopeOf(ctx), p.Id)
	if err != nil {
		return err
	}
	p.GroupId, p.GroupName, p.GroupDescription, p.VpcId, p.Tags = g.ID, g.Name, g.Description, g.VPC, cfnTags(g.Tags)
	rules := slices.Collect(Rules.By(h.s.store.Snapshot(), "group", g.key()))
	p.SecurityGroupIngress = slices.DeleteFunc(slices.Clone(p.SecurityGroupIngress), func(r ingressProps) bool { return !h.s.holds(ctx, g, rules, r.permission(), false) })
	p.SecurityGroupEgress = slices.DeleteFunc(slices.Clone(p.SecurityGroupEgress), func(r egressProps) bool { return !h.s.holds(ctx, g, rules, r.permission(), true) })
	for _, r := range rules {
		if h.foreign(ctx, g, r, p) {
			p.add(r)
		}
	}
	return nil
}

// foreign reports whether a rule was added by hand: the template does not name it, neither here nor as a resource of its own, and it is not the one that every
// group has at first.
func (h securityGroups) foreign(ctx context.Context, g SecurityGroup, r Rule, p *securityGroupProps) bool {
	if r.Tags[cfn.TagLogicalID] != "" || (r.Egress && len(p.SecurityGroupEgress) == 0) {
		return false
	}
	one := []Rule{r}
	return !slices.ContainsFunc(p.SecurityGroupIngress, func(i ingressProps) bool { return !r.Egress && h.s.holds(ctx, g, one, i.permission(), false) }) &&
		!slices.ContainsFunc(p.SecurityGroupEgress, func(e egressProps) bool { return r.Egress && h.s.holds(ctx, g, one, e.permission(), true) })
}

func (p *securityGroupProps) add(r Rule) {
	port := func(n int) *int32 {
		if r.Protocol == "-1" {
			return nil
		}
		return new(int32(n))
	}
	if r.Egress {
		p.SecurityGroupEgress = append(p.SecurityGroupEgress, egressProps{
			IpProtocol: r.Protocol, FromPort: port(r.Low), ToPort: port(r.High), CidrIp: r.CIDR, CidrIpv6: r.CIDR6, DestinationPrefixListId: r.PrefixList,
			DestinationSecurityGroupId: r.Peer.GroupID, Description: r.Description,
		})
		return
	}
	p.SecurityGroupIngress = append(p.SecurityGroupIngress, ingressProps{
		IpProtocol: r.Protocol, FromPort: port(r.Low), ToPort: port(r.High), CidrIp: r.CIDR, CidrIpv6: r.CIDR6, SourcePrefixListId: r.PrefixList,
		SourceSecurityGroupId: r.Peer.GroupID, Description: r.Description,
	})
}

func (h securityGroups) Update(ctx context.Context, before, after *securityGroupProps) error {
	if err := setTags(ctx, h.s, groupKind, after.Id, after.Tags); err != nil {
		return err
	}
	return h.setRules(ctx, after, before)
}

func (h securityGroups) Delete(ctx context.Context, p *securityGroupProps) error {
	return ifThere(h.s.DeleteSecurityGroup(ctx, &ec2api.DeleteSecurityGroupInput{GroupId: &p.Id}))
}
