// Package figures reads what a mesh's proxies have counted, from the admin
// port that Envoy has too: in Prometheus's text form, by Envoy's names. So it
// reads the sidecar and a real Envoy alike.
package figures

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/dataplane/pki"
)

// Reading is what one proxy has counted since it began.
type Reading struct {
	Edges   []Edge // by destination
	Ingress TLS    // of its listeners: peers that came
}

// Edge is what a proxy has sent to one cluster of the mesh, or its own
// application got from peers (Destination empty).
type Edge struct {
	Destination string // virtual node
	Requests    int64
	Codes       map[string]int64 // answers: "200", or "2xx" where a proxy counts by class only
	Latency     Distribution
	TLS         TLS
	Retries     int64
	Timeouts    int64
	Ejections   int64
	Overflows   int64 // refused by a limit
	Failed      int64 // connections that were not had
}

// TLS counts handshakes by how they ended.
type TLS struct {
	Handshakes    int64
	NoCertificate int64            // among those, without a certificate of the client
	Failures      map[string]int64 // by pki.Failure
}

// Total is how many handshakes were refused.
func (t TLS) Total() (n int64) {
	for _, f := range t.Failures {
		n += f
	}
	return n
}

// Distribution is of times: how many were at most so long, cumulative.
type Distribution struct {
	Buckets []Bucket // by rising Below
	Count   int64
	Sum     time.Duration
}

// Bucket counts what took at most Below.
type Bucket struct {
	Below time.Duration
	Count int64
}

// Quantile is the time that a share q (0 to 1) stayed below, taken as evenly
// spread within its bucket; 0 when nothing was counted.
func (d Distribution) Quantile(q float64) time.Duration {
	rank := q * float64(d.Count)
	var low time.Duration
	var before int64
	for _, b := range d.Buckets {
		if n := b.Count - before; n > 0 && float64(b.Count) >= rank {
			return low + time.Duration(float64(b.Below-low)*max(rank-float64(before), 0)/float64(n))
		}
		low, before = b.Below, b.Count
	}
	return low
}

// Dial connects to the proxy's admin port.
type Dial func(ctx context.Context) (net.Conn, error)

// Read asks a proxy of a mesh for its figures.
func Read(ctx context.Context, mesh string, dial Dial) (Reading, error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://proxy/stats/prometheus", nil)
	if err != nil {
		return Reading{}, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return Reading{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Reading{}, fmt.Errorf("the proxy's admin port answered %s", resp.Status)
	}
	return Parse(resp.Body, mesh)
}

// Parse reads figures in Prometheus's text form.
func Parse(text io.Reader, mesh string) (Reading, error) {
	g := gathering{mesh: mesh, edges: map[string]*Edge{}}
	if err := parse(text, g.take); err != nil {
		return Reading{}, err
	}
	out := Reading{Ingress: g.ingress}
	for _, name := range slices.Sorted(maps.Keys(g.edges)) {
		e := g.edges[name]
		e.Latency.Buckets = merged(e.Latency.Buckets)
		out.Edges = append(out.Edges, *e)
	}
	return out, nil
}

// merged sorts buckets; those of several clusters of one node are added up.
func merged(all []Bucket) (out []Bucket) {
	slices.SortFunc(all, func(a, b Bucket) int { return cmp.Compare(a.Below, b.Below) })
	for _, b := range all {
		if n := len(out); n > 0 && out[n-1].Below == b.Below {
			out[n-1].Count += b.Count
			continue
		}
		out = append(out, b)
	}
	return out
}

// gathering sorts samples into a reading.
type gathering struct {
	mesh    string
	edges   map[string]*Edge
	ingress TLS
}

func (g *gathering) take(s sample) {
	name := strings.TrimPrefix(s.name, "envoy_")
	n := int64(s.value)
	if counter, ok := strings.CutPrefix(name, "listener_ssl_"); ok {
		g.ingress.add(counter, n)
		return
	}
	counter, ok := strings.CutPrefix(name, "cluster_")
	if !ok {
		return
	}
	to, ok := g.destination(s.labels["envoy_cluster_name"])
	if !ok {
		return
	}
	e := g.edges[to]
	if e == nil {
		e = &Edge{Destination: to, Codes: map[string]int64{}}
		g.edges[to] = e
	}
	e.add(counter, s.labels, s.value)
}

// destination is the virtual node of a cluster's name, as dataplane/mesh and
// App Mesh give them: cds_egress_<mesh>_<node>_<protocol>_<port>; empty for
// cds_ingress_..., the application itself.
func (g *gathering) destination(cluster string) (node string, ok bool) {
	if strings.HasPrefix(cluster, "cds_ingress_"+g.mesh+"_") {
		return "", true
	}
	rest, ok := strings.CutPrefix(cluster, "cds_egress_"+g.mesh+"_")
	if !ok {
		return "", false
	}
	m := portForm.FindStringIndex(rest)
	if m == nil {
		return "", false
	}
	return rest[:m[0]], true
}

// portForm ends a node's name in that of a cluster. What follows, if anything,
// tells clusters of one port apart.
var portForm = regexp.MustCompile(`_(http|http2|grpc|tcp)_[0-9]+(_|$)`)

func (e *Edge) add(counter string, labels map[string]string, v float64) {
	n := int64(v)
	switch counter {
	case "upstream_rq_total":
		e.Requests += n
	case "upstream_rq":
		e.count(labels["envoy_response_code"], n)
	case "upstream_rq_xx":
		if class := labels["envoy_response_code_class"]; class != "" {
			e.count(class+"xx", n)
		}
	case "upstream_rq_retry":
		e.Retries += n
	case "upstream_rq_timeout", "upstream_rq_per_try_timeout":
		e.Timeouts += n
	case "upstream_rq_pending_overflow", "upstream_cx_overflow":
		e.Overflows += n
	case "outlier_detection_ejections_enforced_total", "outlier_detection_ejections_total":
		e.Ejections = max(e.Ejections, n)
	case "upstream_cx_connect_fail":
		e.Failed += n
	case "upstream_rq_time_sum":
		e.Latency.Sum += milliseconds(v)
	case "upstream_rq_time_count":
		e.Latency.Count += n
	case "upstream_rq_time_bucket":
		if le, err := strconv.ParseFloat(labels["le"], 64); err == nil && le < 1e9 {
			e.Latency.Buckets = append(e.Latency.Buckets, Bucket{milliseconds(le), n})
		}
	default:
		if tls, ok := strings.CutPrefix(counter, "ssl_"); ok {
			e.TLS.add(tls, n)
		}
	}
}

func milliseconds(v float64) time.Duration { return time.Duration(v * float64(time.Millisecond)) }

// count books answers. Envoy has both codes and classes: codes are better.
func (e *Edge) count(code string, n int64) {
	if code == "" || n == 0 {
		return
	}
	e.Codes[code] += n
	if len(code) == 3 && code[1:] != "xx" {
		delete(e.Codes, code[:1]+"xx")
		return
	}
	for other := range e.Codes {
		if other != code && other[0] == code[0] {
			delete(e.Codes, code)
			return
		}
	}
}

// add books a counter of TLS by its name. "error" is wide in Envoy, and counts
// what has names of its own here too: those are taken off.
func (t *TLS) add(counter string, n int64) {
	switch counter {
	case "handshake":
		t.Handshakes += n
		return
	case "no_certificate":
		t.NoCertificate += n
		return
	}
	f, ok := strings.CutPrefix(counter, "fail_verify_")
	if !ok {
		return
	}
	if t.Failures == nil {
		t.Failures = map[string]int64{}
	}
	t.Failures[f] += n
	if f == string(pki.Expired) || f == string(pki.NotYetValid) {
		t.Failures[string(pki.WrongAuthority)] -= n
	}
}
