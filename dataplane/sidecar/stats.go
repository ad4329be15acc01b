package sidecar

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// figure is one number, under the name that Envoy has for it in /stats, and
// with the name and labels that it has for Prometheus.
type figure struct {
	name   string
	prom   string
	labels string // rendered: a="b",c="d"
	value  int64
	gauge  bool
	spread *proxy.Histogram // in place of value
}

// figures are all there are, in the order of names.
func (s *Sidecar) figures() []figure {
	b := &book{}
	b.gauge("server.live", "server_live", "", boolean(s.State() == "LIVE"))
	b.gauge("server.uptime", "server_uptime", "", int64(time.Since(s.started).Seconds()))
	b.gauge("control_plane.connected_state", "control_plane_connected_state", "", boolean(s.stream.connected.Load()))
	b.count("control_plane.connects", "control_plane_connects", "", s.stream.connects.Load())
	for _, t := range []struct{ name, kind string }{
		{"listener_manager.lds", "listener"}, {"http.rds", "route"}, {"cluster_manager.cds", "cluster"}, {"cluster.eds", "endpoint"}, {"sds", "secret"},
	} {
		b.count(t.name+".update_success", strings.ReplaceAll(t.name, ".", "_")+"_update_success", "", s.stream.accepted.named(t.kind).Load())
		b.count(t.name+".update_rejected", strings.ReplaceAll(t.name, ".", "_")+"_update_rejected", "", s.stream.rejected.named(t.kind).Load())
	}
	b.count("sds.rotations", "sds_rotations", "", s.vault.rotations.Load())
	owners, listeners := s.proxy.Owners(), s.proxy.Listeners()
	for _, name := range slices.Sorted(maps.Keys(owners)) {
		b.listener(name, s.addressOf(name), owners[name], tlsOf(name, listeners))
	}
	groups := s.proxy.Groups()
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		b.cluster(name, groups[name])
	}
	slices.SortStableFunc(b.all, func(x, y figure) int { return strings.Compare(x.name, y.name) })
	return b.all
}

// addressOf is a listener's address in Envoy's form: 0.0.0.0_15000.
func (s *Sidecar) addressOf(listener string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.config.Listeners {
		if l.Owner == listener {
			if host, port, err := net.SplitHostPort(l.Addr); err == nil {
				return host + "_" + port
			}
		}
	}
	return listener
}

func boolean(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// book collects figures.
type book struct{ all []figure }

func (b *book) count(name, prom, labels string, v int64) {
	b.all = append(b.all, figure{name: name, prom: prom, labels: labels, value: v})
}

func (b *book) gauge(name, prom, labels string, v int64) {
	b.all = append(b.all, figure{name: name, prom: prom, labels: labels, value: v, gauge: true})
}

func (b *book) spread(name, prom, labels string, h proxy.Histogram) {
	b.all = append(b.all, figure{name: name, prom: prom, labels: labels, spread: &h})
}

// label renders one label.
func label(name, value string) string { return name + "=" + strconv.Quote(value) }

func (s *Sidecar) showStats(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var keep *regexp.Regexp
	if f := q.Get("filter"); f != "" {
		re, err := regexp.Compile(f)
		if err != nil {
			http.Error(w, "filter: "+err.Error(), http.StatusBadRequest)
			return
		}
		keep = re
	}
	all := slices.DeleteFunc(s.figures(), func(f figure) bool {
		unused := f.value == 0 && (f.spread == nil || f.spread.Count() == 0)
		return keep != nil && !keep.MatchString(f.name) || q.Has("usedonly") && unused
	})
	switch {
	case strings.HasSuffix(r.URL.Path, "/prometheus") || q.Get("format") == "prometheus":
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		for i := range all {
			all[i].labels = strings.Trim(all[i].labels+","+s.cfg.Labels, ",")
		}
		writePrometheus(w, all)
	case q.Get("format") == "json":
		type stat struct {
			Name  string `json:"name"`
			Value int64  `json:"value"`
		}
		out := []stat{}
		for _, f := range all {
			if f.spread == nil {
				out = append(out, stat{f.name, f.value})
			}
		}
		writeJSON(w, map[string]any{"stats": out})
	default:
		for _, f := range all {
			if f.spread == nil {
				fmt.Fprintf(w, "%s: %d\n", f.name, f.value)
			} else {
				fmt.Fprintf(w, "%s: %s\n", f.name, quantiles(f.spread))
			}
		}
	}
}

// quantiles are in milliseconds, in Envoy's form: P99(nan,1.05); the first
// place is that of the last interval, which is not kept.
func quantiles(h *proxy.Histogram) string {
	if h.Count() == 0 {
		return "No recorded values"
	}
	var out []string
	for _, q := range []float64{0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1} {
		out = append(out, fmt.Sprintf("P%g(nan,%.3f)", q*100, float64(h.Quantile(q))/float64(time.Millisecond)))
	}
	return strings.Join(out, " ")
}

// bounds of the buckets for Prometheus, in milliseconds: Envoy's, and finer
// ones where calls between services are.
var bounds = []float64{
	0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 25, 50, 75, 100, 150, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000,
}

func writePrometheus(w http.ResponseWriter, all []figure) {
	slices.SortStableFunc(all, func(x, y figure) int { return strings.Compare(x.prom, y.prom) })
	last := ""
	for _, f := range all {
		name, kind := "envoy_"+f.prom, "counter"
		switch {
		case f.spread != nil:
			kind = "histogram"
		case f.gauge:
			kind = "gauge"
		}
		if name != last {
			fmt.Fprintf(w, "# TYPE %s %s\n", name, kind)
			last = name
		}
		if f.spread == nil {
			fmt.Fprintf(w, "%s{%s} %d\n", name, f.labels, f.value)
			continue
		}
		with := func(le string) string {
			if f.labels == "" {
				return label("le", le)
			}
			return f.labels + "," + label("le", le)
		}
		for _, le := range bounds {
			fmt.Fprintf(w, "%s_bucket{%s} %d\n", name, with(fmt.Sprint(le)), f.spread.Below(time.Duration(le*float64(time.Millisecond))))
		}
		fmt.Fprintf(w, "%s_bucket{%s} %d\n", name, with("+Inf"), f.spread.Count())
		fmt.Fprintf(w, "%s_sum{%s} %g\n", name, f.labels, float64(f.spread.Sum)/float64(time.Millisecond))
		fmt.Fprintf(w, "%s_count{%s} %d\n", name, f.labels, f.spread.Count())
	}
}
