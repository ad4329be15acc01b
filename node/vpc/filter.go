package vpc

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
)

const (
	tableName   = "vpc"
	bindingsSet = "bindings"
)

// filter is the packet filter of one network namespace and what it holds.
type filter struct {
	conn    *nftables.Conn
	table   *nftables.Table
	sets    map[string]*nftables.Set
	bind    *nftables.Set
	current *Ruleset // nil: unknown, the next load replaces everything
}

// newFilter talks to the network namespace of the descriptor.
func newFilter(netns int) (*filter, error) {
	// A batch is acknowledged message by message.
	room := func(c *netlink.Conn) error { return c.SetReadBuffer(8 << 20) }
	conn, err := nftables.New(nftables.WithNetNSFd(netns), nftables.AsLasting(), nftables.WithSockOptions(room))
	if err != nil {
		return nil, fmt.Errorf("open packet filter: %w", err)
	}
	return &filter{conn: conn, table: &nftables.Table{Name: tableName, Family: nftables.TableFamilyIPv4}}, nil
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
	if err := f.replace(r); err != nil {
		return fmt.Errorf("load packet filter: %w", err)
	}
	f.current = &r
	return nil
}

// replace loads r in place of whatever is there. Live connections pass on, as
// connection tracking is not part of the table.
func (f *filter) replace(r Ruleset) error {
	f.conn.AddTable(f.table)
	f.conn.DelTable(f.table)
	f.conn.AddTable(f.table)
	f.sets = map[string]*nftables.Set{}
	f.bind = &nftables.Set{
		Table: f.table, Name: bindingsSet, Concatenation: true,
		KeyType: nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeIPAddr),
	}
	if err := f.conn.AddSet(f.bind, nil); err != nil {
		return err
	}
	return f.change(Ruleset{}, r)
}

// change sends the difference between two rulesets.
func (f *filter) change(from, to Ruleset) error {
	for _, name := range sorted(to.Sets) {
		if err := f.changeSet(name, from.Sets[name], to.Sets[name]); err != nil {
			return err
		}
	}
	if err := f.changeBindings(from.Bindings, to.Bindings); err != nil {
		return err
	}
	for _, name := range sorted(to.Chains) { // all of them before any rule names one
		if _, ok := from.Chains[name]; !ok {
			f.conn.AddChain(f.chain(name))
		}
	}
	for _, name := range sorted(to.Chains) {
		old, ok := from.Chains[name]
		if ok && slices.Equal(old, to.Chains[name]) {
			continue
		}
		c := &nftables.Chain{Table: f.table, Name: name}
		if ok {
			f.conn.FlushChain(c)
		}
		for _, m := range to.Chains[name] {
			f.conn.AddRule(&nftables.Rule{Table: f.table, Chain: c, Exprs: f.exprs(m)})
		}
	}
	var gone []*nftables.Chain
	for _, name := range sorted(from.Chains) {
		if _, ok := to.Chains[name]; !ok {
			c := &nftables.Chain{Table: f.table, Name: name}
			f.conn.FlushChain(c)
			gone = append(gone, c)
		}
	}
	for _, c := range gone {
		f.conn.DelChain(c)
	}
	for _, name := range sorted(from.Sets) {
		if _, ok := to.Sets[name]; !ok {
			f.conn.DelSet(f.sets[name])
			delete(f.sets, name)
		}
	}
	return f.conn.Flush()
}

func (f *filter) changeSet(name string, from, to []netip.Addr) error {
	s := f.sets[name]
	if s == nil {
		s = &nftables.Set{Table: f.table, Name: name, KeyType: nftables.TypeIPAddr}
		f.sets[name] = s
		if err := f.conn.AddSet(s, nil); err != nil {
			return err
		}
	}
	key := func(a netip.Addr) nftables.SetElement { return nftables.SetElement{Key: a.AsSlice()} }
	return f.changeElements(s, elements(from, to, key), elements(to, from, key))
}

func (f *filter) changeBindings(from, to map[Binding]bool) error {
	key := func(b Binding) nftables.SetElement {
		k := make([]byte, 16, 20)
		copy(k, b.Link)
		return nftables.SetElement{Key: append(k, b.Addr.AsSlice()...)}
	}
	old, now := slices.Collect(maps.Keys(from)), slices.Collect(maps.Keys(to))
	return f.changeElements(f.bind, elements(old, now, key), elements(now, old, key))
}

// changeElements splits long lists: a netlink attribute ends at 64 KiB.
func (f *filter) changeElements(s *nftables.Set, del, add []nftables.SetElement) error {
	for part := range slices.Chunk(del, 500) {
		if err := f.conn.SetDeleteElements(s, part); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(add, 500) {
		if err := f.conn.SetAddElements(s, part); err != nil {
			return err
		}
	}
	return nil
}

// chain describes a chain by its name.
func (f *filter) chain(name string) *nftables.Chain {
	c := &nftables.Chain{Table: f.table, Name: name, Type: nftables.ChainTypeFilter}
	switch name {
	case prerouting: // after connection tracking, before destinations are rewritten
		c.Hooknum, c.Priority = nftables.ChainHookPrerouting, nftables.ChainPriorityMangle
	case output:
		c.Hooknum, c.Priority = nftables.ChainHookOutput, nftables.ChainPriorityFilter
	case redirect:
		c.Type = nftables.ChainTypeNAT
		c.Hooknum, c.Priority = nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest
	default:
		c.Type = "" // reached by jumps only
	}
	return c
}

func (f *filter) close() { f.conn.CloseLasting() }

// elements are those of a that are not in b.
func elements[T comparable](a, b []T, key func(T) nftables.SetElement) []nftables.SetElement {
	in := make(map[T]bool, len(b))
	for _, v := range b {
		in[v] = true
	}
	var out []nftables.SetElement
	for _, v := range a {
		if !in[v] {
			out = append(out, key(v))
		}
	}
	return out
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
