package figures

import (
	"strings"
	"testing"
	"time"
)

const envoys = `# TYPE envoy_cluster_upstream_rq counter
envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="cds_egress_m_payment-node_http_8080"} 97
envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="cds_egress_m_payment-node_http_8080"} 3
envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="cds_egress_m_payment-node_http_8080"} 97
envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="cds_ingress_m_order-node_http_8081"} 12
envoy_cluster_upstream_rq_total{envoy_cluster_name="cds_egress_m_payment-node_http_8080"} 100
envoy_cluster_upstream_rq_total{envoy_cluster_name="cds_egress_passthrough"} 100
envoy_cluster_upstream_rq_retry{envoy_cluster_name="cds_egress_m_payment-node_http_8080"} 3 1700000000000
envoy_cluster_upstream_rq_retry{envoy_cluster_name="cds_egress_m_payment-node_http_8080_pay.dev.local"} 1
envoy_cluster_ssl_handshake{envoy_cluster_name="cds_egress_m_payment-node_http_8080"} 2
envoy_cluster_outlier_detection_ejections_total{envoy_cluster_name="cds_egress_m_payment-node_http_8080"} 1
envoy_cluster_outlier_detection_ejections_enforced_total{envoy_cluster_name="cds_egress_m_payment-node_http_8080"} 1
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="cds_egress_m_payment-node_http_8080",le="1"} 50
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="cds_egress_m_payment-node_http_8080",le="0.5"} 0
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="cds_egress_m_payment-node_http_8080",le="5"} 100
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="cds_egress_m_payment-node_http_8080",le="+Inf"} 100
envoy_cluster_upstream_rq_time_sum{envoy_cluster_name="cds_egress_m_payment-node_http_8080"} 150.5
envoy_cluster_upstream_rq_time_count{envoy_cluster_name="cds_egress_m_payment-node_http_8080"} 100
envoy_listener_ssl_handshake{envoy_listener_address="0.0.0.0_15000"} 7
envoy_listener_ssl_no_certificate{envoy_listener_address="0.0.0.0_15000"} 1
envoy_listener_ssl_fail_verify_error{envoy_listener_address="0.0.0.0_15000"} 5
envoy_listener_ssl_fail_verify_expired{envoy_listener_address="0.0.0.0_15000"} 2
envoy_server_live{} 1
`

func TestAReadingOfEnvoysFigures(t *testing.T) {
	r, err := Parse(strings.NewReader(envoys), "m")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Edges) != 2 || r.Edges[0].Destination != "" || r.Edges[1].Destination != "payment-node" {
		t.Fatalf("edges %+v", r.Edges)
	}
	if in := r.Edges[0]; in.Codes["2xx"] != 12 {
		t.Errorf("of the application: %+v", in)
	}
	e := r.Edges[1]
	if e.Requests != 100 || e.Codes["200"] != 97 || e.Codes["503"] != 3 || len(e.Codes) != 2 || e.Retries != 4 || e.Ejections != 1 || e.TLS.Handshakes != 2 {
		t.Errorf("to payment: %+v", e)
	}
	if p50, p99 := e.Latency.Quantile(0.5), e.Latency.Quantile(0.99); p50 != time.Millisecond || p99 != 4920*time.Microsecond {
		t.Errorf("p50 %v, p99 %v", p50, p99)
	}
	if in := r.Ingress; in.Handshakes != 7 || in.NoCertificate != 1 || in.Failures["error"] != 3 || in.Failures["expired"] != 2 || in.Total() != 5 {
		t.Errorf("ingress: %+v", in)
	}
}

func TestWhatIsNoFigureIsAnError(t *testing.T) {
	for _, text := range []string{"x", "x{a} 1", `x{a="b} 1`, "x 1 2 3", "x y", `x{a="b\`, "{} 1"} {
		if _, err := Parse(strings.NewReader(text), "m"); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(envoys)
	f.Add(`x{a="\n\"",b="c"} 1e3 5`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(strings.NewReader(text), "m")
		if err != nil {
			return
		}
		for _, e := range r.Edges {
			_ = e.Latency.Quantile(0.99)
		}
	})
}
