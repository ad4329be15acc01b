package ec2

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/vpc"
)

// Entry is one rule of a network ACL. Protocol is a number, -1 for all; Low and
// High are the destination's ports, or ICMP's type and code, -1 for all. One of
// CIDR and CIDR6 is set; there is no IPv6 in a VPC here that CIDR6 could match.
type Entry struct {
	Number        int
	Egress, Allow bool
	Protocol      int
	Low, High     int
	CIDR, CIDR6   string
}

// Limits of entries. Source: "Amazon VPC quotas", which counts the last one,
// that nobody has made and that denies what is left.
const (
	maxEntries = 20 // in one direction
	lastNumber = 32767
)

// aclProtocols are protocols by name, as clients may write them.
var aclProtocols = map[string]int{"all": -1, "icmp": vpc.ICMP, "tcp": vpc.TCP, "udp": vpc.UDP, "icmpv6": 58}

// entryInput is what both operations that write entries take.
type entryInput struct {
	number        *int32
	protocol      *string
	action        ec2api.RuleAction
	egress        *bool
	block, block6 *string
	icmp          *ec2api.IcmpTypeCode
	ports         *ec2api.PortRange
}

// entry reads an entry as EC2 does.
func (in entryInput) entry() (Entry, error) {
	e := Entry{Number: int(val(in.number)), Egress: val(in.egress), Allow: in.action == "allow", Low: -1, High: -1}
	switch {
	case in.number == nil:
		return e, errMissingParameter("ruleNumber")
	case e.Number < 1 || e.Number >= lastNumber:
		return e, errInvalidParameter("Value (%d) for parameter ruleNumber is invalid. The rule number must be between 1 and 32766.", e.Number)
	case in.egress == nil:
		return e, errMissingParameter("egress")
	case in.action != "allow" && in.action != "deny":
		return e, errInvalidParameter("Value (%s) for parameter ruleAction is invalid.", in.action)
	case in.block == nil && in.block6 == nil:
		return e, errMissingParameter("cidrBlock")
	case in.block != nil && in.block6 != nil:
		return e, fault("InvalidParameterCombination", "The parameters cidrBlock and ipv6CidrBlock cannot be used together.")
	}
	var err error
	if e.Protocol, err = aclProtocol(val(in.protocol)); err != nil {
		return e, err
	}
	if err := e.bound(in); err != nil {
		return e, err
	}
	var p Peer
	if in.block != nil {
		p, err = cidrPeer(*in.block)
	} else {
		p, err = cidr6Peer(*in.block6)
	}
	e.CIDR, e.CIDR6 = p.CIDR, p.CIDR6
	return e, err
}

func aclProtocol(text string) (int, error) {
	if text == "" {
		return 0, errMissingParameter("protocol")
	}
	if n, ok := aclProtocols[strings.ToLower(text)]; ok {
		return n, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < -1 || n > 255 {
		return 0, errInvalidParameter("Invalid value '%s' for IP protocol. Unknown protocol.", text)
	}
	return n, nil
}

// bound reads the ports, or ICMP's type and code; of other protocols there are none.
func (e *Entry) bound(in entryInput) error {
	switch e.Protocol {
	case vpc.TCP, vpc.UDP:
		if in.ports == nil || in.ports.From == nil || in.ports.To == nil {
			return errMissingParameter("portRange")
		}
		e.Low, e.High = int(*in.ports.From), int(*in.ports.To)
		if e.Low == -1 && e.High == -1 {
			e.Low, e.High = 0, 65535
		}
		if e.Low < 0 || e.High > 65535 || e.Low > e.High {
			return errInvalidParameter("Invalid TCP/UDP port range (%d:%d)", e.Low, e.High)
		}
	case vpc.ICMP, aclProtocols["icmpv6"]:
		if in.icmp == nil || in.icmp.Type == nil || in.icmp.Code == nil {
			return errMissingParameter("icmpTypeCode")
		}
		e.Low, e.High = int(*in.icmp.Type), int(*in.icmp.Code)
		if e.Low < -1 || e.Low > 255 || e.High < -1 || e.High > 255 {
			return errInvalidParameter("Invalid value for ICMP type/code: %d/%d", e.Low, e.High)
		}
	}
	return nil
}

// changeEntries changes the entries of an ACL by a function, which has them in order.
func (s *Service) changeEntries(ctx context.Context, id *string, change func([]Entry) ([]Entry, error)) error {
	scope := scopeOf(ctx)
	return s.store.Update(func(tx *store.Tx) error {
		a, err := aclKind.get(tx, scope, val(id))
		if err != nil {
			return err
		}
		if a.Entries, err = change(slices.Clone(a.Entries)); err != nil {
			return err
		}
		slices.SortFunc(a.Entries, func(x, y Entry) int {
			if x.Egress != y.Egress {
				return cmp.Compare(strconv.FormatBool(x.Egress), strconv.FormatBool(y.Egress))
			}
			return x.Number - y.Number
		})
		ACLs.Put(tx, a)
		return nil
	})
}

func entryAt(entries []Entry, number int, egress bool) int {
	return slices.IndexFunc(entries, func(e Entry) bool { return e.Number == number && e.Egress == egress })
}

func errNoEntry(number int) error {
	return fault("InvalidNetworkAclEntry.NotFound", "The network acl entry identified by %d does not exist.", number)
}

// CreateNetworkAclEntry adds an entry under a number that its direction has not.
func (s *Service) CreateNetworkAclEntry(ctx context.Context, in *ec2api.CreateNetworkAclEntryInput) (*ec2api.CreateNetworkAclEntryOutput, error) {
	e, err := entryInput{in.RuleNumber, in.Protocol, in.RuleAction, in.Egress, in.CidrBlock, in.Ipv6CidrBlock, in.IcmpTypeCode, in.PortRange}.entry()
	if err != nil {
		return nil, err
	}
	return &ec2api.CreateNetworkAclEntryOutput{}, s.changeEntries(ctx, in.NetworkAclId, func(entries []Entry) ([]Entry, error) {
		if entryAt(entries, e.Number, e.Egress) >= 0 {
			return nil, fault("NetworkAclEntryAlreadyExists", "The network acl entry identified by %d already exists.", e.Number)
		}
		n := 1
		for _, other := range entries {
			if other.Egress == e.Egress {
				n++
			}
		}
		if n >= maxEntries {
			return nil, fault("NetworkAclEntryLimitExceeded", "The maximum number of network acl entries has been reached.")
		}
		return append(entries, e), nil
	})
}

// ReplaceNetworkAclEntry gives an entry another content.
func (s *Service) ReplaceNetworkAclEntry(ctx context.Context, in *ec2api.ReplaceNetworkAclEntryInput) (*ec2api.ReplaceNetworkAclEntryOutput, error) {
	e, err := entryInput{in.RuleNumber, in.Protocol, in.RuleAction, in.Egress, in.CidrBlock, in.Ipv6CidrBlock, in.IcmpTypeCode, in.PortRange}.entry()
	if err != nil {
		return nil, err
	}
	return &ec2api.ReplaceNetworkAclEntryOutput{}, s.changeEntries(ctx, in.NetworkAclId, func(entries []Entry) ([]Entry, error) {
		i := entryAt(entries, e.Number, e.Egress)
		if i < 0 {
			return nil, errNoEntry(e.Number)
		}
		entries[i] = e
		return entries, nil
	})
}

// DeleteNetworkAclEntry removes an entry.
func (s *Service) DeleteNetworkAclEntry(ctx context.Context, in *ec2api.DeleteNetworkAclEntryInput) (*ec2api.DeleteNetworkAclEntryOutput, error) {
	return &ec2api.DeleteNetworkAclEntryOutput{}, s.changeEntries(ctx, in.NetworkAclId, func(entries []Entry) ([]Entry, error) {
		i := entryAt(entries, int(val(in.RuleNumber)), val(in.Egress))
		if i < 0 {
			return nil, errNoEntry(int(val(in.RuleNumber)))
		}
		return slices.Delete(entries, i, i+1), nil
	})
}

func (e Entry) api() ec2api.NetworkAclEntry {
	out := ec2api.NetworkAclEntry{
		CidrBlock: opt(e.CIDR), Ipv6CidrBlock: opt(e.CIDR6), Egress: &e.Egress, Protocol: new(strconv.Itoa(e.Protocol)), RuleAction: "deny", RuleNumber: new(int32(e.Number)),
	}
	if e.Allow {
		out.RuleAction = "allow"
	}
	low, high := new(int32(e.Low)), new(int32(e.High))
	switch e.Protocol {
	case vpc.TCP, vpc.UDP:
		out.PortRange = &ec2api.PortRange{From: low, To: high}
	case vpc.ICMP, aclProtocols["icmpv6"]:
		out.IcmpTypeCode = &ec2api.IcmpTypeCode{Type: low, Code: high}
	}
	return out
}

// entryFields adds the filters about entries.
func (a ACL) entryFields(f map[string][]string) {
	for _, name := range []string{"cidr", "ipv6-cidr", "egress", "protocol", "rule-action", "rule-number", "icmp.type", "icmp.code", "port-range.from", "port-range.to"} {
		f["entry."+name] = nil
	}
	for _, e := range a.api().Entries {
		add := func(name, v string) {
			if v != "" {
				f["entry."+name] = append(f["entry."+name], v)
			}
		}
		add("cidr", val(e.CidrBlock))
		add("ipv6-cidr", val(e.Ipv6CidrBlock))
		add("egress", strconv.FormatBool(*e.Egress))
		add("protocol", *e.Protocol)
		add("rule-action", string(e.RuleAction))
		add("rule-number", strconv.Itoa(int(*e.RuleNumber)))
		if p := e.PortRange; p != nil {
			add("port-range.from", strconv.Itoa(int(*p.From)))
			add("port-range.to", strconv.Itoa(int(*p.To)))
		}
		if p := e.IcmpTypeCode; p != nil {
			add("icmp.type", strconv.Itoa(int(*p.Type)))
			add("icmp.code", strconv.Itoa(int(*p.Code)))
		}
	}
}

// compile describes an ACL for the network.
func (a ACL) compile() vpc.ACL {
	out := vpc.ACL{ID: a.ID}
	for _, e := range a.Entries {
		if e.CIDR == "" {
			continue // nothing has an IPv6 address
		}
		one := vpc.Entry{Protocol: e.Protocol, From: e.Low, To: e.High, CIDR: netip.MustParsePrefix(e.CIDR), Allow: e.Allow}
		if e.Egress {
			out.Egress = append(out.Egress, one)
		} else {
			out.Ingress = append(out.Ingress, one)
		}
	}
	return out
}
