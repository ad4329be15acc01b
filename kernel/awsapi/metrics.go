package awsapi

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// bounds are the upper bounds of the latency histogram's buckets; one more
// holds what is slower.
var bounds = [...]time.Duration{
	250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond,
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 5 * time.Second,
}

// meter counts what one operation did. It is safe for concurrent use.
type meter struct {
	clientErrors, serverErrors atomic.Uint64
	nanoseconds                atomic.Uint64
	buckets                    [len(bounds) + 1]atomic.Uint64
}

func (m *meter) observe(took time.Duration, err error) {
	i := 0
	for i < len(bounds) && took > bounds[i] {
		i++
	}
	m.buckets[i].Add(1)
	m.nanoseconds.Add(uint64(took))
	if err == nil {
		return
	}
	if e, ok := errors.AsType[*Error](err); (ok && e.Status < 500) || errors.Is(err, ErrInvalidToken) {
		m.clientErrors.Add(1)
		return
	}
	m.serverErrors.Add(1)
}

// OperationMetrics is what one operation did since the engine started.
type OperationMetrics struct {
	Service, Operation string
	Count              uint64
	ClientErrors       uint64 // answered with a 4xx
	ServerErrors       uint64 // answered with a 5xx
	Total              time.Duration
	Buckets            []Bucket // cumulative, the last one without bound
}

// Bucket counts the calls that took at most Le; Le 0 means any time.
type Bucket struct {
	Le    time.Duration
	Count uint64
}

// Metrics reads the counters of every operation that was called, by service and
// operation.
func (m *Mux) Metrics() []OperationMetrics {
	var all []OperationMetrics
	for _, s := range m.services {
		for _, name := range slices.Sorted(maps.Keys(s.operations)) {
			if o := s.operations[name].meter.read(); o.Count > 0 {
				o.Service, o.Operation = s.name, name
				all = append(all, o)
			}
		}
	}
	return all
}

func (m *meter) read() OperationMetrics {
	o := OperationMetrics{
		ClientErrors: m.clientErrors.Load(), ServerErrors: m.serverErrors.Load(),
		Total: time.Duration(m.nanoseconds.Load()),
	}
	for i := range m.buckets {
		o.Count += m.buckets[i].Load()
		b := Bucket{Count: o.Count}
		if i < len(bounds) {
			b.Le = bounds[i]
		}
		o.Buckets = append(o.Buckets, b)
	}
	return o
}

// MetricsHandler serves Metrics in the text format of Prometheus.
func (m *Mux) MetricsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(m.prometheus()) // the client may be gone
	})
}

func (m *Mux) prometheus() []byte {
	all := m.Metrics()
	b := []byte("# HELP slipway_api_errors_total API calls answered with an error.\n# TYPE slipway_api_errors_total counter\n")
	for _, o := range all {
		b = fmt.Appendf(b, "slipway_api_errors_total{service=%q,operation=%q,side=\"client\"} %d\n", o.Service, o.Operation, o.ClientErrors)
		b = fmt.Appendf(b, "slipway_api_errors_total{service=%q,operation=%q,side=\"server\"} %d\n", o.Service, o.Operation, o.ServerErrors)
	}
	b = append(b, "# HELP slipway_api_request_duration_seconds Time to answer an API call.\n# TYPE slipway_api_request_duration_seconds histogram\n"...)
	for _, o := range all {
		labels := fmt.Sprintf("service=%q,operation=%q", o.Service, o.Operation)
		for _, k := range o.Buckets {
			le := "+Inf"
			if k.Le > 0 {
				le = fmt.Sprint(k.Le.Seconds())
			}
			b = fmt.Appendf(b, "slipway_api_request_duration_seconds_bucket{%s,le=%q} %d\n", labels, le, k.Count)
		}
		b = fmt.Appendf(b, "slipway_api_request_duration_seconds_sum{%s} %g\n", labels, o.Total.Seconds())
		b = fmt.Appendf(b, "slipway_api_request_duration_seconds_count{%s} %d\n", labels, o.Count)
	}
	return b
}
