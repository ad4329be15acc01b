package cli

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/engineapi"
)

// meshWindow is the time over which rates are measured while the view is refreshed.
const meshWindow = 5 * time.Second

// traffic is what one service sends another.
type traffic struct {
	Source      string           `json:"source"`
	Destination string           `json:"destination"`
	Rate        *float64         `json:"requestsPerSecond"`
	Requests    int64            `json:"requests"`    // since the sidecars began
	Success     *float64         `json:"success"`     // share of the requests that were answered, and not with a 5xx
	P50         *float64         `json:"p50ms"`       // of the tasks, by their requests
	P99         *float64         `json:"p99ms"`       // of the slowest task
	MTLS        *bool            `json:"mtls"`        // nil: nothing was sent yet
	Handshakes  int64            `json:"handshakes"`  // since the sidecars began, as all below
	TLSFailures map[string]int64 `json:"tlsFailures"` // by reason
	Retries     int64            `json:"retries"`
	Ejections   int64            `json:"ejections"`
	Overflows   int64            `json:"overflows"`
}

// meshReport is who talks to whom, and the tasks that do.
type meshReport struct {
	Mesh  string               `json:"mesh"`
	Edges []traffic            `json:"edges"`
	Nodes []engineapi.MeshNode `json:"nodes"`
}

// meter makes reports of counters: what was counted since the oldest sample within the window.
type meter struct {
	past []sample
}

type sample struct {
	at    time.Time
	state engineapi.MeshState
}

// report adds a sample and says what has happened since an earlier one.
func (m *meter) report(now time.Time, state engineapi.MeshState) meshReport {
	for len(m.past) > 1 && now.Sub(m.past[1].at) >= meshWindow {
		m.past = m.past[1:]
	}
	out := meshReport{Mesh: state.Mesh, Edges: []traffic{}, Nodes: slices.Clone(state.Nodes)}
	slices.SortStableFunc(out.Nodes, func(a, b engineapi.MeshNode) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Task, b.Task))
	})
	type way struct{ from, to string }
	ways := map[way]*sum{}
	for _, e := range state.Edges {
		w := way{e.Source, e.Destination}
		if ways[w] == nil {
			ways[w] = &sum{}
		}
		ways[w].add(e, m.since(e))
	}
	for w, s := range ways {
		t := s.traffic
		t.Source, t.Destination = w.from, w.to
		if len(m.past) > 0 {
			t.Rate = new(float64(s.recent.requests) / max(now.Sub(m.past[0].at).Seconds(), 0.001))
		}
		s.finish(&t)
		out.Edges = append(out.Edges, t)
	}
	slices.SortFunc(out.Edges, func(a, b traffic) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.Destination, b.Destination))
	})
	m.past = append(m.past, sample{now, state})
	return out
}

// since is what an edge had counted in the oldest sample; zeros if it was not there, or its sidecar has begun anew.
func (m *meter) since(e engineapi.MeshEdge) tally {
	if len(m.past) > 0 {
		for _, old := range m.past[0].state.Edges {
			if old.Source == e.Source && old.SourceTask == e.SourceTask && old.Destination == e.Destination && old.Requests <= e.Requests {
				return tallyOf(old)
			}
		}
	}
	return tally{}
}

// tally is how many requests there were, and how many of them failed.
type tally struct{ requests, failed int64 }

func tallyOf(e engineapi.MeshEdge) tally {
	t := tally{requests: e.Requests}
	for code, n := range e.Codes {
		if code == "0" || strings.HasPrefix(code, "5") {
			t.failed += n
		}
	}
	return t
}

func (t tally) minus(o tally) tally { return tally{t.requests - o.requests, t.failed - o.failed} }

func (t tally) plus(o tally) tally { return tally{t.requests + o.requests, t.failed + o.failed} }

// sum adds up what the tasks of a service send to one destination.
type sum struct {
	traffic
	all, recent tally
	p50         float64 // times requests
	p99         float64
}

func (s *sum) add(e engineapi.MeshEdge, before tally) {
	total := tallyOf(e)
	s.all, s.recent = s.all.plus(total), s.recent.plus(total.minus(before))
	s.p50 += e.P50 * float64(e.Requests)
	if e.Requests > 0 {
		s.p99 = max(s.p99, e.P99)
	}
	s.Requests += e.Requests
	s.Handshakes += e.Handshakes
	s.Retries += e.Retries
	s.Ejections += e.Ejections
	s.Overflows += e.Overflows
	if s.TLSFailures == nil {
		s.TLSFailures = map[string]int64{}
	}
	for reason, n := range e.TLSFailures {
		s.TLSFailures[reason] += n
	}
}

// finish works out the shares: of what came lately if something did, else of all.
func (s *sum) finish(t *traffic) {
	of := s.all
	if s.recent.requests > 0 {
		of = s.recent
	}
	if of.requests > 0 {
		t.Success = new(1 - float64(of.failed)/float64(of.requests))
		t.P50, t.P99 = new(s.p50/float64(s.all.requests)), new(s.p99)
	}
	if s.all.requests > 0 || s.Handshakes > 0 {
		t.MTLS = new(s.Handshakes > 0)
	}
	maps.DeleteFunc(t.TLSFailures, func(_ string, n int64) bool { return n == 0 })
}
