package vpc

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Addresses that the router of every VPC answers at, besides the resolver at
// the VPC's base address plus two.
var (
	// Metadata serves task metadata and credentials at TCP port 80, and the
	// configuration of a mesh at MeshPort.
	Metadata = netip.MustParseAddr("169.254.170.2")
	// Resolver is the other address of the VPC's DNS server, port 53.
	Resolver = netip.MustParseAddr("169.254.169.253")
	// gateway is the next hop of every interface.
	gateway = netip.MustParseAddr("169.254.1.1")
)

// Config is the whole desired state of one VPC.
type Config struct {
	ID         string
	CIDRs      []netip.Prefix // IPv4, the first is the primary one
	DNS        bool           // enableDnsSupport: the resolver may be reached
	Subnets    []Subnet
	Interfaces []Interface
	Groups     []Group
	ACLs       []ACL
}

// DNSAddr is the address of the VPC's resolver: base of the primary CIDR plus two.
func (c Config) DNSAddr() netip.Addr {
	return c.CIDRs[0].Masked().Addr().Next().Next()
}

// routerAddr is the router's own address: base of the primary CIDR plus one.
func (c Config) routerAddr() netip.Addr { return c.CIDRs[0].Masked().Addr().Next() }

// Subnet is an address range with a route table.
type Subnet struct {
	ID     string
	CIDR   netip.Prefix
	Routes []Route // without the local route, which is always there
	ACL    string  // id of its network ACL; empty: everything passes
}

// Route sends packets for Dest to Target; the longest prefix wins.
type Route struct {
	Dest   netip.Prefix
	Target Target
}

// Target is where a route leads.
type Target string

// Targets of routes. Traffic to a peering connection or anything else that
// does not exist here is a Blackhole.
const (
	Internet  Target = "internet"  // an internet gateway: only for interfaces with a public address
	NAT       Target = "nat"       // a NAT gateway that is available
	Endpoint  Target = "endpoint"  // a gateway endpoint
	Blackhole Target = "blackhole" // dropped
)

// Interface is an elastic network interface.
type Interface struct {
	ID     string
	Subnet string
	Addr   netip.Addr
	MAC    string // "02:..." or empty: derived from the address
	Public bool   // has a public address, so that an internet gateway serves it
	Groups []string
	// Local marks an interface of the engine itself (load balancer node,
	// interface endpoint): its address is the router's, and engine sockets bound
	// to it obey its security groups. Local interfaces cannot be attached.
	Local bool
}

// Group is a security group: what may come in and what may go out.
type Group struct {
	ID              string
	Ingress, Egress []Rule
}

// Rule permits traffic with any of the peers: address ranges and members of
// security groups. Without peers it permits nothing.
type Rule struct {
	// Protocol is an IP protocol number, or -1 for all.
	Protocol int
	// From and To bound the destination port of TCP and UDP (0 to 65535); for
	// ICMP they are type and code, -1 for all. Other protocols ignore them.
	From, To int
	CIDRs    []netip.Prefix
	Groups   []string
}

// IP protocol numbers that have ports or types.
const (
	AllProtocols = -1
	ICMP         = 1
	TCP          = 6
	UDP          = 17
)

func validID(id string) bool {
	return id != "" && id != "." && id != ".." && !strings.ContainsAny(id, "/\x00")
}

func (c Config) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.CIDRs) == 0 {
		bad("no CIDR block")
	}
	for _, p := range c.CIDRs {
		if !p.IsValid() || !p.Addr().Is4() {
			bad("%s is not an IPv4 block", p)
		}
	}
	subnets := map[string]netip.Prefix{}
	for _, s := range c.Subnets {
		if !s.CIDR.IsValid() || !s.CIDR.Addr().Is4() {
			bad("subnet %s: %s is not an IPv4 block", s.ID, s.CIDR)
		}
		subnets[s.ID] = s.CIDR
		if s.ACL != "" && c.acl(s) == nil {
			bad("subnet %s: no network ACL %q", s.ID, s.ACL)
		}
	}
	for _, a := range c.ACLs {
		for _, e := range append(slices.Clone(a.Ingress), a.Egress...) {
			if !e.CIDR.IsValid() {
				bad("network ACL %s: %s is not a block", a.ID, e.CIDR)
			}
		}
	}
	used := map[netip.Addr]string{}
	for _, i := range c.Interfaces {
		cidr, ok := subnets[i.Subnet]
		switch {
		case !validID(i.ID):
			bad("interface id %q is not a file name", i.ID)
		case !ok:
			bad("interface %s: no subnet %q", i.ID, i.Subnet)
		case !cidr.Contains(i.Addr):
			bad("interface %s: %s is not in subnet %s", i.ID, i.Addr, cidr)
		case used[i.Addr] != "":
			bad("interfaces %s and %s share %s", used[i.Addr], i.ID, i.Addr)
		}
		used[i.Addr] = i.ID
	}
	return errors.Join(errs...)
}
