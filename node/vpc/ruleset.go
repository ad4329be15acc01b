package vpc

import "net/netip"

// Ruleset is a packet filter as data: named sets and named chains. The entry
// chains are entered by the kernel, the others by jumps. A packet that reaches
// the end of an entry chain passes.
type Ruleset struct {
	Sets   map[string][]netip.Addr
	Chains map[string][]Match
	// Bindings are the pairs (link, source address) that are not forged.
	Bindings map[Binding]bool
}

// Binding is a link of the router and the one address behind it.
type Binding struct {
	Link string
	Addr netip.Addr
}

// Entry chains.
const (
	prerouting = "prerouting" // every packet that comes in by a link
	output     = "output"     // every packet that the router sends itself
	redirect   = "redirect"   // the first packet of each connection that comes in, after prerouting let it pass

	// And postrouting, when there are network ACLs.

	guard       = "guard"       // every packet that the task sends, before intercepted
	intercepted = "intercepted" // the first packet of each connection that the task makes
)

// Match is one rule: when all of its conditions hold, Do is done. Zero
// conditions hold always.
type Match struct {
	State    State
	Loopback bool // came in by lo
	Forged   bool // link and source address are not in Bindings
	Src, Dst Peer
	Owner    Owner
	// Protocol is an IP protocol number, 0 for any. Low and High bound the
	// destination port of TCP and UDP, unless both are 0.
	Protocol  uint8
	Low, High uint16
	// Type and Code are ICMP's, -1 or 0 with Protocol other than ICMP: any.
	Type, Code int16

	Do    Action
	Chain string         // of Jump and Goto
	To    netip.AddrPort // of DNAT
}

// State is a condition on connection tracking.
type State uint8

// Connection states.
const (
	AnyState State = iota
	Established
	Invalid
)

// Peer is a condition on an address: in (or, with Not, out of) a block or a
// set. The zero Peer matches all addresses.
type Peer struct {
	CIDR netip.Prefix
	Set  string
	Not  bool
}

// Owner is a condition on the process that sends the packet: the user or group
// that it had when it made the socket. Packets of the kernel have no owner.
type Owner struct {
	Of OwnerKind
	ID uint32
}

// OwnerKind says what of the process is looked at.
type OwnerKind uint8

// Kinds of owners.
const (
	AnyOwner OwnerKind = iota
	ByUser
	ByGroup
)

// Action is what a rule does.
type Action uint8

// Actions. Return continues after the jump that led to the chain.
const (
	Accept Action = iota + 1
	Drop
	Return
	Jump
	Goto
	DNAT
	Reset // of a TCP connection: its client sees it refused
)
