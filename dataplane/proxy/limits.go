package proxy

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

var (
	errOverflow = errors.New("the group bears no more")
	errWaited   = errors.New("no connection became free")
)

// slots are a group's connections, and the requests that wait for one. They
// are counted always, and bounded when the group has Limits.
type slots struct {
	open     atomic.Int64 // connections, those being made included
	waiting  atomic.Int64
	requests atomic.Int64 // in flight, of groups with Limits.Requests

	mu    sync.Mutex
	queue []*waiter // first come, first served
}

// waiter gets a connection of its target, or nil, which lets it make one.
type waiter struct {
	target *target
	ready  chan *upstream
}

// admit counts a request in, unless its group bears no more.
func (x *exchange) admit() bool {
	g := x.group
	limit := g.roster.Load().cfg.Limits.Requests
	if limit <= 0 {
		return true
	}
	if g.slots.requests.Add(1) > int64(limit) {
		g.slots.requests.Add(-1)
		g.meter.overflows.Add(1)
		x.why = whyOverflow
		return false
	}
	x.counted = true
	return true
}

// leave counts it out.
func (x *exchange) leave() {
	if x.counted {
		x.group.slots.requests.Add(-1)
	}
}

// reserve takes a slot for a new connection of t. Where there is none it
// waits, if it may; it returns a connection when one of t's became free first.
func (g *group) reserve(ctx context.Context, t *target, w want) (*upstream, error) {
	limits := g.roster.Load().cfg.Limits
	if limits.Conns <= 0 {
		g.slots.open.Add(1)
		return nil, nil
	}
	s := &g.slots
	s.mu.Lock()
	me := &waiter{t, make(chan *upstream, 1)}
	s.queue = append(s.queue, me)
	s.waiting.Add(1)
	g.serve(limits.Conns)
	if i := slices.Index(s.queue, me); i >= 0 && (w.wait == 0 || limits.Pending > 0 && i >= limits.Pending) {
		s.drop(i)
		s.mu.Unlock()
		g.meter.overflows.Add(1)
		return nil, errOverflow
	}
	s.mu.Unlock()
	patience := w.wait
	if w.limit != 0 {
		patience = min(patience, time.Duration(w.limit-nanos()))
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case u := <-me.ready:
		return u, nil
	default:
	}
	select {
	case u := <-me.ready:
		return u, nil
	case <-timer.C:
	case <-ctx.Done():
	}
	s.mu.Lock()
	i := slices.Index(s.queue, me)
	if i < 0 { // it came just now
		s.mu.Unlock()
		return <-me.ready, nil
	}
	s.drop(i)
	s.mu.Unlock()
	return nil, errWaited
}

// drop takes a waiter out of the queue. Caller holds mu.
func (s *slots) drop(i int) {
	s.queue = slices.Delete(s.queue, i, i+1)
	s.waiting.Add(-1)
}

// freed gives a slot back.
func (g *group) freed() {
	g.slots.open.Add(-1)
	g.settle()
}

// settle serves those who wait. Whoever frees something does so before it
// looks at waiting, whoever waits says so before looking for something free:
// one of them sees the other.
func (g *group) settle() {
	if g.slots.waiting.Load() == 0 {
		return
	}
	g.slots.mu.Lock()
	defer g.slots.mu.Unlock()
	g.serve(g.roster.Load().cfg.Limits.Conns)
}

// serve gives the first in the queue a kept connection of its target, a slot,
// or the slot of a kept connection to another target, as long as there are
// any. Caller holds slots.mu.
func (g *group) serve(limit int) {
	s := &g.slots
	for len(s.queue) > 0 {
		w := s.queue[0]
		u := w.target.pop()
		switch {
		case u != nil:
			w.ready <- u
		case limit <= 0 || s.open.Load() < int64(limit):
			s.open.Add(1)
			w.ready <- nil
		default:
			if u = g.spare(); u == nil {
				return
			}
			u.end()
			w.ready <- nil // its slot is passed on
		}
		s.drop(0)
	}
}

// spare is a kept connection of any target.
func (g *group) spare() *upstream {
	for _, t := range g.targets() {
		if u := t.pop(); u != nil {
			return u
		}
	}
	return nil
}
