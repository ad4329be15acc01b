package mesh

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Proxy is a connected proxy as the server sees it.
type Proxy struct {
	Mesh      string // ARN
	Name      string // of the virtual node or gateway
	ARN       string // of that
	Gateway   bool
	Task      string // id
	TaskARN   string
	IP        string
	Connected time.Time
	Version   string // of all that it is to have
	Acked     string // of what it took of that: the same when it is up to date, empty when it took nothing yet
	Nack      string // why it refused the last it refused, while that is what it was sent last
	// NotBefore and NotAfter are the times of its certificate; zero when it asked for none.
	NotBefore, NotAfter time.Time
}

// report notes what a proxy has, for others to read.
func (s *session) report(want map[string]set, own secrets) {
	p := Proxy{
		Mesh: s.place.mesh, Name: s.place.name, ARN: s.place.arn, Gateway: s.place.gateway, Task: s.caller.Task, TaskARN: s.caller.TaskARN,
		IP: s.caller.IP.String(), Connected: s.since,
	}
	var versions, acked []string
	took := false
	for _, url := range order {
		sub := s.types[url]
		if sub == nil {
			continue
		}
		has := sub.has(url, want[url])
		took = took || len(has) > 0
		versions, acked = append(versions, want[url].version()), append(acked, has.version())
		if sub.fault != "" {
			p.Nack = short(url) + ": " + sub.fault
		}
	}
	p.Version = digest([]byte(strings.Join(versions, " ")))
	if took {
		p.Acked = digest([]byte(strings.Join(acked, " ")))
	}
	if own.cert != nil {
		p.NotBefore, p.NotAfter = own.cert.cert.Leaf.NotBefore, own.cert.cert.Leaf.NotAfter
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = p
}

// Proxies are those connected to a mesh, in order of names and tasks.
func (s *Server) Proxies(mesh string) []Proxy {
	b := s.book(mesh)
	if b == nil {
		return nil
	}
	b.mu.Lock()
	sessions := make([]*session, 0, len(b.sessions))
	for each := range b.sessions {
		sessions = append(sessions, each)
	}
	b.mu.Unlock()
	out := make([]Proxy, 0, len(sessions))
	for _, each := range sessions {
		each.mu.Lock()
		out = append(out, each.status)
		each.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b Proxy) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Task, b.Task), a.Connected.Compare(b.Connected))
	})
	return out
}

// Fronts reports whether a port of a task is its proxy's, for load balancers:
// what it says of itself there is not its application's. The proxy is one that
// is connected, and that no other process of its task can be taken for.
func (s *Server) Fronts(task string, port uint16) bool {
	s.mu.Lock()
	books := slices.Collect(maps.Values(s.books))
	s.mu.Unlock()
	for _, b := range books {
		if b.fronts(task, int32(port)) {
			return true
		}
	}
	return false
}

func (b *book) fronts(task string, port int32) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for each := range b.sessions {
		at := func(p pair) bool { return p.at == port }
		if each.caller.Task == task && each.caller.Intercepted && !each.key.gateway && slices.ContainsFunc(pairsOf(each.key.ingress), at) {
			return true
		}
	}
	return false
}

// short is a type's name without its packages.
func short(url string) string { return url[strings.LastIndexByte(url, '.')+1:] }
