package sidecar

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/dataplane/pki"
	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// listener adds the figures of what clients asked for. Envoy counts
// connections and TLS by listener, requests by its manager's prefix: both
// bear the listener's name here.
func (b *book) listener(name, address string, st proxy.Stats, tls proxy.TLSStats) {
	at, by := "listener."+address, label("envoy_listener_address", address)
	b.count(at+".downstream_cx_total", "listener_downstream_cx_total", by, st.NewConns)
	b.gauge(at+".downstream_cx_active", "listener_downstream_cx_active", by, st.ActiveConns)
	b.count(at+".downstream_cx_overflow", "listener_downstream_cx_overflow", by, st.RejectedConns)
	b.count(at+".no_filter_chain_match", "listener_no_filter_chain_match", by, st.UnmatchedConns)
	b.tls(at, "listener", by, tls)
	prefix := direction(name)
	at, by = "http."+prefix, label("envoy_http_conn_manager_prefix", prefix)
	b.count(at+".downstream_rq_total", "http_downstream_rq_total", by, st.Requests)
	b.count(at+".downstream_cx_rx_bytes_total", "http_downstream_cx_rx_bytes_total", by, st.BytesReceived)
	b.count(at+".downstream_cx_tx_bytes_total", "http_downstream_cx_tx_bytes_total", by, st.BytesSent)
	for class := 1; class <= 5; class++ {
		n := st.Target[class] + st.Own[class]
		b.count(fmt.Sprintf("%s.downstream_rq_%dxx", at, class), "http_downstream_rq_xx", by+","+label("envoy_response_code_class", fmt.Sprint(class)), n)
	}
	b.spread(at+".downstream_rq_time", "http_downstream_rq_time", by, st.Latency)
}

// tls adds the counters that prove mutual TLS: whole handshakes, and every
// refusal under its own name (and Envoy's where that is wider).
func (b *book) tls(at, scope, labels string, st proxy.TLSStats) {
	counts := map[string]int64{
		pki.CounterHandshake: st.Handshakes, pki.CounterNoCertificate: st.NoCertificate, "ssl.connection_error": st.OtherErrors,
	}
	for f, n := range st.Failures {
		for _, c := range f.Counters() {
			counts[c] += n
		}
	}
	for _, c := range slices.Sorted(maps.Keys(counts)) {
		b.count(at+"."+c, scope+"_"+strings.ReplaceAll(c, ".", "_"), labels, counts[c])
	}
}

// tlsOf sums what the listeners of one owner have counted.
func tlsOf(owner string, of map[string]proxy.ListenerStats) proxy.TLSStats {
	sum := proxy.TLSStats{Failures: map[pki.Failure]int64{}}
	for id, st := range of {
		if !strings.HasPrefix(id, owner+"/") {
			continue
		}
		sum.Handshakes += st.TLS.Handshakes
		sum.NoCertificate += st.TLS.NoCertificate
		sum.OtherErrors += st.TLS.OtherErrors
		for f, n := range st.TLS.Failures {
			sum.Failures[f] += n
		}
	}
	return sum
}

// direction is what Envoy's stat_prefix is in App Mesh: ingress or egress.
func direction(listener string) string {
	switch {
	case strings.Contains(listener, "egress"):
		return "egress"
	case strings.Contains(listener, "ingress"):
		return "ingress"
	}
	return strings.TrimSuffix(strings.TrimPrefix(listener, "lds_"), "_")
}

// cluster adds the figures of what was asked of a cluster.
func (b *book) cluster(name string, st proxy.Stats) {
	at, by := "cluster."+name, label("envoy_cluster_name", name)
	b.count(at+".upstream_rq_total", "cluster_upstream_rq_total", by, st.Requests)
	for class := 1; class <= 5; class++ {
		n := st.Target[class] + st.Own[class]
		b.count(fmt.Sprintf("%s.upstream_rq_%dxx", at, class), "cluster_upstream_rq_xx", by+","+label("envoy_response_code_class", fmt.Sprint(class)), n)
	}
	b.tls(at, "cluster", by, st.TLS)
	b.count(at+".upstream_cx_connect_fail", "cluster_upstream_cx_connect_fail", by, st.ConnErrors)
	b.spread(at+".upstream_rq_time", "cluster_upstream_rq_time", by, st.Latency)
	for name, n := range map[string]int64{
		"upstream_rq_retry": st.Retries, "upstream_rq_retry_success": st.RetriesOK, "upstream_rq_retry_limit_exceeded": st.RetriesExhausted,
		"upstream_rq_timeout": st.Timeouts, "upstream_rq_per_try_timeout": st.PerTryTimeouts, "upstream_rq_pending_overflow": st.Overflows,
		"outlier_detection.ejections_enforced_total": st.Ejections,
		"upstream_cx_rx_bytes_total":                 st.BytesSent, "upstream_cx_tx_bytes_total": st.BytesReceived,
	} {
		b.count(at+"."+name, "cluster_"+strings.ReplaceAll(name, ".", "_"), by, n)
	}
	var active, ejected int64
	for _, t := range st.Targets {
		active += t.Inflight
		ejected += boolean(t.Ejected)
	}
	b.gauge(at+".outlier_detection.ejections_active", "cluster_outlier_detection_ejections_active", by, ejected)
	b.gauge(at+".membership_healthy", "cluster_membership_healthy", by, int64(len(st.Targets))-ejected)
	b.gauge(at+".upstream_rq_active", "cluster_upstream_rq_active", by, active)
	b.gauge(at+".membership_total", "cluster_membership_total", by, int64(len(st.Targets)))
}

// flags are a host's, in Envoy's words.
func flags(state string, ejected bool) string {
	switch {
	case !ejected:
		return state
	case state == "healthy":
		return "/failed_outlier_check"
	}
	return state + "/failed_outlier_check"
}

// showClusters writes the hosts as Envoy does, one fact a line.
func (s *Sidecar) showClusters(w http.ResponseWriter, _ *http.Request) {
	groups := s.proxy.Groups()
	s.mu.Lock()
	configured := slices.Clone(s.config.Groups)
	s.mu.Unlock()
	for _, g := range configured {
		fmt.Fprintf(w, "%s::observability_name::%s\n", g.ID, g.ID)
		for _, l := range []struct {
			name string
			n    int
		}{{"max_connections", g.Limits.Conns}, {"max_pending_requests", g.Limits.Pending}, {"max_requests", g.Limits.Requests}} {
			if l.n > 0 {
				fmt.Fprintf(w, "%s::default_priority::%s::%d\n", g.ID, l.name, l.n)
			}
		}
		states := map[string]string{}
		for _, t := range g.Targets {
			states[t.Addr] = map[proxy.State]string{proxy.Healthy: "healthy", proxy.Unhealthy: "/failed_eds_health", proxy.Draining: "/draining"}[t.State]
		}
		for _, t := range groups[g.ID].Targets {
			for _, fact := range []struct {
				name  string
				value any
			}{
				{"rq_total", t.Requests},
				{"rq_error", t.Errors},
				{"rq_active", t.Inflight},
				{"cx_connect_fail", t.ConnectFailures},
				{"health_flags", flags(states[t.Addr], t.Ejected)},
			} {
				fmt.Fprintf(w, "%s::%s::%s::%v\n", g.ID, t.Addr, fact.name, fact.value)
			}
		}
	}
}
