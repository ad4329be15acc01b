package ec2

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/vpc"
)

// Reaches tells whether a subnet may reach an AWS service ("ecr.api", "ecr.dkr",
// "logs", "s3", "secretsmanager" and so on) or the "internet", by an interface endpoint with private DNS that
// lets the subnet in on port 443, by a gateway endpoint, or by a route to a NAT or internet
// gateway. why says what is in the way. With a route to an internet
// gateway it is taken for granted that the interface has a public address:
// InterfaceReaches knows.
func Reaches(r store.Reader, scope arn.Scope, subnetID, service string) (ok bool, why string) {
	s, err := Subnets.Get(r, scope.Key(subnetID))
	if err != nil {
		return false, "the subnet " + subnetID + " does not exist"
	}
	return s.reaches(r, service, Interface{}, true)
}

// InterfaceReaches is Reaches for one interface: its security groups must let
// the request out, and an internet gateway needs its public address.
func InterfaceReaches(r store.Reader, i Interface, service string) (ok bool, why string) {
	s, err := Subnets.Get(r, i.Scope.Key(i.Subnet))
	if err != nil {
		return false, "the subnet " + i.Subnet + " does not exist"
	}
	return s.reaches(r, service, i, publicIP(r, i) != "")
}

func (s Subnet) reaches(r store.Reader, service string, from Interface, public bool) (bool, string) {
	for e := range Endpoints.By(r, "vpc", s.Scope.Key(s.VPC)) {
		if !e.gateway() && e.PrivateDNS && e.Service == "com.amazonaws."+s.Scope.Region+"."+service {
			return e.admits(r, s, from)
		}
	}
	want := netip.MustParseAddr("1.1.1.1") // any address of the internet
	if cidrs, ok := gatewayServices[service]; ok {
		want = netip.MustParsePrefix(cidrs[0]).Addr().Next()
	}
	if from.ID != "" && !groupsPermit(r, from.Scope, from.Groups, true, func(p Peer) bool { return p.covers(s.Scope.Region, want) }) {
		return false, fmt.Sprintf("the security groups of %s do not let it out on port 443", from.ID)
	}
	best := vpc.Route{Target: vpc.Blackhole}
	found := false
	for _, route := range routesOf(r, s) {
		if route.Dest.Contains(want) && (!found || route.Dest.Bits() > best.Dest.Bits()) {
			best, found = route, true
		}
	}
	switch {
	case !found:
		return false, fmt.Sprintf("the route table of %s has no route there, and the VPC no endpoint for it", s.ID)
	case best.Target == vpc.Blackhole:
		return false, fmt.Sprintf("the route %s of %s leads to a gateway that is not in service", best.Dest, s.ID)
	case best.Target == vpc.Internet && !public:
		return false, fmt.Sprintf("the subnet %s routes to an internet gateway, and the interface has no public address", s.ID)
	}
	return true, ""
}

// admits tells whether an interface endpoint is in service and its security
// groups, and those of the interface, let a request from the subnet pass.
func (e Endpoint) admits(r store.Reader, s Subnet, from Interface) (bool, string) {
	if e.State != "available" {
		return false, fmt.Sprintf("the endpoint %s is %s", e.ID, e.State)
	}
	source := netip.MustParsePrefix(s.CIDR).Addr()
	if from.IP != "" {
		source = netip.MustParseAddr(from.IP)
	}
	in := func(p Peer) bool {
		if p.GroupID != "" { // of a subnet alone it is not known which groups its interfaces have
			return from.ID == "" || strings.Contains(" "+strings.Join(from.Groups, " ")+" ", " "+p.GroupID+" ")
		}
		return p.covers(s.Scope.Region, source)
	}
	if !groupsPermit(r, e.Scope, e.Groups, false, in) {
		return false, fmt.Sprintf("the security groups of the endpoint %s do not let %s in on port 443", e.ID, source)
	}
	for _, id := range e.Interfaces {
		i, err := Interfaces.Get(r, e.Scope.Key(id))
		if err != nil || from.ID == "" {
			continue
		}
		out := func(p Peer) bool {
			return p.covers(s.Scope.Region, netip.MustParseAddr(i.IP)) || p.GroupID != "" && strings.Contains(" "+strings.Join(e.Groups, " ")+" ", " "+p.GroupID+" ")
		}
		if !groupsPermit(r, from.Scope, from.Groups, true, out) {
			return false, fmt.Sprintf("the security groups of %s do not let it out to the endpoint %s on port 443", from.ID, e.ID)
		}
	}
	return true, ""
}

// covers tells whether an address is in the peer's block or prefix list.
func (p Peer) covers(region string, a netip.Addr) bool {
	if p.CIDR != "" {
		return netip.MustParsePrefix(p.CIDR).Contains(a)
	}
	if l, err := prefixList(region, p.PrefixList); err == nil {
		for _, b := range blocks(l) {
			if b.Contains(a) {
				return true
			}
		}
	}
	return false
}

// groupsPermit tells whether any rule of the groups permits TCP port 443 with a peer.
func groupsPermit(r store.Reader, scope arn.Scope, groups []string, egress bool, peer func(Peer) bool) bool {
	for _, id := range groups {
		for rule := range Rules.By(r, "group", scope.Key(id)) {
			https := rule.Protocol == "-1" || rule.Protocol == "tcp" && rule.Low <= 443 && 443 <= rule.High
			if rule.Egress == egress && https && peer(rule.Peer) {
				return true
			}
		}
	}
	return false
}
