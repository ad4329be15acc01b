package mesh

import (
	"cmp"
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

// short is a type's name without its packages.
func short(url string) string { return url[strings.LastIndexByte(url, '.')+1:] }
