package collect

import (
	"context"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/dataplane/mesh/figures"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// meshSpace is our own: App Mesh had no metrics in CloudWatch by itself.
const meshSpace = "Slipway/Mesh"

// Sidecars reads what the proxies of meshes have counted.
type Sidecars interface {
	Sidecars(ctx context.Context) []Sidecar
}

// Sidecar is the reading of one proxy.
type Sidecar struct {
	Scope      arn.Scope
	Mesh, Node string // names
	Task       string // ARN
	figures.Reading
}

// passMeshes measures what grew since the pass before. The first pass after a
// start only looks: what proxies had counted until then was measured already.
func (c *Collector) passMeshes(ctx context.Context, b *batch) {
	if c.Sidecars == nil {
		return
	}
	after := map[string]Sidecar{}
	for _, s := range c.Config.Sidecars.Sidecars(ctx) {
		after[s.Task] = s
	}
	if c.sidecars != nil {
		b.meshMetrics(c.sidecars, after)
	}
	c.sidecars = after
}

// route is what mesh metrics are counted for: who calls whom. An empty to is
// what came to a node.
type route struct {
	scope          arn.Scope
	mesh, from, to string
}

// flow is what happened on a route since the reading before.
type flow struct {
	edge    figures.Edge
	latency metrics.Stat
}

// meshMetrics measures meshes by caller and called: RequestCount,
// HTTPCode_nXX, ResponseLatency (milliseconds), TLSHandshakes, TLSErrors,
// Retries, Timeouts, Ejections, Overflows; with the caller as VirtualNode and
// the called node as Backend. What came to a node is counted without a Backend.
func (b *batch) meshMetrics(before, after map[string]Sidecar) {
	flows := map[route]*flow{}
	for task, now := range after {
		old := before[task]
		for _, e := range now.Edges {
			to := route{now.Scope, now.Mesh, now.Node, e.Destination}
			if flows[to] == nil {
				flows[to] = &flow{}
			}
			flows[to].add(edgeTo(old, e.Destination), e)
		}
		in := route{now.Scope, now.Mesh, now.Node, ""}
		if flows[in] == nil {
			flows[in] = &flow{}
		}
		flows[in].edge.TLS.Handshakes += grown(old.Ingress.Handshakes, now.Ingress.Handshakes)
		flows[in].tlsErrors(old.Ingress, now.Ingress)
	}
	for to, f := range flows {
		g := group{scopeName(to.scope), meshSpace, []metrics.Dim{{Name: "Mesh", Value: to.mesh}, {Name: "VirtualNode", Value: to.from}}}
		if to.to != "" {
			g.dims = append(g.dims, metrics.Dim{Name: "Backend", Value: to.to})
		}
		b.flow(g, f)
	}
}

func edgeTo(s Sidecar, destination string) figures.Edge {
	for _, e := range s.Edges {
		if e.Destination == destination {
			return e
		}
	}
	return figures.Edge{}
}

// add books what grew between two readings of one proxy.
func (f *flow) add(old, now figures.Edge) {
	e := &f.edge
	e.Requests += grown(old.Requests, now.Requests)
	e.Retries += grown(old.Retries, now.Retries)
	e.Timeouts += grown(old.Timeouts, now.Timeouts)
	e.Ejections += grown(old.Ejections, now.Ejections)
	e.Overflows += grown(old.Overflows, now.Overflows)
	e.TLS.Handshakes += grown(old.TLS.Handshakes, now.TLS.Handshakes)
	f.tlsErrors(old.TLS, now.TLS)
	if e.Codes == nil {
		e.Codes = map[string]int64{}
	}
	for code, n := range now.Codes {
		if code != "" {
			e.Codes[strings.ToUpper(code[:1]+"xx")] += grown(old.Codes[code], n)
		}
	}
	if now.Latency.Count < old.Latency.Count {
		old.Latency = figures.Distribution{} // the proxy began anew
	}
	var was, last int64
	var low time.Duration
	for i, at := range now.Latency.Buckets {
		n := at.Count - last
		last = at.Count
		if i < len(old.Latency.Buckets) {
			n -= old.Latency.Buckets[i].Count - was
			was = old.Latency.Buckets[i].Count
		}
		if n > 0 {
			middle := float64(low+at.Below) / 2 / float64(time.Millisecond)
			f.latency.Add(metrics.Values(middle, float64(n)))
		}
		low = at.Below
	}
}

func (f *flow) tlsErrors(old, now figures.TLS) {
	if f.edge.TLS.Failures == nil {
		f.edge.TLS.Failures = map[string]int64{}
	}
	for reason, n := range now.Failures {
		f.edge.TLS.Failures[reason] += grown(old.Failures[reason], n)
	}
}

func (b *batch) flow(g group, f *flow) {
	e := f.edge
	if e.Codes != nil {
		b.value(g, "RequestCount", count, float64(e.Requests))
	}
	for class, n := range e.Codes {
		b.nonzero(g, "HTTPCode_"+class, count, n)
	}
	b.add(g, "ResponseLatency", milliseconds, f.latency)
	for name, n := range map[string]int64{
		"TLSHandshakes": e.TLS.Handshakes, "TLSErrors": e.TLS.Total(), "Retries": e.Retries, "Timeouts": e.Timeouts,
		"Ejections": e.Ejections, "Overflows": e.Overflows,
	} {
		b.nonzero(g, name, count, n)
	}
}
