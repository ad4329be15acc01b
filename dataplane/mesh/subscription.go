package mesh

import (
	"maps"
	"slices"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// order is that in which types are sent: what others refer to comes first
// (Envoy, xDS protocol, Eventual consistency considerations). Secrets wait for
// nothing and hold nothing up.
var order = []string{xdsapi.SecretType, xdsapi.ClusterType, xdsapi.EndpointType, xdsapi.ListenerType, xdsapi.RouteType}

// wholesale says whether a type is subscribed to as a whole.
func wholesale(url string) bool { return url == xdsapi.ListenerType || url == xdsapi.ClusterType }

// everyName subscribes to all there is, besides the names given.
const everyName = "*"

// mostNames bounds what a client may ask for of one type, and mostName how long
// one name may be: virtual services of App Mesh have 255 characters.
const (
	mostNames = 10_000
	mostName  = 1024
)

// subscription is what a client wants of one type, and has of it.
type subscription struct {
	asked   bool // anything, ever
	named   bool // a name, ever: from then on no names mean nothing at all
	wild    bool
	names   map[string]bool
	sent    set             // as sent last, whether the client took it or not
	missing map[string]bool // names of which it was told that there is none
	due     bool            // it waits for an answer, even if that says nothing
	nonce   string          // of the response sent last
	pending bool            // that was not answered yet
	version string          // sent last
	taken   set             // as the client took it last
	fault   string          // why the version sent last was refused
}

func newSubscription() *subscription {
	return &subscription{names: map[string]bool{}, sent: set{}, taken: set{}, missing: map[string]bool{}}
}

// replace wants names, and no others (state of the world).
func (s *subscription) replace(url string, names []string) {
	first := !s.asked
	s.asked = true
	next := make(map[string]bool, len(names))
	for _, n := range names {
		next[n] = true
	}
	s.named = s.named || len(names) > 0
	s.wild = next[everyName] || len(names) == 0 && !s.named && wholesale(url)
	delete(next, everyName)
	for n := range next {
		if !s.names[n] {
			s.want(n, url)
		}
	}
	for n := range s.names {
		if !next[n] {
			delete(s.sent, n)
			delete(s.taken, n)
		}
	}
	s.names = next
	s.due = s.due || first && wholesale(url)
}

// change wants some names more and some less (incremental). versions are what
// the client has from a stream before.
func (s *subscription) change(url string, more, less []string, versions map[string]string) {
	if !s.asked {
		s.asked = true
		s.wild = len(more) == 0 && wholesale(url)
		s.due = s.wild
		for n, v := range versions {
			s.sent[n] = &resource{name: n, version: v}
			s.taken[n] = s.sent[n]
		}
	}
	for _, n := range less {
		if n == everyName {
			s.wild = false
		}
		delete(s.names, n)
		delete(s.sent, n)
		delete(s.taken, n)
		delete(s.missing, n)
	}
	for _, n := range more {
		if n == everyName {
			s.wild, s.due = true, true
			continue
		}
		if _, known := versions[n]; !known || s.names[n] {
			s.want(n, url)
		}
		s.names[n] = true
	}
}

// want has a name sent again, even if it was sent before.
func (s *subscription) want(name, url string) {
	delete(s.sent, name)
	delete(s.missing, name)
	s.due = s.due || wholesale(url)
}

// answered takes in the client's answer to a response; false if it is to an
// older one, which says nothing any more.
func (s *subscription) answered(nonce, fault string) bool {
	if nonce == "" {
		return true
	}
	if nonce != s.nonce {
		return false
	}
	s.pending, s.fault = false, fault
	if fault == "" {
		s.taken = maps.Clone(s.sent)
	}
	return true
}

// look compares what a client is to have with what it was sent.
func (s *subscription) look(url string, want set) update {
	u := update{url: url, version: want.version()}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		r := want[name]
		u.all = append(u.all, r)
		if old := s.sent[name]; old == nil || old.version != r.version {
			u.changed = append(u.changed, r)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.sent)) {
		if want[name] == nil {
			u.gone = append(u.gone, name)
		}
	}
	return u
}

// lacking are names that there is nothing for, and that the client was not told of yet.
func (s *subscription) lacking(want set) (names []string) {
	for n := range s.names {
		if want[n] == nil && s.sent[n] == nil && !s.missing[n] {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// has is what the client took of what it is to have: all of it means that it
// is up to date.
func (s *subscription) has(url string, want set) set {
	out := set{}
	for n, r := range s.taken {
		if want[n] != nil || wholesale(url) {
			out[n] = r
		}
	}
	return out
}

// tell notes an update as sent.
func (s *subscription) tell(u update) {
	for _, r := range u.all {
		s.sent[r.name] = r
		delete(s.missing, r.name)
	}
	for _, n := range u.gone {
		delete(s.sent, n)
		s.missing[n] = true
	}
	s.due, s.pending, s.nonce, s.version = false, true, u.nonce, u.version
}
