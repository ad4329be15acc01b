package ec2

import (
	"context"
	"slices"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// SecurityGroup is a named set of interfaces; its rules are rows of Rules.
type SecurityGroup struct {
	Meta
	VPC, Name   string
	Description string
}

// Groups holds security groups, keyed by scope and id.
var Groups = store.NewTable("ec2/group", func(g SecurityGroup) string { return g.key() },
	store.Index("vpc", func(g SecurityGroup) []string { return []string{g.Scope.Key(g.VPC)} }))

var groupKind = &kind[SecurityGroup]{
	table: Groups, typ: "security-group", prefix: "sg-", code: "InvalidGroupId",
	meta: func(g *SecurityGroup) *Meta { return &g.Meta },
	missing: func(id string) error {
		return fault("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
	},
	fields: groupFields,
}

func groupFields(r store.Reader, g SecurityGroup) map[string][]string {
	f := map[string][]string{
		"group-id": one(g.ID), "group-name": one(g.Name), "description": one(g.Description), "vpc-id": one(g.VPC), "owner-id": one(g.Scope.Account),
	}
	for _, direction := range []string{"ip-permission.", "egress.ip-permission."} {
		for _, name := range []string{"cidr", "ipv6-cidr", "from-port", "to-port", "protocol", "group-id", "prefix-list-id"} {
			f[direction+name] = nil
		}
	}
	for rule := range Rules.By(r, "group", g.key()) {
		direction := "ip-permission."
		if rule.Egress {
			direction = "egress.ip-permission."
		}
		add := func(name, v string) {
			if v != "" {
				f[direction+name] = append(f[direction+name], v)
			}
		}
		add("cidr", rule.CIDR)
		add("ipv6-cidr", rule.CIDR6)
		add("protocol", rule.Protocol)
		add("group-id", rule.Peer.GroupID)
		add("prefix-list-id", rule.PrefixList)
		if rule.hasPorts() {
			add("from-port", number(rule.Low)[0])
			add("to-port", number(rule.High)[0])
		}
	}
	return f
}

func (g SecurityGroup) arn() string { return g.Scope.ARN("ec2", "security-group/"+g.ID) }

func newGroup(ctx context.Context, vpcID, name, description string) SecurityGroup {
	return SecurityGroup{
		Meta: Meta{Scope: scopeOf(ctx), ID: awsapi.NewID(ctx, "sg-", 17)}, VPC: vpcID, Name: name, Description: description,
	}
}

// allowAllOut is the egress rule of every new group.
func allowAllOut(ctx context.Context, g SecurityGroup) []Rule {
	return []Rule{{
		Meta: Meta{Scope: g.Scope, ID: awsapi.NewID(ctx, "sgr-", 17)}, Group: g.ID, Egress: true,
		Traffic: Traffic{Protocol: "-1", Low: -1, High: -1}, Peer: Peer{CIDR: "0.0.0.0/0"},
	}}
}

// CreateSecurityGroup makes a group that lets everything out and nothing in.
func (s *Service) CreateSecurityGroup(ctx context.Context, in *ec2api.CreateSecurityGroupInput) (*ec2api.CreateSecurityGroupOutput, error) {
	if err := required("groupName", val(in.GroupName), "groupDescription", val(in.Description)); err != nil {
		return nil, err
	}
	if in.VpcId == nil {
		return nil, fault("VPCIdNotSpecified", "No default VPC for this user")
	}
	g := newGroup(ctx, *in.VpcId, *in.GroupName, *in.Description)
	if err := g.checkNames(); err != nil {
		return nil, err
	}
	tags, err := tagsFor(in.TagSpecifications, "security-group")
	if err != nil {
		return nil, err
	}
	g.Tags = tags
	egress := allowAllOut(ctx, g)
	return update(s, func(tx *store.Tx) (*ec2api.CreateSecurityGroupOutput, error) {
		out := &ec2api.CreateSecurityGroupOutput{GroupId: &g.ID, Tags: apiTags(g.Tags), SecurityGroupArn: new(g.arn())}
		if _, err := Groups.Get(tx, g.key()); err == nil {
			return out, nil
		}
		if _, err := vpcKind.get(tx, g.Scope, g.VPC); err != nil {
			return nil, err
		}
		for other := range Groups.By(tx, "vpc", g.Scope.Key(g.VPC)) {
			if other.Name == g.Name {
				return nil, fault("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", g.Name, g.VPC)
			}
		}
		Groups.Put(tx, g)
		for _, r := range egress {
			Rules.Put(tx, r)
		}
		return out, nil
	})
}

// checkNames holds names and descriptions to EC2's limits: 255 characters of
// a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$*
func (g SecurityGroup) checkNames() error {
	for name, v := range map[string]string{"GroupName": g.Name, "GroupDescription": g.Description} {
		if len(v) > 255 || slices.ContainsFunc([]rune(v), func(c rune) bool { return !nameRune(c) }) {
			return errInvalidParameter("Value (%s) for parameter %s is invalid. Character sets beyond ASCII are not supported.", v, name)
		}
	}
	switch {
	case g.Name == "default":
		return fault("InvalidParameterValue", "Cannot use reserved security group name: default")
	case len(g.Name) >= 3 && g.Name[:3] == "sg-":
		return errInvalidParameter("Value (%s) for parameter GroupName is invalid. Group names may not be in the format sg-*.", g.Name)
	}
	return nil
}

func nameRune(c rune) bool { return c >= ' ' && c <= '~' }

// DeleteSecurityGroup removes a group that no interface and no rule uses.
func (s *Service) DeleteSecurityGroup(ctx context.Context, in *ec2api.DeleteSecurityGroupInput) (*ec2api.DeleteSecurityGroupOutput, error) {
	if in.GroupId == nil {
		return nil, fault("MissingParameter", "The request must contain the parameter groupName or groupId")
	}
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.DeleteSecurityGroupOutput, error) {
		g, err := groupKind.get(tx, scope, *in.GroupId)
		if err != nil {
			return nil, err
		}
		if g.Name == "default" {
			return nil, fault("CannotDelete", "the specified group: \"%s\" name: \"default\" cannot be deleted by a user", g.ID)
		}
		if g.inUse(tx) {
			return nil, errDependent(g.ID)
		}
		for r := range Rules.By(tx, "group", g.key()) {
			Rules.Delete(tx, r.key())
		}
		Groups.Delete(tx, g.key())
		return &ec2api.DeleteSecurityGroupOutput{Return: new(true), GroupId: &g.ID}, nil
	})
}

// inUse tells whether interfaces, or rules of other groups, name the group.
func (g SecurityGroup) inUse(r store.Reader) bool {
	for range Interfaces.By(r, "group", g.key()) {
		return true
	}
	for rule := range Rules.By(r, "peer", g.key()) {
		if rule.Group != g.ID {
			return true
		}
	}
	return false
}

// DescribeSecurityGroups lists groups with their permissions.
func (s *Service) DescribeSecurityGroups(ctx context.Context, in *ec2api.DescribeSecurityGroupsInput) (*ec2api.DescribeSecurityGroupsOutput, error) {
	snap := s.store.Snapshot()
	filters := in.Filters
	if len(in.GroupNames) > 0 {
		filters = append(slices.Clone(filters), ec2api.Filter{Name: new("group-name"), Values: in.GroupNames})
	}
	rows, next, err := groupKind.describe(snap, scopeOf(ctx), query{in.GroupIds, filters, in.MaxResults, in.NextToken})
	if err != nil {
		return nil, err
	}
	out := &ec2api.DescribeSecurityGroupsOutput{NextToken: next}
	for _, g := range rows {
		rules := slices.Collect(Rules.By(snap, "group", g.key()))
		out.SecurityGroups = append(out.SecurityGroups, ec2api.SecurityGroup{
			GroupId: &g.ID, GroupName: &g.Name, Description: &g.Description, VpcId: &g.VPC, OwnerId: &g.Scope.Account,
			Tags: apiTags(g.Tags), SecurityGroupArn: new(g.arn()),
			IpPermissions: permissions(rules, false), IpPermissionsEgress: permissions(rules, true),
		})
	}
	return out, nil
}

// GetSecurityGroupsForVpc lists the groups that may be used in a VPC.
func (s *Service) GetSecurityGroupsForVpc(ctx context.Context, in *ec2api.GetSecurityGroupsForVpcInput) (*ec2api.GetSecurityGroupsForVpcOutput, error) {
	snap, scope := s.store.Snapshot(), scopeOf(ctx)
	if _, err := vpcKind.get(snap, scope, val(in.VpcId)); err != nil {
		return nil, err
	}
	filters := append(slices.Clone(in.Filters), ec2api.Filter{Name: new("vpc-id"), Values: []string{*in.VpcId}})
	rows, next, err := groupKind.describe(snap, scope, query{nil, filters, in.MaxResults, in.NextToken})
	if err != nil {
		return nil, err
	}
	out := &ec2api.GetSecurityGroupsForVpcOutput{NextToken: next}
	for _, g := range rows {
		out.SecurityGroupForVpcs = append(out.SecurityGroupForVpcs, ec2api.SecurityGroupForVpc{
			GroupId: &g.ID, GroupName: &g.Name, Description: &g.Description, OwnerId: &g.Scope.Account, PrimaryVpcId: &g.VPC, Tags: apiTags(g.Tags),
		})
	}
	return out, nil
}
