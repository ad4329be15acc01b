package logs

import "sync"

// tailBuffer is how many events wait for a follower, at most.
const tailBuffer = 5000

// Tail collects the events that are appended to some groups from now on, in
// the order they come in. When nobody takes them, it drops the newest.
type Tail struct {
	store *Store
	want  map[string]bool

	mu      sync.Mutex
	events  []Tailed
	dropped bool
}

// Tailed is an event and its group.
type Tailed struct {
	Group string
	Event
}

// Follow begins to collect; Close ends it.
func (s *Store) Follow(groups ...string) *Tail {
	t := &Tail{store: s, want: map[string]bool{}}
	for _, g := range groups {
		t.want[g] = true
	}
	s.tails.Lock()
	defer s.tails.Unlock()
	if s.tails.all == nil {
		s.tails.all = map[*Tail]bool{}
	}
	s.tails.all[t] = true
	return t
}

// Take returns what came since the last Take, and whether events were dropped.
func (t *Tail) Take() (events []Tailed, dropped bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	events, dropped = t.events, t.dropped
	t.events, t.dropped = nil, false
	return events, dropped
}

// Close ends the collection.
func (t *Tail) Close() {
	t.store.tails.Lock()
	defer t.store.tails.Unlock()
	delete(t.store.tails.all, t)
}

// publish hands appended events to the followers of their group.
func (s *Store) publish(group, stream string, events []Event) {
	s.tails.RLock()
	defer s.tails.RUnlock()
	for t := range s.tails.all {
		if t.want[group] {
			t.add(group, stream, events)
		}
	}
}

func (t *Tail) add(group, stream string, events []Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range events {
		if len(t.events) == tailBuffer {
			t.dropped = true
			return
		}
		e.Stream = stream
		t.events = append(t.events, Tailed{group, e})
	}
}
