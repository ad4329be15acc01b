package vpc

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"pgregory.net/rapid"
)

// newTestFilter is the filter of a namespace of its own.
func newTestFilter(t testing.TB) *filter {
	t.Helper()
	n := newNetwork(t, Options{})
	r, err := n.router("vpc-1", true)
	if err != nil {
		t.Fatal(err)
	}
	return r.filter
}

// dump is all that the kernel holds, as text.
func (f *filter) dump(t *rapid.T) string {
	conn, err := nftables.New(nftables.WithNetNSFd(f.netns))
	if err != nil {
		t.Fatal(err)
	}
	table := &nftables.Table{Name: tableName, Family: nftables.TableFamilyIPv4}
	var out []string
	sets, err := conn.GetSets(table)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sets {
		elements, err := conn.GetSetElements(s)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, e := range elements {
			keys = append(keys, fmt.Sprintf("%x", e.Key))
		}
		slices.Sort(keys)
		out = append(out, "set "+s.Name+" "+strings.Join(keys, " "))
	}
	chains, err := conn.ListChainsOfTableFamily(nftables.TableFamilyIPv4)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range chains {
		rules, err := conn.GetRules(table, c)
		if err != nil {
			t.Fatal(err)
		}
		line := "chain " + c.Name
		for _, r := range rules {
			line += "\n "
			for _, e := range r.Exprs {
				if l, ok := e.(*expr.Lookup); ok {
					l.SetID = 0
				}
				line += fmt.Sprintf(" %T%+v", e, e)
			}
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// However a filter came to its rules, by changes or at once, the kernel holds
// the same; and no change is refused.
func TestChangesEqualAWholeLoad(t *testing.T) {
	changed, whole := newTestFilter(t), newTestFilter(t)
	rapid.Check(t, func(t *rapid.T) {
		next := Compile(draw(t))
		if changed.current != nil {
			if err := changed.change(*changed.current, next); err != nil {
				t.Fatalf("change: %v", err)
			}
			changed.current = &next
		} else if err := changed.load(next); err != nil {
			t.Fatal(err)
		}
		whole.current = nil
		if err := whole.load(next); err != nil {
			t.Fatal(err)
		}
		if a, b := changed.dump(t), whole.dump(t); a != b {
			t.Fatalf("by changes:\n%s\nat once:\n%s", a, b)
		}
	})
}

// A VPC with thousands of rules and interfaces loads in one transaction.
func TestALargeVPCLoads(t *testing.T) {
	f := newTestFilter(t)
	c := Config{ID: "vpc-1", CIDRs: []netip.Prefix{prefix("10.0.0.0/16")}, Subnets: []Subnet{{ID: "all", CIDR: prefix("10.0.0.0/16")}}}
	for n := range 100 {
		g := Group{ID: fmt.Sprintf("sg-%017d", n), Egress: anyOut()}
		for port := range 60 {
			g.Ingress = append(g.Ingress, Rule{Protocol: TCP, From: port + 1, To: port + 1, CIDRs: []netip.Prefix{prefix("10.0.0.0/16")}})
		}
		c.Groups = append(c.Groups, g)
	}
	a := ip("10.0.0.4")
	for n := range 3000 {
		c.Interfaces = append(c.Interfaces, Interface{ID: fmt.Sprintf("eni-%d", n), Subnet: "all", Addr: a, Groups: []string{c.Groups[n%100].ID}})
		a = a.Next()
	}
	if err := f.load(Compile(c)); err != nil {
		t.Fatal(err)
	}
}
