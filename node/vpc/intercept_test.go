package vpc

import (
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// meshed is what the reference platform's task definitions ask for.
func meshed() Interception {
	return Interception{
		IngressPort: 15000, EgressPort: 15001, AppPorts: []uint16{8081, 8082}, IgnoredUID: new(uint32(1337)),
		EgressIgnoredPorts: []uint16{22}, EgressIgnoredIPs: []netip.Prefix{prefix("169.254.170.2/32"), prefix("169.254.169.254/32")},
	}
}

func TestCompiledInterceptions(t *testing.T) {
	everything := meshed()
	everything.IgnoredGID = new(uint32(1338))
	everything.EgressIgnoredPorts = []uint16{22, 53}
	everything.EgressIgnoredIPs = []netip.Prefix{prefix("10.0.7.9/16"), prefix("2001:db8::/32"), prefix("0.0.0.0/0")}
	for name, i := range map[string]Interception{
		"platform":   meshed(),
		"group":      {IngressPort: 1, EgressPort: 65535, IgnoredGID: new(uint32(0))},
		"everything": everything,
	} {
		t.Run(name, func(t *testing.T) {
			r := i.Compile(ip("10.0.3.5"))
			var b strings.Builder
			for _, chain := range []string{guard, intercepted, redirect} {
				at := hookOf(chain)
				fmt.Fprintf(&b, "%s: %s hook %d, priority %d\n", chain, at.typ, at.number, at.priority)
				for _, m := range r.Chains[chain] {
					fmt.Fprintf(&b, "\t%s\n", words(m))
				}
			}
			golden(t, filepath.Join("testdata", "intercept", name+".txt"), b.String())
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s; go test ./node/vpc -rewrite takes it:\n%s", file, got)
	}
}

// words writes a rule much as nft does.
func words(m Match) string {
	var w []string
	add := func(when bool, format string, args ...any) {
		if when {
			w = append(w, fmt.Sprintf(format, args...))
		}
	}
	add(m.State == Established, "established")
	add(m.Owner.Of == ByUser, "user %d", m.Owner.ID)
	add(m.Owner.Of == ByGroup, "group %d", m.Owner.ID)
	add(m.Src.CIDR.IsValid(), "from %s", m.Src.CIDR)
	add(m.Dst.CIDR.IsValid(), "to %s", m.Dst.CIDR)
	add(m.Protocol == TCP, "tcp")
	add(m.Low > 0, "port %d", m.Low)
	add(m.Do == Accept, "accept")
	add(m.Do == Return, "return")
	add(m.Do == Reset, "reset")
	add(m.Do == DNAT, "redirect %s", m.To)
	return strings.Join(w, " ")
}

// For any interception and any packet the rules do what proxyConfiguration says.
func TestInterceptionsDecideAsDocumented(t *testing.T) {
	own := ip("10.0.3.5")
	addrs := []netip.Addr{own, ip("127.0.0.1"), ip("127.9.9.9"), ip("10.0.3.6"), ip("192.0.2.1"), Metadata, ip("10.0.0.2")}
	ports, ids := []uint16{22, 53, 80, 8080, MeshPort}, []uint32{0, 1000, 1337}
	rapid.Check(t, func(t *rapid.T) {
		some := func(name string) []uint16 {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(ports), 0, 3, rapid.ID[uint16]).Draw(t, name)
		}
		i := Interception{IngressPort: 15000, EgressPort: 15001, AppPorts: some("app ports"), EgressIgnoredPorts: some("ignored ports")}
		if rapid.Bool().Draw(t, "by user") {
			i.IgnoredUID = new(rapid.SampledFrom(ids).Draw(t, "ignored user"))
		}
		if i.IgnoredUID == nil || rapid.Bool().Draw(t, "by group") {
			i.IgnoredGID = new(rapid.SampledFrom(ids).Draw(t, "ignored group"))
		}
		for _, block := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"169.254.170.2/32", "10.0.0.0/16", "192.0.2.9/24", "0.0.0.0/0", "::/0"}), 0, 2, rapid.ID[string]).Draw(t, "ignored addresses") {
			i.EgressIgnoredIPs = append(i.EgressIgnoredIPs, prefix(block))
		}
		r := i.Compile(own)
		local := func(a netip.Addr) bool { return a == own || loopback.Contains(a) }
		for range 50 {
			p := packet{
				src: rapid.SampledFrom(addrs).Draw(t, "src"), dst: rapid.SampledFrom(addrs).Draw(t, "dst"), protocol: rapid.SampledFrom([]int{TCP, UDP}).Draw(t, "protocol"),
				port: int(rapid.SampledFrom(ports).Draw(t, "port")), uid: rapid.SampledFrom(ids).Draw(t, "user"), gid: rapid.SampledFrom(ids).Draw(t, "group"),
			}
			isProxy := i.IgnoredUID != nil && *i.IgnoredUID == p.uid || i.IgnoredGID != nil && *i.IgnoredGID == p.gid
			ignored := slices.Contains(i.EgressIgnoredPorts, uint16(p.port)) ||
				slices.ContainsFunc(i.EgressIgnoredIPs, func(b netip.Prefix) bool { return b.Contains(p.dst) })
			var out, in netip.AddrPort
			if p.protocol == TCP && !local(p.dst) && !isProxy && !ignored {
				out = netip.MustParseAddrPort("127.0.0.1:15001")
			}
			if p.protocol == TCP && !local(p.src) && slices.Contains(i.AppPorts, uint16(p.port)) {
				in = netip.AddrPortFrom(own, 15000)
			}
			if _, to := r.chain(intercepted, p); to != out {
				t.Fatalf("%+v goes out to %s, want %s: %+v", p, to, out, i)
			}
			if _, to := r.chain(redirect, p); to != in {
				t.Fatalf("%+v comes in at %s, want %s: %+v", p, to, in, i)
			}
			closed := p.protocol == TCP && p.dst == Metadata && p.port == MeshPort && !isProxy
			if action, _ := r.chain(guard, p); (action == Reset) != closed {
				t.Fatalf("%+v: guard does %d: %+v", p, action, i)
			}
		}
	})
}

func TestInterceptionsThatCannotBe(t *testing.T) {
	n := newNetwork(t, Options{})
	apply(t, n, shop("vpc-1"))
	for name, change := range map[string]func(*Interception){
		"nobody is ignored": func(i *Interception) { i.IgnoredUID = nil },
		"no ingress port":   func(i *Interception) { i.IngressPort = 0 },
		"no egress port":    func(i *Interception) { i.EgressPort = 0 },
		"port 0":            func(i *Interception) { i.AppPorts[0] = 0 },
		"ignored port 0":    func(i *Interception) { i.EgressIgnoredPorts[0] = 0 },
		"no address":        func(i *Interception) { i.EgressIgnoredIPs[0] = netip.Prefix{} },
		"not attached":      func(*Interception) {},
	} {
		i := meshed()
		change(&i)
		if err := n.Intercept(t.Context(), "vpc-1", "web", i); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, where := range [][2]string{{"vpc-2", "web"}, {"vpc-1", "../router"}, {"vpc-1", "nobody"}} {
		if err := n.Intercept(t.Context(), where[0], where[1], meshed()); err == nil {
			t.Errorf("%s: accepted", where)
		}
	}
}

// proxy answers every connection to a port of an interface with text and where
// the connection was going.
func proxy(t *testing.T, n *Network, eni, addr, text string) {
	t.Helper()
	err := inside(t, n, "vpc-1", eni, func() error {
		l, err := net.Listen("tcp4", addr)
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				to, err := originalDst(c.(*net.TCPConn))
				fmt.Fprintf(c, "%s %s %v\n", text, to, err)
				c.Close()
			}
		}()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// meshTown is shop with everything in it that an interception is about: web
// has a proxy, db answers, and so does the metadata endpoint.
func meshTown(t *testing.T, n *Network) {
	t.Helper()
	c := shop("vpc-1")
	c.Groups[2].Ingress = append(c.Groups[2].Ingress, Rule{Protocol: TCP, From: 22, To: 22, Groups: []string{"sg-web"}})
	apply(t, n, c)
	proxy(t, n, "web", ":15000", "ingress")
	proxy(t, n, "web", ":15001", "egress")
	serve(t, n, "vpc-1", "web", ":8081", "app")
	serve(t, n, "vpc-1", "web", ":8080", "unmeshed")
	serve(t, n, "vpc-1", "db", ":5432", "db")
	serve(t, n, "vpc-1", "db", ":22", "ssh")
	for _, addr := range []string{"169.254.170.2:80", "169.254.170.2:15010"} {
		l, err := n.Listen(t.Context(), "vpc-1", "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go answer(l, addr)
	}
}

const refused = "dial tcp4 169.254.170.2:15010: connect: connection refused"

func TestInterception(t *testing.T) {
	n := newNetwork(t, Options{})
	meshTown(t, n)
	want(t, "before", ask(t, n, "vpc-1", "web", "10.0.3.6:5432"), "db 10.0.3.5")

	intercept(t, n, meshed())
	for _, s := range []struct{ what, addr, want string }{
		{"goes out", "10.0.3.6:5432", "egress 10.0.3.6:5432 <nil>"},
		{"to where nobody is", "192.0.2.1:443", "egress 192.0.2.1:443 <nil>"},
		{"a name by TCP", "10.0.0.2:53", "egress 10.0.0.2:53 <nil>"},
		{"ignored port", "10.0.3.6:22", "ssh 10.0.3.5"},
		{"ignored address", "169.254.170.2:80", "169.254.170.2:80 10.0.3.5"},
		{"loopback", "127.0.0.1:8081", "app 127.0.0.1"},
		{"another loopback address", "127.0.0.9:8081", "app 127.0.0.1"},
		{"its own address", "10.0.3.5:8081", "app 10.0.3.5"},
		{"the configuration service", "169.254.170.2:15010", refused},
	} {
		want(t, s.what, ask(t, n, "vpc-1", "web", s.addr), s.want)
	}
	want(t, "comes in", dialVia(n, "vpc-1", "10.0.0.7", "10.0.3.5:8081"), "ingress 10.0.3.5:8081 <nil>")
	want(t, "comes in at a port that is not the mesh's", dialVia(n, "vpc-1", "10.0.0.7", "10.0.3.5:8080"), "unmeshed 10.0.0.7")
	want(t, "another task", ask(t, n, "vpc-1", "db", "169.254.170.2:80"), "169.254.170.2:80 10.0.3.6")

	// The tests run as user and group 0: now these are the proxy's.
	ignored := meshed()
	ignored.IgnoredUID = new(uint32(0))
	asGroup := meshed()
	asGroup.IgnoredUID, asGroup.IgnoredGID = nil, new(uint32(0))
	for name, i := range map[string]Interception{"user": ignored, "group": asGroup} {
		intercept(t, n, i)
		want(t, "ignored "+name+" goes out", ask(t, n, "vpc-1", "web", "10.0.3.6:5432"), "db 10.0.3.5")
		want(t, "ignored "+name+" and the configuration", ask(t, n, "vpc-1", "web", "169.254.170.2:15010"), "169.254.170.2:15010 10.0.3.5")
		want(t, "ignored "+name+", comes in", dialVia(n, "vpc-1", "10.0.0.7", "10.0.3.5:8081"), "ingress 10.0.3.5:8081 <nil>")
	}
}

func intercept(t *testing.T, n *Network, i Interception) {
	t.Helper()
	if err := n.Intercept(t.Context(), "vpc-1", "web", i); err != nil {
		t.Fatal(err)
	}
}

// The proxy of a task would reach whatever the application asks it for: the
// configuration service is closed to the application before that.
func TestNoWayToTheConfigurationByTheProxy(t *testing.T) {
	n := newNetwork(t, Options{})
	meshTown(t, n)
	i := meshed()
	i.EgressIgnoredIPs = nil
	intercept(t, n, i)
	want(t, "the configuration service", ask(t, n, "vpc-1", "web", "169.254.170.2:15010"), refused)
	want(t, "metadata", ask(t, n, "vpc-1", "web", "169.254.170.2:80"), "egress 169.254.170.2:80 <nil>")
}

// An interception outlives the engine, may be said again, and ends with the interface.
func TestInterceptionsSurvive(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "netns")
	first := newNetwork(t, Options{Dir: dir})
	meshTown(t, first)
	intercept(t, first, meshed())
	first.Close()

	second := newNetwork(t, Options{Dir: dir})
	apply(t, second, shop("vpc-1"))
	want(t, "found", ask(t, second, "vpc-1", "web", "10.0.3.6:5432"), "egress 10.0.3.6:5432 <nil>")
	for range 3 {
		intercept(t, second, meshed())
	}
	want(t, "said again", ask(t, second, "vpc-1", "web", "10.0.3.6:5432"), "egress 10.0.3.6:5432 <nil>")
	if err := second.Detach(t.Context(), "vpc-1", "web"); err != nil {
		t.Fatal(err)
	}
	serve(t, second, "vpc-1", "web", ":8081", "anew")
	want(t, "attached anew", dialVia(second, "vpc-1", "10.0.0.7", "10.0.3.5:8081"), "anew 10.0.0.7")
}
