package ec2

import (
	"fmt"
	"net/netip"

	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/vpc"
)

// ephemeral is a port that a client has: the first of those Linux gives.
const ephemeral = 32768

// permits tells whether an ACL lets a TCP packet pass to or from an address.
func (a ACL) permits(egress bool, port int, other netip.Addr) bool {
	for _, e := range a.Entries {
		if e.Egress != egress || e.CIDR == "" || !netip.MustParsePrefix(e.CIDR).Contains(other) {
			continue
		}
		if e.Protocol == vpc.AllProtocols || e.Protocol == vpc.TCP && e.Low <= port && port <= e.High {
			return e.Allow
		}
	}
	return false
}

// asks tells whether a subnet's ACL lets a request to port 443 of an address out
// and the answer in; why says what is in the way.
func (s Subnet) asks(r store.Reader, other netip.Addr) (ok bool, why string) {
	a, _ := aclOf(r, s)
	switch {
	case !a.permits(true, 443, other):
		return false, fmt.Sprintf("the network ACL %s of %s does not let requests to %s out on port 443", a.ID, s.ID, other)
	case !a.permits(false, ephemeral, other):
		return false, fmt.Sprintf("the network ACL %s of %s does not let the answers of %s in on the ports of clients", a.ID, s.ID, other)
	}
	return true, ""
}

// answers tells the same of the subnet that is asked.
func (s Subnet) answers(r store.Reader, other netip.Addr) (ok bool, why string) {
	a, _ := aclOf(r, s)
	if !a.permits(false, 443, other) || !a.permits(true, ephemeral, other) {
		return false, fmt.Sprintf("the network ACL %s of %s does not let requests of %s in on port 443, or not the answers out", a.ID, s.ID, other)
	}
	return true, ""
}

// crosses tells whether an interface may ask another one on port 443 as far as
// the ACLs of their subnets go; within one they are not asked.
func (i Interface) crosses(r store.Reader, to Interface) (ok bool, why string) {
	from, err := Subnets.Get(r, i.Scope.Key(i.Subnet))
	if err != nil || i.Subnet == to.Subnet {
		return true, ""
	}
	if ok, why := from.asks(r, netip.MustParseAddr(to.IP)); !ok {
		return false, why
	}
	there, err := Subnets.Get(r, to.Scope.Key(to.Subnet))
	if err != nil {
		return true, ""
	}
	return there.answers(r, netip.MustParseAddr(i.IP))
}
