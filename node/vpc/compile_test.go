package vpc

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// packet is the first packet of a connection.
type packet struct {
	link       string // came in by; empty: sent by the router itself
	src, dst   netip.Addr
	protocol   int
	port       int // or the type of ICMP
	code       int
	uid, gid   uint32
	notTheirs  bool // belongs to a connection that exists
	stateWrong bool
}

// run evaluates a ruleset as the kernel does: the action of the first rule that
// decides, and where the packet is sent instead.
func (r Ruleset) run(p packet) (passes bool, to netip.AddrPort) {
	entry := prerouting
	if p.link == "" {
		entry = output
	}
	if action, _ := r.chain(entry, p); action == Drop {
		return false, to
	}
	if entry == prerouting {
		_, to = r.chain(redirect, p)
	}
	if !to.IsValid() { // it goes on by a link
		action, _ := r.chain(postrouting, p)
		return action != Drop, to
	}
	return true, to
}

// chain returns 0 when the packet reaches the end, or returns.
func (r Ruleset) chain(name string, p packet) (Action, netip.AddrPort) {
	for _, m := range r.Chains[name] {
		if !r.matches(m, p) {
			continue
		}
		switch m.Do {
		case Jump:
			if action, to := r.chain(m.Chain, p); action != 0 {
				return action, to
			}
		case Goto:
			return r.chain(m.Chain, p)
		case Return:
			return 0, netip.AddrPort{}
		default:
			return m.Do, m.To
		}
	}
	return 0, netip.AddrPort{}
}

func (r Ruleset) matches(m Match, p packet) bool {
	peer := func(q Peer, a netip.Addr) bool {
		in := true
		if q.Set != "" {
			in = slices.Contains(r.Sets[q.Set], a)
		} else if q.CIDR.IsValid() {
			in = q.CIDR.Contains(a)
		}
		return in != q.Not
	}
	switch {
	case m.Loopback, m.State == Established && !p.notTheirs, m.State == Invalid && !p.stateWrong,
		m.Owner.Of == ByUser && m.Owner.ID != p.uid, m.Owner.Of == ByGroup && m.Owner.ID != p.gid,
		m.Forged && r.Bindings[Binding{p.link, p.src}], !peer(m.Src, p.src), !peer(m.Dst, p.dst):
		return false
	case m.Protocol == 0:
		return true
	case int(m.Protocol) != p.protocol:
		return false
	case m.Protocol == ICMP:
		return (m.Type < 0 || int(m.Type) == p.port) && (m.Code < 0 || int(m.Code) == p.code)
	}
	return m.Low == 0 && m.High == 0 || int(m.Low) <= p.port && p.port <= int(m.High)
}

// mayPass says the same in the words of the documentation.
func mayPass(c Config, p packet) bool {
	owner := func(a netip.Addr) (Interface, bool) {
		i := slices.IndexFunc(c.Interfaces, func(i Interface) bool { return i.Addr == a })
		if i < 0 {
			return Interface{}, false
		}
		return c.Interfaces[i], true
	}
	src, known := owner(p.src)
	switch {
	case p.link == "" && (!known || !src.Local):
		// The router itself, or the answer from outside.
		return within(c, p.src) || linkLocal.Contains(p.src) || listsPermit(c, p)
	case p.link != "" && (!known || src.Local || p.link != linkName(src.Addr)):
		return false // forged
	}
	if p.dst != c.routerAddr() && p.dst != c.DNSAddr() && !linkLocal.Contains(p.dst) && !listsPermit(c, p) {
		return false
	}
	if p.notTheirs {
		return true
	}
	if p.stateWrong && p.link != "" {
		return false
	}
	if p.dst == Metadata && p.protocol == TCP && (p.port == 80 || p.port == MeshPort) {
		return true
	}
	if c.DNS && (p.dst == Resolver || p.dst == c.DNSAddr()) && (p.protocol == TCP || p.protocol == UDP) && p.port == 53 {
		return true
	}
	if linkLocal.Contains(p.dst) {
		return false
	}
	dst, there := owner(p.dst)
	permits := func(rules []Rule, peer netip.Addr, groups []string) bool {
		return slices.ContainsFunc(rules, func(r Rule) bool {
			return covers(r, p) && (slices.ContainsFunc(r.CIDRs, func(b netip.Prefix) bool { return b.Contains(peer) }) ||
				slices.ContainsFunc(r.Groups, func(g string) bool { return slices.Contains(groups, g) }))
		})
	}
	if !slices.ContainsFunc(c.Groups, func(g Group) bool { return slices.Contains(src.Groups, g.ID) && permits(g.Egress, p.dst, dst.Groups) }) {
		return false
	}
	if slices.ContainsFunc(c.CIDRs, func(b netip.Prefix) bool { return b.Contains(p.dst) }) {
		return there && slices.ContainsFunc(c.Groups, func(g Group) bool { return slices.Contains(dst.Groups, g.ID) && permits(g.Ingress, p.src, src.Groups) })
	}
	if p.protocol != TCP && (p.protocol != UDP || p.port != 53) {
		return false
	}
	best := Route{Target: Blackhole}
	for _, s := range c.Subnets {
		for _, r := range s.Routes {
			if s.ID == src.Subnet && r.Dest.Contains(p.dst) && (!best.Dest.IsValid() || r.Dest.Bits() > best.Dest.Bits()) {
				best = r
			}
		}
	}
	return best.Target == NAT || best.Target == Endpoint || best.Target == Internet && src.Public
}

func within(c Config, a netip.Addr) bool {
	return slices.ContainsFunc(c.CIDRs, func(b netip.Prefix) bool { return b.Contains(a) })
}

// listsPermit says what the network ACLs of both subnets say of a packet.
func listsPermit(c Config, p packet) bool {
	decide := func(entries []Entry, other netip.Addr) bool {
		for _, e := range entries {
			if e.CIDR.Contains(other) && covers(Rule{Protocol: e.Protocol, From: e.From, To: e.To}, p) {
				return e.Allow
			}
		}
		return false
	}
	for _, s := range c.Subnets {
		from, to := s.CIDR.Contains(p.src), s.CIDR.Contains(p.dst)
		i := slices.IndexFunc(c.ACLs, func(a ACL) bool { return a.ID == s.ACL })
		if i < 0 || from == to {
			continue
		}
		if from && !decide(c.ACLs[i].Egress, p.dst) || to && !decide(c.ACLs[i].Ingress, p.src) {
			return false
		}
	}
	return true
}

func covers(r Rule, p packet) bool {
	switch {
	case r.Protocol == AllProtocols:
		return true
	case r.Protocol != p.protocol:
		return false
	case r.Protocol == ICMP:
		return (r.From < 0 || r.From == p.port) && (r.From < 0 || r.To < 0 || r.To == p.code)
	case r.Protocol == TCP || r.Protocol == UDP:
		return r.From <= p.port && p.port <= r.To
	}
	return true
}

// draw makes a small world with everything in it.
func draw(t *rapid.T) Config {
	c := Config{ID: "vpc-1", CIDRs: []netip.Prefix{prefix("10.0.0.0/16")}, DNS: rapid.Bool().Draw(t, "dns")}
	if rapid.Bool().Draw(t, "second block") {
		c.CIDRs = append(c.CIDRs, prefix("172.16.0.0/20"))
	}
	groups := []string{"sg-a", "sg-b", "sg-c", "sg-d"}
	blocks := []string{"0.0.0.0/0", "10.0.0.0/16", "10.0.0.0/24", "10.0.1.0/24", "10.0.1.5/32", "192.0.2.0/24", "192.0.2.128/25", "198.51.100.7/32"}
	some := func(name string, from []string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, 2, rapid.ID[string]).Draw(t, name)
	}
	cidrs := func(name string) (out []netip.Prefix) {
		for _, b := range some(name, blocks) {
			out = append(out, prefix(b))
		}
		return out
	}
	for n := range 2 {
		s := Subnet{ID: fmt.Sprintf("subnet-%d", n), CIDR: prefix(fmt.Sprintf("10.0.%d.0/24", n))}
		for _, dest := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"0.0.0.0/0", "192.0.2.0/24", "192.0.2.128/25", "198.51.100.0/24"}), 0, 3, rapid.ID[string]).Draw(t, "routes") {
			s.Routes = append(s.Routes, Route{prefix(dest), rapid.SampledFrom([]Target{Internet, NAT, Endpoint, Blackhole}).Draw(t, "target")})
		}
		c.Subnets = append(c.Subnets, s)
		for k := range 3 {
			if rapid.Bool().Draw(t, "interface") {
				c.Interfaces = append(c.Interfaces, Interface{
					ID: fmt.Sprintf("eni-%d-%d", n, k), Subnet: s.ID, Addr: ip(fmt.Sprintf("10.0.%d.%d", n, k+4)), Groups: some("groups", groups),
					Public: rapid.Bool().Draw(t, "public"), Local: rapid.Bool().Draw(t, "local"),
				})
			}
		}
	}
	rules := func() (out []Rule) {
		for range rapid.IntRange(0, 3).Draw(t, "rules") {
			r := Rule{Protocol: rapid.SampledFrom([]int{AllProtocols, ICMP, TCP, UDP, 50}).Draw(t, "protocol"), CIDRs: cidrs("peers"), Groups: some("peer groups", groups)}
			switch r.Protocol {
			case TCP, UDP:
				r.From = rapid.SampledFrom([]int{0, 53, 80, 443}).Draw(t, "from")
				r.To = r.From + rapid.SampledFrom([]int{0, 1, 65535 - 443}).Draw(t, "ports")
			case ICMP:
				r.From, r.To = rapid.SampledFrom([]int{-1, 0, 8}).Draw(t, "type"), rapid.SampledFrom([]int{-1, 0, 1}).Draw(t, "code")
			}
			out = append(out, r)
		}
		return out
	}
	if rapid.Bool().Draw(t, "lists") {
		entries := func() (out []Entry) {
			for _, r := range rules() {
				e := Entry{Protocol: r.Protocol, From: r.From, To: r.To, CIDR: prefix("0.0.0.0/0"), Allow: rapid.IntRange(0, 3).Draw(t, "allow") > 0}
				if len(r.CIDRs) > 0 {
					e.CIDR = r.CIDRs[0]
				}
				out = append(out, e)
			}
			return out
		}
		for _, id := range []string{"acl-a", "acl-b"} {
			c.ACLs = append(c.ACLs, ACL{ID: id, Ingress: entries(), Egress: entries()})
		}
		for n := range c.Subnets {
			c.Subnets[n].ACL = rapid.SampledFrom([]string{"", "acl-a", "acl-b"}).Draw(t, "list")
		}
	}
	for _, id := range groups[:3] { // sg-d is referred to, and not there
		c.Groups = append(c.Groups, Group{ID: id, Ingress: rules(), Egress: rules()})
	}
	return c
}

func TestCompiledRulesDecideAsDocumented(t *testing.T) {
	passed, decided := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := draw(t)
		if err := c.validate(); err != nil {
			t.Fatal(err)
		}
		r := Compile(c)
		addrs := []netip.Addr{ip("10.0.0.9"), ip("10.0.1.9"), ip("172.16.0.9"), c.DNSAddr(), Metadata, Resolver, gateway, ip("192.0.2.1"), ip("192.0.2.200"), ip("198.51.100.7"), ip("203.0.113.1")}
		for _, i := range c.Interfaces {
			addrs = append(addrs, i.Addr)
		}
		for range 100 {
			p := packet{
				src: rapid.SampledFrom(addrs).Draw(t, "src"), dst: rapid.SampledFrom(addrs).Draw(t, "dst"), protocol: rapid.SampledFrom([]int{ICMP, TCP, UDP, 50}).Draw(t, "protocol"),
				port: rapid.SampledFrom([]int{0, 8, 53, 54, 80, 443, MeshPort, 65535}).Draw(t, "port"), code: rapid.IntRange(0, 1).Draw(t, "code"),
				notTheirs: rapid.IntRange(0, 9).Draw(t, "established") == 0, stateWrong: rapid.IntRange(0, 9).Draw(t, "invalid") == 0,
			}
			switch rapid.IntRange(0, 9).Draw(t, "link") {
			case 0: // the router
			case 1:
				p.link = linkName(rapid.SampledFrom(addrs).Draw(t, "forger"))
			default:
				p.link = linkName(p.src)
			}
			if p.notTheirs && p.stateWrong || p.port == 0 && p.protocol != ICMP { // nobody uses port 0
				continue
			}
			got, to := r.run(p)
			want := mayPass(c, p)
			if got != want {
				t.Fatalf("%+v: passes %v, want %v\n%+v\n%+v", p, got, want, c, r.Chains)
			}
			inside := linkLocal.Contains(p.dst) || slices.ContainsFunc(c.CIDRs, func(b netip.Prefix) bool { return b.Contains(p.dst) })
			if got && p.link != "" && !p.notTheirs && to.IsValid() == inside {
				t.Fatalf("%+v: redirected to %s", p, to)
			}
			decided++
			if got {
				passed++
			}
		}
	})
	t.Logf("%d packets, %d of them passed", decided, passed)
}

func TestCompileStories(t *testing.T) {
	c := shop("vpc-1")
	r := Compile(c)
	web, db, other, lb := ip("10.0.3.5"), ip("10.0.3.6"), ip("10.0.6.5"), ip("10.0.0.7")
	for _, s := range []struct {
		name     string
		link     netip.Addr // zero: from the router
		src, dst netip.Addr
		protocol int
		port     int
		want     bool
	}{
		{"member of the referenced group", web, web, db, TCP, 5432, true},
		{"its other port", web, web, db, TCP, 5433, false},
		{"stranger", other, other, db, TCP, 5432, false},
		{"ping in the block", web, web, db, ICMP, 8, true},
		{"ping from elsewhere", other, other, db, ICMP, 8, false},
		{"load balancer to task", netip.Addr{}, lb, web, TCP, 8082, true},
		{"load balancer to a closed port", netip.Addr{}, lb, web, TCP, 8083, false},
		{"forged load balancer", other, lb, web, TCP, 8080, false},
		{"router", netip.Addr{}, ip("10.0.0.1"), web, TCP, 9999, true},
		{"dns", other, other, ip("10.0.0.2"), UDP, 53, true},
		{"dns alias by tcp", other, other, Resolver, TCP, 53, true},
		{"metadata", other, other, Metadata, TCP, 80, true},
		{"another port of metadata", other, other, Metadata, TCP, 81, false},
		{"router's own address", other, other, gateway, TCP, egressPort, false},
		{"address that nobody has", web, web, ip("10.0.3.77"), TCP, 80, false},
		{"out by NAT", web, web, ip("192.0.2.1"), TCP, 443, true},
		{"out by NAT, longest prefix is a blackhole", web, web, ip("203.0.113.5"), TCP, 443, false},
		{"no route", other, other, ip("192.0.2.1"), TCP, 443, false},
		{"udp to the outside", web, web, ip("192.0.2.1"), UDP, 123, false},
	} {
		p := packet{src: s.src, dst: s.dst, protocol: s.protocol, port: s.port}
		if s.link.IsValid() {
			p.link = linkName(s.link)
		}
		if got, _ := r.run(p); got != s.want {
			t.Errorf("%s: passes %v", s.name, got)
		}
	}
}

func TestConfigsThatCannotBe(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no block":        func(c *Config) { c.CIDRs = nil },
		"IPv6":            func(c *Config) { c.CIDRs = []netip.Prefix{prefix("2001:db8::/64")} },
		"unknown subnet":  func(c *Config) { c.Interfaces[0].Subnet = "none" },
		"outside":         func(c *Config) { c.Interfaces[0].Addr = ip("10.0.9.9") },
		"same address":    func(c *Config) { c.Interfaces[2].Addr = c.Interfaces[1].Addr },
		"unknown list":    func(c *Config) { c.Subnets[0].ACL = "acl-none" },
		"id with a slash": func(c *Config) { c.Interfaces[0].ID = "../x" },
	} {
		c := shop("vpc-1")
		change(&c)
		if c.validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
