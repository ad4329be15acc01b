package mesh

import (
	"sync"
	"time"

	"github.com/slipway-dev/slipway/dataplane/pki"
)

// book is one mesh as the server keeps it: what is declared, what was made of
// it, and who listens.
type book struct {
	name string
	life time.Duration
	open func(*Mesh) (*pki.Authority, error)

	mu          sync.Mutex
	gone        bool // the mesh is: nobody gets anything any more
	mesh        *Mesh
	provided    map[string][]string
	configs     map[proxyKey]*config
	assignments map[string]*resource // by cluster
	nodes       map[string]string    // of those, by cluster
	shared      map[string]*resource
	sessions    map[*session]bool
	authority   *pki.Authority
	issued      map[holder]*issued
}

func newBook(m *Mesh, life time.Duration, open func(*Mesh) (*pki.Authority, error)) *book {
	return &book{
		name: m.Name, life: life, open: open, mesh: m, provided: providers(m), configs: map[proxyKey]*config{},
		assignments: map[string]*resource{}, nodes: map[string]string{}, shared: map[string]*resource{}, sessions: map[*session]bool{}, issued: map[holder]*issued{},
	}
}

// config is what proxies of a key are given; false when there is no such node.
func (b *book) config(key proxyKey) (*config, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone {
		return nil, false
	}
	if c := b.configs[key]; c != nil {
		return c, true
	}
	c, ok := build(b.mesh, b.provided, key, b.shared)
	if ok {
		b.configs[key] = c
	}
	return c, ok
}

// assignment is where a cluster's endpoints are; nil for a cluster that is none
// of the configuration's, or is not found by EDS.
func (b *book) assignment(c *config, cluster string) *resource {
	to, ok := c.targets[cluster]
	if !ok {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.assignments[cluster]
	if r == nil {
		r = pack(cluster, assignment(cluster, b.mesh.Endpoints[to.node], to.port))
		b.assignments[cluster], b.nodes[cluster] = r, to.node
	}
	return r
}

// put takes the mesh's next state, drops what was made of what changed, and
// wakes those whom it concerns.
func (b *book) put(m *Mesh) {
	b.mu.Lock()
	defer b.mu.Unlock()
	provided := providers(m)
	changed := changes(b.mesh, m, b.provided, provided)
	b.mesh, b.provided = m, provided
	b.drop(changed)
}

// endpoints takes other endpoints of some nodes.
func (b *book) endpoints(of map[string][]Endpoint) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := *b.mesh
	next.Endpoints = make(map[string][]Endpoint, len(b.mesh.Endpoints))
	for n, e := range b.mesh.Endpoints {
		next.Endpoints[n] = e
	}
	for n, e := range of {
		next.Endpoints[n] = e
	}
	changed := map[string]bool{}
	differ(changed, kindEndpoints, b.mesh.Endpoints, next.Endpoints)
	b.mesh = &next
	b.drop(changed)
}

func (b *book) drop(changed map[string]bool) {
	if len(changed) == 0 {
		return
	}
	for cluster, node := range b.nodes {
		if changed[kindEndpoints+node] {
			delete(b.assignments, cluster)
			delete(b.nodes, cluster)
		}
	}
	concerned, dropped := map[proxyKey]bool{}, false
	for key, c := range b.configs {
		if touches(c.read, changed) {
			delete(b.configs, key)
			concerned[key], dropped = true, true
		}
		for _, to := range c.targets {
			concerned[key] = concerned[key] || changed[kindEndpoints+to.node]
		}
	}
	if dropped {
		b.sweep()
	}
	for s := range b.sessions {
		if concerned[s.key] {
			s.nudge()
		}
	}
}

func touches(read, changed map[string]bool) bool {
	if len(changed) < len(read) {
		read, changed = changed, read
	}
	for k := range read {
		if changed[k] {
			return true
		}
	}
	return false
}

// sweep forgets packed resources of configurations that were dropped.
func (b *book) sweep() {
	used := make(map[*resource]bool, len(b.shared))
	for _, c := range b.configs {
		for _, s := range []set{c.listeners, c.named, c.routes, c.clusters} {
			for _, r := range s {
				used[r] = true
			}
		}
	}
	for k, r := range b.shared {
		if !used[r] {
			delete(b.shared, k)
		}
	}
}

// join enters a session; false when its task has too many.
func (b *book) join(s *session) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for other := range b.sessions {
		if other.caller.TaskARN == s.caller.TaskARN && other.caller.IP == s.caller.IP {
			n++
		}
	}
	if n >= mostStreams {
		return false
	}
	b.sessions[s] = true
	return true
}

// leave forgets a session, and what was made for proxies like it if it was the last.
func (b *book) leave(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sessions, s)
	for other := range b.sessions {
		if other.key == s.key {
			return
		}
	}
	delete(b.configs, s.key)
}

// rotate issues new certificates: of one task, or of all when none is named. It
// says of how many.
func (b *book) rotate(task string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for h, i := range b.issued {
		if task == "" || h.task == task {
			i.renew = time.Time{}
			n++
		}
	}
	for s := range b.sessions {
		if task == "" || s.caller.Task == task {
			s.nudge()
		}
	}
	return n
}

func (b *book) uid() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mesh.UID
}

// close ends a book whose mesh is gone, and its streams.
func (b *book) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = true
	for s := range b.sessions {
		s.nudge()
	}
}
