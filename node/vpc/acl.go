package vpc

import "net/netip"

// ACL is a network access control list, which filters what crosses the border
// of its subnets. It knows no connections: an answer is a packet like any
// other, and needs an entry of its own. (Source: "Control subnet traffic with
// network access control lists", Amazon VPC User Guide.)
type ACL struct {
	ID              string
	Ingress, Egress []Entry // in the order of their numbers
}

// Entry is one rule of an ACL; the first that matches a packet decides, and
// without any it is dropped. From and To are as those of Rule: ports are
// always the destination's.
type Entry struct {
	Protocol, From, To int
	CIDR               netip.Prefix // of the other side
	Allow              bool
}

const (
	lists       = "lists"       // a packet from an interface: may it leave its subnet, and enter the other's?
	postrouting = "postrouting" // every packet that goes out by a link; answers from outside have their source again
)

// open tells whether an ACL lets everything pass, as the one does that comes
// with a VPC.
func (a ACL) open() bool {
	all := func(entries []Entry) bool {
		return len(entries) > 0 && entries[0].Allow && entries[0].Protocol == AllProtocols && entries[0].CIDR.Bits() == 0
	}
	return all(a.Ingress) && all(a.Egress)
}

// filtered are the subnets whose ACL does not let everything pass.
func (c Config) filtered() (out []Subnet) {
	for _, s := range c.Subnets {
		if a := c.acl(s); a != nil && !a.open() {
			out = append(out, s)
		}
	}
	return out
}

func (c Config) acl(s Subnet) *ACL {
	for i := range c.ACLs {
		if c.ACLs[i].ID == s.ACL {
			return &c.ACLs[i]
		}
	}
	return nil
}

// lists makes the chains of ACLs, and enters them before anything asks whether
// a packet belongs to a connection. The resolver, the metadata endpoint and the
// router itself are out of the reach of ACLs, as on AWS.
func (r *Ruleset) lists(c Config) {
	filtered := c.filtered()
	if len(filtered) == 0 {
		return
	}
	chain := []Match{{Dst: Peer{CIDR: linkLocal}, Do: Return}, {Dst: host(c.DNSAddr()), Do: Return}, {Dst: host(c.routerAddr()), Do: Return}}
	answers := []Match{{Src: Peer{CIDR: linkLocal}, Do: Accept}}
	for _, p := range c.CIDRs { // lists has seen them
		answers = append(answers, Match{Src: Peer{CIDR: p.Masked()}, Do: Accept})
	}
	var out, in []Match
	for _, s := range filtered {
		a := c.acl(s)
		own := Peer{CIDR: s.CIDR.Masked()}
		chain = append(chain, Match{Src: own, Dst: own, Do: Return}) // crosses no border
		out = append(out, Match{Src: own, Do: Jump, Chain: a.ID + "-out"})
		in = append(in, Match{Dst: own, Do: Jump, Chain: a.ID + "-in"})
		r.Chains[a.ID+"-out"] = listed(a.Egress, func(m *Match, p Peer) { m.Dst = p })
		r.Chains[a.ID+"-in"] = listed(a.Ingress, func(m *Match, p Peer) { m.Src = p })
	}
	r.Chains[lists] = append(append(chain, out...), in...)
	r.Chains[postrouting] = append(answers, in...)
	pre := r.Chains[prerouting]
	r.Chains[prerouting] = append([]Match{pre[0], pre[1], {Do: Jump, Chain: lists}}, pre[2:]...)
	r.Chains[output] = append([]Match{{Src: Peer{Set: engine}, Do: Jump, Chain: lists}}, r.Chains[output]...)
}

// listed is the chain of one direction of an ACL.
func listed(entries []Entry, set func(*Match, Peer)) []Match {
	var out []Match
	for _, e := range entries {
		m := Match{Do: Drop}
		if e.Allow {
			m.Do = Return
		}
		if m, ok := m.traffic(Rule{Protocol: e.Protocol, From: e.From, To: e.To}); ok && e.CIDR.Addr().Is4() {
			set(&m, Peer{CIDR: e.CIDR.Masked()})
			out = append(out, m)
		}
	}
	return append(out, Match{Do: Drop})
}
