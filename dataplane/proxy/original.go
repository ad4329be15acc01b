package proxy

import "net/netip"

// maxOriginals is how many targets a group of Group.Original keeps that have
// nothing to do. Those in use are as many as there are client connections at
// most.
const maxOriginals = 1024

// original is the target a connection was going to, nil when it was tried
// already. Targets are made as they are needed, and go when the group has too
// many or their last pooled connection was closed.
func (g *group) original(dst netip.AddrPort, not *tried) *target {
	if !dst.IsValid() {
		return nil
	}
	g.mu.Lock()
	t := g.originals[dst]
	var old []*target
	if t == nil {
		if len(g.originals) >= maxOriginals {
			old = g.trim(func(*target) bool { return true })
		}
		t = newTarget(g.srv, g, dst.String())
		if g.originals == nil {
			g.originals = map[netip.AddrPort]*target{}
		}
		g.originals[dst] = t
	}
	g.mu.Unlock()
	for _, o := range old {
		o.close(false)
	}
	if not.has(t) {
		return nil
	}
	return t
}

// trim takes out the targets of Group.Original with nothing in flight that
// drop says so of. Caller holds g.mu, and closes them without it.
func (g *group) trim(drop func(*target) bool) (old []*target) {
	for addr, t := range g.originals {
		if t.inflight.Load() == 0 && drop(t) {
			delete(g.originals, addr)
			old = append(old, t)
		}
	}
	return old
}

// reap closes connections nobody has used for a while, and forgets the
// targets of Group.Original that have none left.
func (g *group) reap(now int64) {
	for _, t := range g.targets() {
		t.reap(now)
	}
	g.mu.Lock()
	old := g.trim(func(t *target) bool { return t.pooled() == 0 })
	g.mu.Unlock()
	for _, t := range old {
		t.close(false)
	}
}

// targets are all of a group's present ones.
func (g *group) targets() (all []*target) {
	for _, m := range g.roster.Load().all {
		all = append(all, m.target)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.originals {
		all = append(all, t)
	}
	return all
}
