package ec2

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/vpc"
)

// Reaches tells whether an interface may reach an AWS service ("ecr.api",
// "ecr.dkr", "logs", "s3", "secretsmanager" and so on) or the "internet" on
// port 443: by an interface endpoint with private DNS that lets it in, by a
// gateway endpoint, or by a route to a NAT gateway or, with a public address,
// to an internet gateway. Its security groups must let the request out, and
// the network ACLs on the way the answer in too. why says what is in the way.
func (i Interface) Reaches(r store.Reader, service string) (ok bool, why string) {
	s, err := Subnets.Get(r, i.Scope.Key(i.Subnet))
	if err != nil {
		return false, "the subnet " + i.Subnet + " does not exist"
	}
	for e := range Endpoints.By(r, "vpc", s.Scope.Key(s.VPC)) {
		if !e.gateway() && e.PrivateDNS && e.Service == "com.amazonaws."+s.Scope.Region+"."+service {
			return e.admits(r, i)
		}
	}
	want := netip.MustParseAddr("1.1.1.1") // any address of the internet
	if cidrs, ok := gatewayServices[service]; ok {
		want = netip.MustParsePrefix(cidrs[0]).Addr().Next()
	}
	if !groupsPermit(r, i.Scope, i.Groups, true, func(p Peer) bool { return p.covers(s.Scope.Region, want) }) {
		return false, fmt.Sprintf("the security groups of %s do not let it out on port 443", i.ID)
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
	case best.Target == vpc.Internet && publicIP(r, i) == "":
		return false, fmt.Sprintf("the subnet %s routes to an internet gateway, and the interface has no public address", s.ID)
	}
	return s.asks(r, want)
}

// admits tells whether an interface endpoint is in service and its security
// groups, and those of the interface, let a request pass.
func (e Endpoint) admits(r store.Reader, from Interface) (bool, string) {
	if e.State != "available" {
		return false, fmt.Sprintf("the endpoint %s is %s", e.ID, e.State)
	}
	with := func(groups []string, ip string) func(Peer) bool {
		return func(p Peer) bool {
			return p.GroupID != "" && slices.Contains(groups, p.GroupID) || p.covers(e.Scope.Region, netip.MustParseAddr(ip))
		}
	}
	if !groupsPermit(r, e.Scope, e.Groups, false, with(from.Groups, from.IP)) {
		return false, fmt.Sprintf("the security groups of the endpoint %s do not let %s in on port 443", e.ID, from.IP)
	}
	for _, id := range e.Interfaces {
		i, err := Interfaces.Get(r, e.Scope.Key(id))
		if err != nil {
			continue
		}
		if !groupsPermit(r, from.Scope, from.Groups, true, with(e.Groups, i.IP)) {
			return false, fmt.Sprintf("the security groups of %s do not let it out to the endpoint %s on port 443", from.ID, e.ID)
		}
		if ok, why := from.crosses(r, i); !ok {
			return false, why
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
