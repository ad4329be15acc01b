package ec2

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/vpc"
)

// networkLoop keeps the networks of this machine what the rows of their VPCs say.
func (s *Service) networkLoop() loop.Loop {
	return loop.Loop{
		Name: "vpc networks",
		List: func(r *store.Snapshot) []string {
			keys, rows := []string{}, map[string]bool{}
			for v := range VPCs.List(r, "") {
				keys, rows[v.ID] = append(keys, v.key()), true
			}
			if k, ok := s.network.(interface{ Known() []string }); ok {
				for _, id := range k.Known() {
					if !rows[id] { // left by an engine that was killed
						keys = append(keys, arn.Scope{}.Key(id))
					}
				}
			}
			return keys
		},
		Keys:    dirtyVPCs,
		Workers: 4,
		Reconcile: func(ctx context.Context, key string) (time.Duration, error) {
			snap := s.store.Snapshot()
			v, err := VPCs.Get(snap, key)
			if err != nil {
				s.forgetDrawing(key)
				return 0, s.network.Remove(ctx, key[strings.LastIndexByte(key, '/')+1:])
			}
			return 0, s.network.Apply(ctx, s.draw(snap, v))
		},
	}
}

// dirtyVPCs are the VPCs that a changed row may concern: its own, or all of its
// scope when the row is gone. Applying a VPC that did not change costs little.
func dirtyVPCs(r *store.Snapshot, c store.Change) []string {
	scope := arn.ScopeOfKey(c.Key)
	own := func(vpcID string, err error) []string {
		if err == nil && vpcID != "" {
			return []string{scope.Key(vpcID)}
		}
		var keys []string
		for v := range vpcKind.list(r, scope) {
			keys = append(keys, v.key())
		}
		return keys
	}
	switch c.Table {
	case VPCs.Name():
		return []string{c.Key}
	case Subnets.Name():
		row, err := Subnets.Get(r, c.Key)
		return own(row.VPC, err)
	case Interfaces.Name():
		row, err := Interfaces.Get(r, c.Key)
		return own(row.VPC, err)
	case RouteTables.Name():
		row, err := RouteTables.Get(r, c.Key)
		return own(row.VPC, err)
	case ACLs.Name():
		row, err := ACLs.Get(r, c.Key)
		return own(row.VPC, err)
	case NATGateways.Name():
		row, err := NATGateways.Get(r, c.Key)
		return own(row.VPC, err)
	case Endpoints.Name():
		row, err := Endpoints.Get(r, c.Key)
		return own(row.VPC, err)
	case Rules.Name():
		row, err := Rules.Get(r, c.Key)
		if err == nil {
			group, err := Groups.Get(r, scope.Key(row.Group))
			return own(group.VPC, err)
		}
		return own("", err)
	case InternetGateways.Name(), Addresses.Name():
		return own("", nil)
	}
	return nil
}

// compile describes a VPC for the network, without its interfaces.
func compile(r store.Reader, v VPC) vpc.Config {
	c := vpc.Config{ID: v.ID, DNS: v.DNSSupport}
	for _, b := range v.CIDRs {
		c.CIDRs = append(c.CIDRs, netip.MustParsePrefix(b.Block))
	}
	lists := map[string]string{} // by subnet
	for a := range ACLs.By(r, "vpc", v.key()) {
		c.ACLs = append(c.ACLs, a.compile())
		for _, x := range a.Associations {
			lists[x.Subnet] = a.ID
		}
	}
	for s := range Subnets.By(r, "vpc", v.key()) {
		c.Subnets = append(c.Subnets, vpc.Subnet{ID: s.ID, CIDR: netip.MustParsePrefix(s.CIDR), Routes: routesOf(r, s), ACL: lists[s.ID]})
	}
	for g := range Groups.By(r, "vpc", v.key()) {
		out := vpc.Group{ID: g.ID}
		for rule := range Rules.By(r, "group", g.key()) {
			if rule.Egress {
				out.Egress = append(out.Egress, rule.compile())
			} else {
				out.Ingress = append(out.Ingress, rule.compile())
			}
		}
		c.Groups = append(c.Groups, out)
	}
	return c
}

func (r Rule) compile() vpc.Rule {
	out := vpc.Rule{From: r.Low, To: r.High}
	switch r.Protocol {
	case "tcp":
		out.Protocol = vpc.TCP
	case "udp":
		out.Protocol = vpc.UDP
	case "icmp":
		out.Protocol = vpc.ICMP
	case "icmpv6":
		out.Protocol = 58
	default:
		out.Protocol, _ = strconv.Atoi(r.Protocol)
	}
	switch {
	case r.CIDR != "":
		out.CIDRs = []netip.Prefix{netip.MustParsePrefix(r.CIDR)}
	case r.Peer.GroupID != "":
		out.Groups = []string{r.Peer.GroupID}
	case r.PrefixList != "":
		if l, err := prefixList(r.Scope.Region, r.PrefixList); err == nil {
			out.CIDRs = blocks(l)
		}
	}
	return out
}

func blocks(l PrefixList) []netip.Prefix {
	var out []netip.Prefix
	for _, c := range l.CIDRs {
		out = append(out, netip.MustParsePrefix(c))
	}
	return out
}

// routesOf are the routes of a subnet's table and of gateway endpoints.
func routesOf(r store.Reader, s Subnet) []vpc.Route {
	t := tableOf(r, s)
	var out []vpc.Route
	add := func(destination string, target vpc.Target) {
		if l, err := prefixList(s.Scope.Region, destination); err == nil {
			for _, p := range blocks(l) {
				out = append(out, vpc.Route{Dest: p, Target: target})
			}
		} else if p, err := netip.ParsePrefix(destination); err == nil {
			out = append(out, vpc.Route{Dest: p, Target: target})
		}
	}
	for _, route := range t.Routes {
		add(route.Destination, t.target(r, route.Target))
	}
	for e := range Endpoints.By(r, "vpc", s.Scope.Key(s.VPC)) {
		if e.gateway() && e.State == "available" && slices.Contains(e.RouteTables, t.ID) {
			add(prefixListOf(s.Scope.Region, e.Service).ID, vpc.Endpoint)
		}
	}
	return out
}

// target says where a route really leads. A NAT gateway works only when it is
// public and its own subnet has a default route to an internet gateway.
func (t RouteTable) target(r store.Reader, id string) vpc.Target {
	if !t.leads(r, id) {
		return vpc.Blackhole
	}
	switch {
	case strings.HasPrefix(id, "igw-"):
		return vpc.Internet
	case strings.HasPrefix(id, "nat-"):
		g, _ := NATGateways.Get(r, t.Scope.Key(id))
		s, err := Subnets.Get(r, t.Scope.Key(g.Subnet))
		if err != nil || g.Connectivity != "public" {
			return vpc.Blackhole
		}
		own := tableOf(r, s)
		for _, route := range own.Routes {
			if route.Destination == "0.0.0.0/0" && strings.HasPrefix(route.Target, "igw-") && own.leads(r, route.Target) {
				return vpc.NAT
			}
		}
	}
	return vpc.Blackhole
}
