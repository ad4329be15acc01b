package ec2

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Rule is one security group rule: one protocol and port range, one peer.
type Rule struct {
	Meta
	Group  string // the group it belongs to
	Egress bool
	Traffic
	Peer
	Description string
}

// Traffic is what a rule is about. Protocol is "tcp", "udp", "icmp", "icmpv6", "-1" for
// all, or a number. Low and High are ports, or ICMP's type and code; -1 is all.
type Traffic struct {
	Protocol  string
	Low, High int
}

// Peer is the other side of a rule; exactly one field is set.
type Peer struct {
	CIDR, CIDR6, PrefixList, GroupID string
}

// Rules holds security group rules, keyed by scope and id.
var Rules = store.NewTable("ec2/rule", func(r Rule) string { return r.key() },
	store.Index("group", func(r Rule) []string { return []string{r.Scope.Key(r.Group)} }),
	store.Index("peer", func(r Rule) []string {
		if r.Peer.GroupID == "" {
			return nil
		}
		return []string{r.Scope.Key(r.Peer.GroupID)}
	}))

var ruleKind = &kind[Rule]{
	table: Rules, typ: "security-group-rule", prefix: "sgr-", code: "InvalidSecurityGroupRuleId", noun: "security group rule ID",
	meta: func(r *Rule) *Meta { return &r.Meta },
	fields: func(_ store.Reader, r Rule) map[string][]string {
		return map[string][]string{"security-group-rule-id": one(r.ID), "group-id": one(r.Group)}
	},
}

// same tells whether two rules permit the same: descriptions do not matter.
func (r Rule) same(o Rule) bool {
	return r.Group == o.Group && r.Egress == o.Egress && r.Traffic == o.Traffic && r.Peer == o.Peer
}

// hasPorts tells whether Low and High mean anything.
func (t Traffic) hasPorts() bool {
	switch t.Protocol {
	case "tcp", "udp", "icmp", "icmpv6":
		return true
	}
	return false
}

// String is the rule in the words of InvalidPermission.Duplicate.
func (r Rule) String() string {
	peer := r.CIDR + r.CIDR6 + r.PrefixList + r.Peer.GroupID
	s := "peer: " + peer + ", "
	switch {
	case r.Protocol == "-1":
		s += "ALL"
	case r.Protocol == "tcp" || r.Protocol == "udp":
		s += fmt.Sprintf("%s, from port: %d, to port: %d", strings.ToUpper(r.Protocol), r.Low, r.High)
	case r.hasPorts():
		s += fmt.Sprintf("%s, type: %d, code: %d", strings.ToUpper(r.Protocol), r.Low, r.High)
	default:
		s += r.Protocol
	}
	return s + ", ALLOW"
}

// trafficOf reads protocol and ports as clients write them.
func trafficOf(protocol *string, from, to *int32) (Traffic, error) {
	t := Traffic{Protocol: strings.ToLower(val(protocol)), Low: -1, High: -1}
	switch t.Protocol {
	case "":
		return t, errMissingParameter("ipProtocol")
	case "all":
		t.Protocol = "-1"
	case "1":
		t.Protocol = "icmp"
	case "6":
		t.Protocol = "tcp"
	case "17":
		t.Protocol = "udp"
	case "58":
		t.Protocol = "icmpv6"
	}
	if n, err := strconv.Atoi(t.Protocol); err == nil {
		if n < -1 || n > 255 {
			return t, fault("InvalidPermission.Malformed", "Invalid IP protocol number: %d", n)
		}
		return t, nil // all ports, whatever was asked for
	}
	if !t.hasPorts() {
		return t, errInvalidParameter("Invalid value '%s' for IP protocol. Unknown protocol.", t.Protocol)
	}
	if from == nil && to == nil && strings.HasPrefix(t.Protocol, "icmp") {
		return t, nil
	}
	if from == nil || to == nil {
		return t, errInvalidParameter("Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.")
	}
	t.Low, t.High = int(*from), int(*to)
	if strings.HasPrefix(t.Protocol, "icmp") {
		if t.Low < -1 || t.Low > 255 || t.High < -1 || t.High > 255 {
			return t, errInvalidParameter("Invalid value for ICMP type/code: %d/%d", t.Low, t.High)
		}
		return t, nil
	}
	switch {
	case t.Low == -1 && t.High == -1:
		t.Low, t.High = 0, 65535
	case t.Low < 0 || t.Low > 65535 || t.High < 0 || t.High > 65535:
		return t, errInvalidParameter("Invalid value '%d-%d' for port range. Must be between 0 and 65535.", t.Low, t.High)
	case t.Low > t.High:
		return t, errInvalidParameter("Invalid TCP/UDP port range (%d:%d)", t.Low, t.High)
	}
	return t, nil
}

func cidrPeer(v string) (Peer, error) {
	p, err := netip.ParsePrefix(v)
	if err != nil || !p.Addr().Is4() {
		return Peer{}, errInvalidParameter("CIDR block %s is malformed", v)
	}
	return Peer{CIDR: p.Masked().String()}, nil
}

func cidr6Peer(v string) (Peer, error) {
	p, err := netip.ParsePrefix(v)
	if err != nil || p.Addr().Is4() {
		return Peer{}, errInvalidParameter("CIDR block %s is malformed", v)
	}
	return Peer{CIDR6: p.Masked().String()}, nil
}

// check tells whether what a peer refers to exists in the group's VPC.
func (p Peer) check(r store.Reader, scope arn.Scope, vpcID string) error {
	switch {
	case p.GroupID != "":
		g, err := groupKind.get(r, scope, p.GroupID)
		if err == nil && g.VPC != vpcID {
			err = fault("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")
		}
		return err
	case p.PrefixList != "":
		_, err := prefixList(scope.Region, p.PrefixList)
		return err
	}
	return nil
}

func (r Rule) api() ec2api.SecurityGroupRule {
	out := ec2api.SecurityGroupRule{
		SecurityGroupRuleId: &r.ID, GroupId: &r.Group, GroupOwnerId: &r.Scope.Account, IsEgress: &r.Egress, IpProtocol: &r.Protocol,
		FromPort: new(int32(r.Low)), ToPort: new(int32(r.High)), CidrIpv4: opt(r.CIDR), CidrIpv6: opt(r.CIDR6), PrefixListId: opt(r.PrefixList),
		Description: opt(r.Description), Tags: apiTags(r.Tags), SecurityGroupRuleArn: new(r.Scope.ARN("ec2", "security-group-rule/"+r.ID)),
	}
	if r.Peer.GroupID != "" {
		out.ReferencedGroupInfo = &ec2api.ReferencedSecurityGroup{GroupId: &r.Peer.GroupID, UserId: &r.Scope.Account}
	}
	return out
}
