package ec2

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/vpc"
)

// drawing is a VPC as it was last described to the network. Interfaces come
// and go with tasks, and there may be thousands of them: those that did not
// change are taken from the drawing before.
type drawing struct {
	rev        store.Revision
	interfaces []vpc.Interface // in order of id; never changed in place
}

// draw describes a VPC for the network.
func (s *Service) draw(snap *store.Snapshot, v VPC) vpc.Config {
	s.mu.Lock()
	last, known := s.drawings[v.key()]
	s.mu.Unlock()
	next := drawing{rev: snap.Revision()}
	changed, ok := s.changedInterfaces(last.rev, snap)
	if known && ok {
		next.interfaces = last.redraw(snap, v, changed)
	} else {
		for i := range Interfaces.By(snap, "vpc", v.key()) {
			next.interfaces = append(next.interfaces, i.compile(snap))
		}
	}
	s.mu.Lock()
	s.drawings[v.key()] = next
	s.mu.Unlock()
	c := compile(snap, v)
	c.Interfaces = next.interfaces
	return c
}

func (s *Service) forgetDrawing(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.drawings, key)
}

// changedInterfaces are the keys of the interfaces that may have changed since
// a revision; not ok when that is not known. An elastic IP does not tell whose
// it was before, so that all are looked at when one changes.
func (s *Service) changedInterfaces(since store.Revision, snap *store.Snapshot) (keys map[string]bool, ok bool) {
	changes, err := s.store.ChangesUntil(snap, since)
	if err != nil {
		return nil, false
	}
	keys = map[string]bool{}
	for _, c := range changes {
		switch c.Table {
		case Interfaces.Name():
			keys[c.Key] = true
		case Addresses.Name():
			return nil, false
		}
	}
	return keys, true
}

// redraw is the drawing with some interfaces looked at again.
func (d drawing) redraw(r store.Reader, v VPC, changed map[string]bool) []vpc.Interface {
	if len(changed) == 0 {
		return d.interfaces
	}
	out := slices.Clone(d.interfaces)
	for key := range changed {
		id := key[strings.LastIndexByte(key, '/')+1:]
		at, there := slices.BinarySearchFunc(out, id, func(i vpc.Interface, id string) int { return strings.Compare(i.ID, id) })
		row, err := Interfaces.Get(r, key)
		ours := err == nil && row.VPC == v.ID && row.Scope == v.Scope
		switch {
		case ours && there:
			out[at] = row.compile(r)
		case ours:
			out = slices.Insert(out, at, row.compile(r))
		case there && v.Scope.Key(id) == key:
			out = slices.Delete(out, at, at+1)
		}
	}
	return out
}

// compile describes an interface for the network.
func (i Interface) compile(r store.Reader) vpc.Interface {
	return vpc.Interface{
		ID: i.ID, Subnet: i.Subnet, Addr: netip.MustParseAddr(i.IP), MAC: i.MAC, Public: publicIP(r, i) != "", Groups: i.Groups, Local: i.Local(),
	}
}
