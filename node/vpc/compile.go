package vpc

import (
	"cmp"
	"net/netip"
	"slices"
)

// Names of sets and inner chains. Those of a security group are its id (the
// addresses of its members), <id>-out and <id>-in.
const (
	interfaces = "interfaces" // addresses of all interfaces
	engine     = "engine"     // addresses of Local interfaces
	public     = "public"     // addresses of interfaces that an internet gateway serves

	check   = "check"   // a new connection: services, then egress
	egress  = "egress"  // may the source send it?
	deliver = "deliver" // the source may: inside or outside?
	ingress = "ingress" // may the destination receive it?
	outside = "outside" // does a route lead there?
)

var linkLocal = netip.MustParsePrefix("169.254.0.0/16")

// egressPort is where the engine takes connections that leave a VPC, on the
// gateway address of its router. Nothing can address it directly.
const egressPort = 15003

// Compile turns a valid Config into a packet filter. Decisions are taken where
// a packet enters the router, before its destination is rewritten, and, for
// connections of the engine's own interfaces, where it leaves.
//
// Security groups are stateful: only the first packet of a connection is
// checked, against the union of the egress rules of the source's groups and
// the union of the ingress rules of the destination's groups. Network ACLs are
// not: every packet is checked.
func Compile(c Config) Ruleset {
	r := Ruleset{
		Sets:     map[string][]netip.Addr{interfaces: nil, engine: nil, public: nil},
		Chains:   map[string][]Match{},
		Bindings: map[Binding]bool{},
	}
	r.entries(c)
	r.members(c)
	r.groups(c)
	r.routes(c)
	r.lists(c)
	return r
}

// entries makes the chains that the kernel enters, and check.
func (r *Ruleset) entries(c Config) {
	r.Chains[prerouting] = []Match{
		{Loopback: true, Do: Accept}, // seen by output already
		{Forged: true, Do: Drop},
		{State: Established, Do: Accept},
		{State: Invalid, Do: Drop},
		{Do: Goto, Chain: check},
	}
	r.Chains[output] = []Match{
		{State: Established, Do: Accept},
		{Src: Peer{Set: engine, Not: true}, Do: Accept}, // the router itself
		{Do: Goto, Chain: check},
	}
	r.Chains[check] = append(services(c),
		Match{Dst: Peer{CIDR: linkLocal}, Do: Drop},
		Match{Do: Goto, Chain: egress})

	way := netip.AddrPortFrom(gateway, egressPort)
	chain := []Match{{Dst: Peer{CIDR: linkLocal}, Do: Return}}
	for _, p := range c.CIDRs {
		chain = append(chain, Match{Dst: Peer{CIDR: p.Masked()}, Do: Return})
	}
	r.Chains[redirect] = append(chain,
		Match{Protocol: TCP, Do: DNAT, To: way},
		Match{Protocol: UDP, Low: 53, High: 53, Do: DNAT, To: netip.AddrPortFrom(c.DNSAddr(), 53)})
}

// services are reachable whatever the security groups say, as on AWS.
func services(c Config) []Match {
	m := []Match{
		{Dst: host(Metadata), Protocol: TCP, Low: 80, High: 80, Do: Accept},
		{Dst: host(Metadata), Protocol: TCP, Low: MeshPort, High: MeshPort, Do: Accept},
	}
	if !c.DNS {
		return m
	}
	for _, a := range []netip.Addr{c.DNSAddr(), Resolver} {
		m = append(m,
			Match{Dst: host(a), Protocol: UDP, Low: 53, High: 53, Do: Accept},
			Match{Dst: host(a), Protocol: TCP, Low: 53, High: 53, Do: Accept})
	}
	return m
}

// members fills the sets: who is there, and who is in which group.
func (r *Ruleset) members(c Config) {
	add := func(set string, a netip.Addr) { r.Sets[set] = append(r.Sets[set], a) }
	for _, i := range c.Interfaces {
		add(interfaces, i.Addr)
		if i.Local {
			add(engine, i.Addr)
		} else {
			r.Bindings[Binding{Link: linkName(i.Addr), Addr: i.Addr}] = true
		}
		if i.Public {
			add(public, i.Addr)
		}
		for _, g := range i.Groups {
			add(g, i.Addr)
		}
	}
	for name, set := range r.Sets {
		slices.SortFunc(set, netip.Addr.Compare)
		r.Sets[name] = slices.Compact(set)
	}
}

// groups makes egress, ingress, and two chains for each group with members.
func (r *Ruleset) groups(c Config) {
	var out, in []Match
	for _, g := range c.Groups {
		if len(r.Sets[g.ID]) == 0 {
			continue // nobody's rules
		}
		r.Chains[g.ID+"-out"] = r.rules(g.Egress, Match{Do: Goto, Chain: deliver}, func(m *Match, p Peer) { m.Dst = p })
		r.Chains[g.ID+"-in"] = r.rules(g.Ingress, Match{Do: Accept}, func(m *Match, p Peer) { m.Src = p })
		out = append(out, Match{Src: Peer{Set: g.ID}, Do: Jump, Chain: g.ID + "-out"})
		in = append(in, Match{Dst: Peer{Set: g.ID}, Do: Jump, Chain: g.ID + "-in"})
	}
	r.Chains[egress] = append(out, Match{Do: Drop})
	r.Chains[ingress] = append(in, Match{Do: Drop})
	var local []Match
	for _, p := range c.CIDRs {
		local = append(local, Match{Dst: Peer{CIDR: p.Masked()}, Do: Goto, Chain: ingress})
	}
	r.Chains[deliver] = append(local, Match{Do: Goto, Chain: outside})
}

// rules turns security group rules into one Match per peer.
func (r *Ruleset) rules(rules []Rule, do Match, set func(*Match, Peer)) []Match {
	var out []Match
	for _, rule := range rules {
		m, ok := do.traffic(rule)
		if !ok {
			continue
		}
		for _, p := range rule.CIDRs {
			if p.Addr().Is4() {
				set(&m, Peer{CIDR: p.Masked()})
				out = append(out, m)
			}
		}
		for _, g := range rule.Groups {
			if len(r.Sets[g]) > 0 { // a group without members matches nobody
				set(&m, Peer{Set: g})
				out = append(out, m)
			}
		}
	}
	return out
}

// traffic adds the rule's protocol and ports to m; false if no packet matches.
func (m Match) traffic(rule Rule) (Match, bool) {
	if rule.Protocol == AllProtocols {
		return m, true
	}
	m.Protocol = uint8(rule.Protocol)
	switch rule.Protocol {
	case ICMP:
		m.Type, m.Code = int16(rule.From), int16(rule.To)
		if m.Type < 0 {
			m.Code = -1
		}
	case TCP, UDP:
		low, high := max(rule.From, 0), min(rule.To, 65535)
		if rule.From < 0 && rule.To < 0 {
			low, high = 0, 65535
		}
		if low == 0 && high == 65535 {
			break // every port
		}
		if m.Low, m.High = uint16(low), uint16(high); low > high || high == 0 {
			return m, false // port 0 alone is nobody's
		}
	}
	return m, true
}

// routes makes outside: per subnet the routes, longest prefix first. Only TCP
// and DNS leave, as they are carried by the engine and not by the kernel.
func (r *Ruleset) routes(c Config) {
	chain := []Match{
		{Protocol: TCP, Do: Jump, Chain: "routes"},
		{Protocol: UDP, Low: 53, High: 53, Do: Jump, Chain: "routes"},
		{Do: Drop},
	}
	var routes []Match
	for _, s := range c.Subnets {
		sorted := slices.SortedStableFunc(slices.Values(s.Routes), func(a, b Route) int {
			return cmp.Compare(b.Dest.Bits(), a.Dest.Bits())
		})
		var own []Match
		for _, t := range sorted {
			to := Peer{CIDR: t.Dest.Masked()}
			switch t.Target {
			case Internet:
				own = append(own,
					Match{Src: Peer{Set: public}, Dst: to, Do: Accept},
					Match{Dst: to, Do: Drop})
			case NAT, Endpoint:
				own = append(own, Match{Dst: to, Do: Accept})
			default:
				own = append(own, Match{Dst: to, Do: Drop})
			}
		}
		if len(own) == 0 {
			continue
		}
		r.Chains["routes-"+s.ID] = append(own, Match{Do: Drop})
		routes = append(routes, Match{Src: Peer{CIDR: s.CIDR.Masked()}, Do: Goto, Chain: "routes-" + s.ID})
	}
	r.Chains[outside], r.Chains["routes"] = chain, append(routes, Match{Do: Drop})
}

func host(a netip.Addr) Peer { return Peer{CIDR: netip.PrefixFrom(a, a.BitLen())} }
