package vpc

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	tableName   = "vpc"
	bindingsSet = "bindings"
	batchSize   = 8 << 20
)

// filter is the packet filter of one network namespace and what it holds.
type filter struct {
	netns   int
	conn    *netlink.Conn
	current *Ruleset // nil: unknown, the next load replaces everything
}

// newFilter talks to the network namespace of the descriptor.
func newFilter(netns int) (*filter, error) {
	f := &filter{netns: netns}
	return f, f.open()
}

func (f *filter) open() error {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: f.netns})
	if err != nil {
		return fmt.Errorf("open packet filter: %w", err)
	}
	f.conn = conn
	// A transaction is one message. The kernel grants an ordinary user no more than net.core.wmem_max.
	return conn.SetWriteBuffer(batchSize)
}

// load makes the packet filter what r says, in one transaction: by its
// difference from the current one where that is known to be loaded.
func (f *filter) load(r Ruleset) error {
	if f.current != nil {
		if err := f.change(*f.current, r); err == nil {
			f.current = &r
			return nil
		}
		f.current = nil // never expected; a whole load repairs it
	}
	b := new(batch)
	b.newTable()
	b.newSet(bindingsSet, true)
	b.difference(Ruleset{}, r)
	if err := f.commit(b); err != nil {
		return fmt.Errorf("load packet filter: %w", err)
	}
	f.current = &r
	return nil
}

// change sends the difference between two rulesets, of which the first is loaded.
func (f *filter) change(from, to Ruleset) error {
	b := new(batch)
	b.difference(from, to)
	return f.commit(b)
}

func (f *filter) commit(b *batch) error {
	err := b.send(f.conn)
	if err != nil { // further answers may be on their way to this socket
		f.conn.Close()
		err = errors.Join(err, f.open())
	}
	return err
}

// difference writes what leads from one ruleset to another.
func (b *batch) difference(from, to Ruleset) {
	for _, name := range sorted(to.Sets) {
		if _, ok := from.Sets[name]; !ok {
			b.newSet(name, false)
		}
		changeSet(b, name, from.Sets[name], to.Sets[name], key)
	}
	changeSet(b, bindingsSet, slices.Collect(maps.Keys(from.Bindings)), slices.Collect(maps.Keys(to.Bindings)), Binding.key)
	for _, name := range sorted(to.Chains) { // all of them before any rule names one
		if _, ok := from.Chains[name]; !ok {
			b.newChain(name, hookOf(name))
		}
	}
	for _, name := range sorted(to.Chains) {
		old, ok := from.Chains[name]
		if ok && slices.Equal(old, to.Chains[name]) {
			continue
		}
		if len(old) > 0 {
			b.flushChain(name)
		}
		for _, m := range to.Chains[name] {
			b.newRule(name, m.exprs())
		}
	}
	b.remove(from, to)
}

// remove writes the end of chains and sets that are no longer there: when no
// rule names them any more.
func (b *batch) remove(from, to Ruleset) {
	var gone []string
	for _, name := range sorted(from.Chains) {
		if _, ok := to.Chains[name]; !ok {
			gone = append(gone, name)
			if len(from.Chains[name]) > 0 {
				b.flushChain(name)
			}
		}
	}
	for _, name := range gone {
		b.deleteChain(name)
	}
	for _, name := range sorted(from.Sets) {
		if _, ok := to.Sets[name]; !ok {
			b.deleteSet(name)
		}
	}
}

// changeSet writes what makes a set with the elements from one with those of to.
func changeSet[T comparable](b *batch, name string, from, to []T, key func(T) []byte) {
	for part := range slices.Chunk(missing(from, to, key), 500) {
		b.elements(unix.NFT_MSG_DELSETELEM, name, part)
	}
	for part := range slices.Chunk(missing(to, from, key), 500) {
		b.elements(unix.NFT_MSG_NEWSETELEM, name, part)
	}
}

// missing are the keys of what is in a and not in b.
func missing[T comparable](a, b []T, key func(T) []byte) [][]byte {
	in := make(map[T]bool, len(b))
	for _, v := range b {
		in[v] = true
	}
	var out [][]byte
	for _, v := range a {
		if !in[v] {
			out = append(out, key(v))
		}
	}
	return out
}

// hookOf says where the kernel enters a chain; nil: reached by jumps only.
func hookOf(name string) *hook {
	switch name {
	case prerouting: // after connection tracking (-200), before destinations are rewritten
		return &hook{"filter", unix.NF_INET_PRE_ROUTING, -150}
	case redirect:
		return &hook{"nat", unix.NF_INET_PRE_ROUTING, -100}
	case postrouting: // after sources are rewritten (100)
		return &hook{"filter", unix.NF_INET_POST_ROUTING, 150}
	case output:
		return &hook{"filter", unix.NF_INET_LOCAL_OUT, 0}
	case guard:
		return &hook{"filter", unix.NF_INET_LOCAL_OUT, -150}
	case intercepted:
		return &hook{"nat", unix.NF_INET_LOCAL_OUT, -100}
	}
	return nil
}

func (f *filter) close() { f.conn.Close() }

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
