package ec2

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Interface is an elastic network interface.
type Interface struct {
	Meta
	VPC, Subnet, AZ string
	IP              string // private IPv4 address
	MAC             string
	Groups          []string
	Description     string
	// Type is "interface" for tasks and users; load_balancer,
	// network_load_balancer, vpc_endpoint and nat_gateway are the engine's own.
	Type           string
	OwnerARN       string // what it belongs to; empty when a user made it
	Requester      bool   // managed by a service: users may not delete it
	PrivateDNSName string // ip-10-0-3-7.ec2.internal
	PublicIP       string // assigned at creation, without an elastic IP
	NoSourceCheck  bool
}

// Local tells whether the engine itself holds the address.
func (i Interface) Local() bool { return i.Type != "interface" }

// Interfaces holds network interfaces, keyed by scope and id; "address" finds
// them by subnet and private address.
var Interfaces = store.NewTable("ec2/interface", func(i Interface) string { return i.key() },
	store.Index("vpc", func(i Interface) []string { return []string{i.Scope.Key(i.VPC)} }),
	store.CountedIndex("subnet", func(i Interface) []string { return []string{i.Scope.Key(i.Subnet)} }),
	store.Index("address", func(i Interface) []string { return []string{i.Scope.Key(i.Subnet, i.IP)} }),
	store.Index("group", func(i Interface) []string {
		var keys []string
		for _, g := range i.Groups {
			keys = append(keys, i.Scope.Key(g))
		}
		return keys
	}))

var interfaceKind = &kind[Interface]{
	table: Interfaces, typ: "network-interface", prefix: "eni-", code: "InvalidNetworkInterfaceID", noun: "networkInterface ID",
	meta:   func(i *Interface) *Meta { return &i.Meta },
	fields: interfaceFields,
}

// InterfaceSpec is what CreateInterface is asked for.
type InterfaceSpec struct {
	ID          string // from awsapi.NewID(ctx, "eni-", 17), drawn outside of the transaction
	SubnetID    string
	GroupIDs    []string // empty: the VPC's default group
	Description string
	Type        string // default "interface"
	OwnerARN    string // non-empty: managed by a service
	IP          string // a free address of the subnet; empty: the next one
	PublicIP    bool   // assign a public address
	Tags        map[string]string
}

// cursor remembers where the search for a free address of a subnet goes on, so
// that an address is not given out again soon after it became free.
type cursor struct {
	Key  string
	Last string
}

var cursors = store.NewTable("ec2/cursor", func(c cursor) string { return c.Key })

// CreateInterface adds an interface and allocates its addresses. An interface
// with the same id is returned as it is. Errors are EC2's: InvalidSubnetID.NotFound,
// InvalidGroup.NotFound, InsufficientFreeAddressesInSubnet, InvalidIPAddress.InUse.
func CreateInterface(tx *store.Tx, scope arn.Scope, spec InterfaceSpec) (Interface, error) {
	if i, err := Interfaces.Get(tx, scope.Key(spec.ID)); err == nil {
		return i, nil
	}
	subnet, err := subnetKind.get(tx, scope, spec.SubnetID)
	if err != nil {
		return Interface{}, err
	}
	groups := slices.Clone(spec.GroupIDs)
	if len(groups) == 0 && spec.Type != "nat_gateway" {
		groups = []string{defaultGroup(tx, scope, subnet.VPC).ID}
	}
	for _, id := range groups {
		g, err := groupKind.get(tx, scope, id)
		if err != nil {
			return Interface{}, err
		}
		if g.VPC != subnet.VPC {
			return Interface{}, errInvalidParameter("You have specified two resources that belong to different networks.")
		}
	}
	ip, err := allocate(tx, subnet, spec.IP)
	if err != nil {
		return Interface{}, err
	}
	i := Interface{
		Meta: Meta{Scope: scope, ID: spec.ID, Tags: spec.Tags},
		VPC:  subnet.VPC, Subnet: subnet.ID, AZ: subnet.AZ, IP: ip.String(), MAC: macOf(spec.ID), Groups: groups,
		Description: spec.Description, Type: spec.Type, OwnerARN: spec.OwnerARN, Requester: spec.OwnerARN != "",
		PrivateDNSName: privateName(scope.Region, ip),
	}
	if i.Type == "" {
		i.Type = "interface"
	}
	if spec.PublicIP {
		public, err := freePublicIP(tx)
		if err != nil {
			return Interface{}, err
		}
		i.PublicIP = public
	}
	Interfaces.Put(tx, i)
	return i, nil
}

// DeleteInterface removes an interface and frees its addresses; an elastic IP
// is disassociated. InvalidNetworkInterfaceID.NotFound when there is none.
func DeleteInterface(tx *store.Tx, scope arn.Scope, id string) error {
	i, err := interfaceKind.get(tx, scope, id)
	if err != nil {
		return err
	}
	for a := range Addresses.By(tx, "interface", i.key()) {
		a.Interface, a.AssociationID = "", ""
		Addresses.Put(tx, a)
	}
	Interfaces.Delete(tx, i.key())
	return nil
}

// allocate finds a free address: the wanted one, or the next after the last
// one given out. The first four addresses of a subnet and its last are reserved.
func allocate(tx *store.Tx, s Subnet, wanted string) (netip.Addr, error) {
	block := netip.MustParsePrefix(s.CIDR)
	used := func(ip netip.Addr) bool {
		for range Interfaces.By(tx, "address", s.Scope.Key(s.ID, ip.String())) {
			return true
		}
		return false
	}
	first, last := usable(block)
	if wanted != "" {
		ip, err := netip.ParseAddr(wanted)
		switch {
		case err != nil:
			return ip, errInvalidParameter("invalid value for parameter address: %s", wanted)
		case !block.Contains(ip):
			return ip, errInvalidParameter("Address does not fall within the subnet's address range")
		case ip.Less(first) || last.Less(ip):
			return ip, errInvalidParameter("Address %s is in subnet's reserved address range", wanted)
		case used(ip):
			return ip, errAddressInUse(wanted)
		}
		return ip, nil
	}
	next := first
	if c, err := cursors.Get(tx, s.key()); err == nil {
		next = netip.MustParseAddr(c.Last).Next()
	}
	if s.Free(tx) <= 0 {
		return netip.Addr{}, errNoAddresses(s.ID)
	}
	for range addressCount(block) {
		if next.Less(first) || last.Less(next) {
			next = first
		}
		if !used(next) {
			cursors.Put(tx, cursor{Key: s.key(), Last: next.String()})
			return next, nil
		}
		next = next.Next()
	}
	return netip.Addr{}, errNoAddresses(s.ID)
}

// addressCount is how many addresses of a block are not reserved.
func addressCount(block netip.Prefix) int { return 1<<(32-block.Bits()) - 5 }

// usable are the first and the last address of a block that are not reserved.
func usable(block netip.Prefix) (first, last netip.Addr) {
	first = block.Masked().Addr()
	base := first.As4()
	n := uint32(base[0])<<24 | uint32(base[1])<<16 | uint32(base[2])<<8 | uint32(base[3])
	end := n + 1<<(32-block.Bits()) - 2
	at := func(n uint32) netip.Addr {
		return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	return at(n + 4), at(end)
}

// macOf derives a locally administered address from an id.
func macOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return fmt.Sprintf("02:%02x:%02x:%02x:%02x:%02x", sum[0], sum[1], sum[2], sum[3], sum[4])
}

// privateName is the DNS name that EC2 gives to a private address.
func privateName(region string, ip netip.Addr) string {
	return "ip-" + dashed(ip.String()) + "." + privateDomain(region)
}

func privateDomain(region string) string {
	if region == "us-east-1" {
		return "ec2.internal"
	}
	return region + ".compute.internal"
}

// publicName is the DNS name that EC2 gives to a public address.
func publicName(region, ip string) string {
	if region == "us-east-1" {
		return "ec2-" + dashed(ip) + ".compute-1.amazonaws.com"
	}
	return "ec2-" + dashed(ip) + "." + region + ".compute.amazonaws.com"
}

func dashed(ip string) string { return strings.ReplaceAll(ip, ".", "-") }
