package proxy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
)

// ListenError tells which listener Apply could not serve. Apply joins one for
// each.
type ListenError struct {
	Listener string // Listener.ID
	Err      error
}

func (e *ListenError) Error() string { return fmt.Sprintf("listener %s: %v", e.Listener, e.Err) }

// Unwrap is the cause.
func (e *ListenError) Unwrap() error { return e.Err }

// Apply makes cfg what is served; what it points to must not change afterwards. Listeners whose socket cannot be opened,
// or whose rules are faulty, are left out and named in the error; all others
// serve. Targets that are gone lose their connections, those in use too;
// clients of a socket that is gone finish their current request.
func (s *Server) Apply(ctx context.Context, cfg Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return net.ErrClosed
	}
	gone := s.applyGroups(cfg.Groups)
	bindings, errs := s.bind(cfg.Listeners)
	for addr, b := range bindings {
		if so := s.sockets[addr]; so != nil {
			so.binding.Store(b)
			so.recheck(b)
			continue
		}
		ln, err := s.opts.Listen(ctx, addr)
		if err != nil {
			for _, v := range b.all {
				errs = append(errs, &ListenError{v.cfg.ID, fmt.Errorf("listen on %s: %w", addr, err)})
			}
			continue
		}
		so := newSocket(s, addr, ln)
		so.binding.Store(b)
		s.sockets[addr] = so
		s.wg.Go(so.accept)
	}
	for addr, so := range s.sockets {
		if bindings[addr] == nil {
			delete(s.sockets, addr)
			so.close()
			if s.opts.Unlisten != nil {
				s.opts.Unlisten(addr)
			}
			s.wg.Go(func() { so.drain(s.ctx) })
		}
	}
	for _, t := range gone {
		t.close(!s.opts.Finish)
	}
	return errors.Join(errs...)
}

// ApplyGroups makes what is served agree with these groups, and leaves all
// else as the last Apply made it. A group's targets that are gone lose their
// connections.
func (s *Server) ApplyGroups(groups ...Group) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return net.ErrClosed
	}
	for _, cfg := range groups {
		for _, t := range s.applyGroup(cfg) {
			t.close(!s.opts.Finish)
		}
	}
	return nil
}

// applyGroups swaps the rosters and returns the targets no group has any more.
func (s *Server) applyGroups(groups []Group) (gone []*target) {
	seen := map[string]bool{}
	for _, cfg := range groups {
		seen[cfg.ID] = true
		gone = append(gone, s.applyGroup(cfg)...)
	}
	for id, g := range s.groups {
		if !seen[id] {
			gone = append(gone, g.targets()...)
			g.watch(nil)
			delete(s.groups, id)
		}
	}
	return gone
}

// applyGroup swaps the roster of one group and returns its targets that are
// gone.
func (s *Server) applyGroup(cfg Group) (gone []*target) {
	g := s.groups[cfg.ID]
	if g == nil {
		g = &group{id: cfg.ID, srv: s}
		s.groups[cfg.ID] = g
	}
	old := g.roster.Load()
	next := newRoster(cfg, old, func(addr string) *target { return newTarget(s, g, addr) })
	g.roster.Store(next)
	g.watch(cfg.Outlier)
	g.settle() // limits may have been raised
	for _, m := range next.all {
		was := m.draining.Swap(m.state == Draining)
		if m.state == Draining && !was && m.inflight.Load() == 0 {
			s.drained(m.target)
		}
	}
	if old == nil {
		return nil
	}
	for _, m := range old.all {
		if next.byAddr[m.addr] == nil {
			gone = append(gone, m.target)
		}
	}
	if old.cfg.Network != next.cfg.Network || old.cfg.Version != next.cfg.Version || old.cfg.TLS != next.cfg.TLS {
		for _, t := range g.targets() {
			t.flush()
		}
	}
	return gone
}

// bind compiles the listeners, by socket.
func (s *Server) bind(listeners []Listener) (map[string]*binding, []error) {
	out, errs := map[string]*binding{}, []error(nil)
	owners, ids := map[string]bool{}, map[string]bool{}
	for _, l := range listeners {
		b := out[l.Addr]
		if b == nil {
			b = &binding{}
			out[l.Addr] = b
		}
		v, err := s.compile(l)
		if err == nil {
			err = b.add(v)
		}
		if err != nil {
			errs = append(errs, &ListenError{l.ID, err})
			continue
		}
		owners[l.Owner], ids[l.ID] = true, true
	}
	for addr, b := range out {
		if len(b.all) == 0 {
			delete(out, addr)
			continue
		}
		b.finish()
	}
	maps.DeleteFunc(s.owners, func(k string, _ *owner) bool { return !owners[k] })
	maps.DeleteFunc(s.listeners, func(k string, _ *listenerMeter) bool { return !ids[k] })
	return out, errs
}
