package vpc

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// batch is one nftables transaction being written. It exists since
// nftables.Conn asks for an acknowledgement, and an echo, of every message: an
// ordinary user's receive buffer does not hold those of a few hundred rules.
// Here only the end of the batch is acknowledged. Layout: linux/netfilter/nf_tables.h.
type batch struct {
	messages []netlink.Message
	sets     uint32
	err      error
}

// Data types of set keys, as the nft command shows them; the kernel does not care.
const (
	typeAddr   = 7
	typeIfname = 41
	typeBits   = 6 // of each type in a concatenation
	setConcat  = 0x80
)

// The size of the fields of a concatenation; missing in x/sys/unix.
const (
	descConcat   = 2
	descFieldLen = 1
)

func (b *batch) add(kind int, flags netlink.HeaderFlags, attrs ...netlink.Attribute) {
	b.messages = append(b.messages, netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind), Flags: netlink.Request | flags},
		Data:   append([]byte{unix.NFPROTO_IPV4, unix.NFNETLINK_V0, 0, 0}, b.marshal(attrs...)...),
	})
}

func (b *batch) marshal(attrs ...netlink.Attribute) []byte {
	out, err := netlink.MarshalAttributes(attrs)
	if err != nil && b.err == nil {
		b.err = err
	}
	return out
}

func (b *batch) nested(typ uint16, attrs ...netlink.Attribute) netlink.Attribute {
	return netlink.Attribute{Type: typ | unix.NLA_F_NESTED, Data: b.marshal(attrs...)}
}

func text(typ uint16, s string) netlink.Attribute {
	return netlink.Attribute{Type: typ, Data: append([]byte(s), 0)}
}

func word(typ uint16, v uint32) netlink.Attribute {
	return netlink.Attribute{Type: typ, Data: binaryutil.BigEndian.PutUint32(v)}
}

// newTable replaces the table by an empty one.
func (b *batch) newTable() {
	for _, kind := range []int{unix.NFT_MSG_NEWTABLE, unix.NFT_MSG_DELTABLE, unix.NFT_MSG_NEWTABLE} {
		b.add(kind, netlink.Create, text(unix.NFTA_TABLE_NAME, tableName), word(unix.NFTA_TABLE_FLAGS, 0))
	}
}

// hook is where the kernel enters a chain.
type hook struct {
	typ      string
	number   uint32
	priority int32
}

func (b *batch) newChain(name string, at *hook) {
	attrs := []netlink.Attribute{text(unix.NFTA_CHAIN_TABLE, tableName), text(unix.NFTA_CHAIN_NAME, name)}
	if at != nil {
		attrs = append(attrs,
			b.nested(unix.NFTA_CHAIN_HOOK, word(unix.NFTA_HOOK_HOOKNUM, at.number), word(unix.NFTA_HOOK_PRIORITY, uint32(at.priority))),
			text(unix.NFTA_CHAIN_TYPE, at.typ))
	}
	b.add(unix.NFT_MSG_NEWCHAIN, netlink.Create, attrs...)
}

func (b *batch) deleteChain(name string) {
	b.add(unix.NFT_MSG_DELCHAIN, 0, text(unix.NFTA_CHAIN_TABLE, tableName), text(unix.NFTA_CHAIN_NAME, name))
}

// flushChain removes the rules of a chain.
func (b *batch) flushChain(name string) {
	b.add(unix.NFT_MSG_DELRULE, 0, text(unix.NFTA_RULE_TABLE, tableName), text(unix.NFTA_RULE_CHAIN, name))
}

func (b *batch) newRule(chain string, exprs []expr.Any) {
	list := make([]netlink.Attribute, len(exprs))
	for i, e := range exprs {
		data, err := expr.Marshal(unix.NFPROTO_IPV4, e)
		if err != nil && b.err == nil {
			b.err = err
		}
		list[i] = netlink.Attribute{Type: unix.NFTA_LIST_ELEM | unix.NLA_F_NESTED, Data: data}
	}
	b.add(unix.NFT_MSG_NEWRULE, netlink.Create|netlink.Append,
		text(unix.NFTA_RULE_TABLE, tableName), text(unix.NFTA_RULE_CHAIN, chain), b.nested(unix.NFTA_RULE_EXPRESSIONS, list...))
}

// newSet makes a set of IPv4 addresses, or of pairs of link name and address.
func (b *batch) newSet(name string, pairs bool) {
	b.sets++
	attrs := []netlink.Attribute{text(unix.NFTA_SET_TABLE, tableName), text(unix.NFTA_SET_NAME, name), word(unix.NFTA_SET_ID, b.sets)}
	if !pairs {
		b.add(unix.NFT_MSG_NEWSET, netlink.Create, append(attrs,
			word(unix.NFTA_SET_FLAGS, 0), word(unix.NFTA_SET_KEY_TYPE, typeAddr), word(unix.NFTA_SET_KEY_LEN, 4))...)
		return
	}
	field := func(size uint32) netlink.Attribute { return b.nested(unix.NFTA_LIST_ELEM, word(descFieldLen, size)) }
	b.add(unix.NFT_MSG_NEWSET, netlink.Create, append(attrs,
		word(unix.NFTA_SET_FLAGS, setConcat), word(unix.NFTA_SET_KEY_TYPE, typeIfname<<typeBits|typeAddr), word(unix.NFTA_SET_KEY_LEN, 20),
		b.nested(unix.NFTA_SET_DESC, b.nested(descConcat, field(16), field(4))))...)
}

func (b *batch) deleteSet(name string) {
	b.add(unix.NFT_MSG_DELSET, 0, text(unix.NFTA_SET_TABLE, tableName), text(unix.NFTA_SET_NAME, name))
}

// elements adds keys to a set, or deletes them from it (kind NEWSETELEM or
// DELSETELEM); a netlink attribute ends at 64 KiB, so there are at most 500 at once.
func (b *batch) elements(kind int, set string, keys [][]byte) {
	list := make([]netlink.Attribute, len(keys))
	for i, k := range keys {
		list[i] = b.nested(unix.NFTA_LIST_ELEM, b.nested(unix.NFTA_SET_ELEM_KEY, netlink.Attribute{Type: unix.NFTA_DATA_VALUE, Data: k}))
	}
	b.add(kind, netlink.Create, text(unix.NFTA_SET_ELEM_LIST_TABLE, tableName), text(unix.NFTA_SET_ELEM_LIST_SET, set),
		b.nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, list...))
}

// key is an element of a set of addresses.
func key(a netip.Addr) []byte { return a.AsSlice() }

// key is an element of the set of bindings.
func (b Binding) key() []byte { return append(ifname(b.Link), b.Addr.AsSlice()...) }

// send commits the batch. The kernel takes all of it or nothing; it has decided
// when the message is sent, so that only the answer is left to read.
func (b *batch) send(c *netlink.Conn) error {
	if b.err != nil || len(b.messages) == 0 {
		return b.err
	}
	b.messages[len(b.messages)-1].Header.Flags |= netlink.Acknowledge
	edge := func(kind int) netlink.Message {
		return netlink.Message{
			Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request},
			Data:   append([]byte{unix.NFPROTO_UNSPEC, unix.NFNETLINK_V0}, binaryutil.BigEndian.PutUint16(unix.NFNL_SUBSYS_NFTABLES)...),
		}
	}
	all := append([]netlink.Message{edge(unix.NFNL_MSG_BATCH_BEGIN)}, b.messages...)
	if _, err := c.SendMessages(append(all, edge(unix.NFNL_MSG_BATCH_END))); err != nil {
		return fmt.Errorf("send %d messages: %w", len(all), err)
	}
	_, err := c.Receive() // the acknowledgement, or the first error
	return err
}
