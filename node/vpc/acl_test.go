package vpc

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
)

var anywhere = prefix("0.0.0.0/0")

// every lets everything pass.
func every() []Entry {
	return []Entry{{Protocol: AllProtocols, From: -1, To: -1, CIDR: anywhere, Allow: true}}
}

// A network ACL looks at every packet that crosses the border of its subnet,
// answers too, and at none within.
func TestNetworkACLs(t *testing.T) {
	n := newNetwork(t, Options{Egress: func(_ context.Context, _, addr string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			fmt.Fprintln(far, addr)
			io.Copy(io.Discard, far)
		}()
		return near, nil
	}})
	c := shop("vpc-1")
	c.Groups[2].Ingress = append(c.Groups[2].Ingress, Rule{Protocol: TCP, From: 5432, To: 5432, CIDRs: []netip.Prefix{prefix("10.0.6.0/24")}})
	list := func(in, out []Entry) {
		t.Helper()
		c.ACLs = []ACL{{ID: "acl-1", Ingress: in, Egress: out}}
		c.Subnets[1].ACL = "acl-1" // private
		apply(t, n, c)
	}
	list(every(), every())
	serve(t, n, "vpc-1", "db", ":5432", "db")
	serve(t, n, "vpc-1", "web", ":8081", "web")
	neighbour := func() string { t.Helper(); return ask(t, n, "vpc-1", "web", "10.0.3.6:5432") }
	stranger := func() string { t.Helper(); return ask(t, n, "vpc-1", "other", "10.0.3.6:5432") }
	balancer := func() string { t.Helper(); return dialVia(n, "vpc-1", "10.0.0.7", "10.0.3.5:8081") }
	internet := func() string { t.Helper(); return ask(t, n, "vpc-1", "web", "192.0.2.1:443") }
	all := func(what, inside, other, lb, away string) {
		t.Helper()
		want(t, what+": within the subnet", neighbour(), inside)
		want(t, what+": from another subnet", stranger(), other)
		want(t, what+": from the load balancer", balancer(), lb)
		want(t, what+": to the internet", internet(), away)
	}
	const db, fromOther, web, away = "db 10.0.3.5", "db 10.0.6.5", "web 10.0.0.7", "192.0.2.1:443"
	all("open", db, fromOther, web, away)

	list(nil, nil)
	all("no entry", db, "denied", "denied", "denied")

	tcp := func(from, to int, block string, allow bool) Entry {
		return Entry{Protocol: TCP, From: from, To: to, CIDR: prefix(block), Allow: allow}
	}
	list([]Entry{tcp(5432, 5432, "10.0.6.0/24", true)}, nil)
	all("in, and no answer out", db, "denied", "denied", "denied")
	list([]Entry{tcp(5432, 5432, "10.0.6.0/24", true)}, []Entry{tcp(1024, 65535, "10.0.6.0/24", true)})
	all("in, and the answer out", db, fromOther, "denied", "denied")
	list([]Entry{tcp(8081, 8081, "10.0.0.0/24", true)}, []Entry{tcp(1024, 65535, "10.0.0.0/24", true)})
	all("the load balancer's subnet", db, "denied", web, "denied")
	list(nil, []Entry{tcp(443, 443, "0.0.0.0/0", true)})
	all("out, and no answer in", db, "denied", "denied", "denied")
	list([]Entry{tcp(1024, 65535, "192.0.2.0/24", true)}, []Entry{tcp(443, 443, "0.0.0.0/0", true)})
	all("out, and the answer in", db, "denied", "denied", away)
	list([]Entry{tcp(5432, 5432, "10.0.6.5/32", false), every()[0]}, every())
	all("the first that matches", db, "denied", web, away)
	c.ACLs, c.Subnets[1].ACL = nil, ""
	apply(t, n, c)
	all("none", db, fromOther, web, away)
}

// What passes an open list costs nothing.
func TestOpenACLsAreNotCompiled(t *testing.T) {
	c := shop("vpc-1")
	before := Compile(c)
	c.ACLs = []ACL{{ID: "acl-1", Ingress: every(), Egress: append(every(), Entry{Protocol: TCP, From: 1, To: 1, CIDR: anywhere})}}
	for i := range c.Subnets {
		c.Subnets[i].ACL = "acl-1"
	}
	after := Compile(c)
	for name, chain := range after.Chains {
		if !slices.Equal(chain, before.Chains[name]) {
			t.Errorf("chain %s: %+v", name, chain)
		}
	}
}
