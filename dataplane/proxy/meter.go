package proxy

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// meter counts for one owner or one group. Memory is fixed.
type meter struct {
	requests  atomic.Int64
	target    [6]atomic.Int64 // responses of targets by first digit
	own       [6]atomic.Int64 // answers made here by first digit
	status    [4]atomic.Int64 // own 500, 502, 503, 504
	redirects atomic.Int64
	fixed     atomic.Int64
	connErrs  atomic.Int64 // connections to targets that failed
	received  atomic.Int64 // bytes from clients
	sent      atomic.Int64 // bytes to clients
	latency   histogram    // from request sent to first byte of the response
	tcp       tcpMeter
	tls       tlsMeter // of groups: with targets
}

// Stats is a reading of counters; all of them only grow, but for the gauges
// Active and Inflight.
type Stats struct {
	Requests      int64
	Target        [6]int64 // responses by first digit of the status: Target[2] = 2XX
	Own           [6]int64 // answers made by the proxy itself
	Own500        int64
	Own502        int64
	Own503        int64
	Own504        int64
	Redirects     int64
	Fixed         int64
	ConnErrors    int64 // failed connections to targets
	BytesReceived int64
	BytesSent     int64
	Latency       Histogram

	NewConns      int64 // of owners: client connections accepted
	ActiveConns   int64
	RejectedConns int64
	TLSErrors     int64
	// UnmatchedConns are client connections that fit no chain. Those of a socket count for the owner of its first listener.
	UnmatchedConns int64

	TCP TCPStats
	TLS TLSStats // of groups: handshakes with targets

	Targets []TargetStats // of groups
}

// TargetStats is a reading of one target.
type TargetStats struct {
	Addr     string
	Requests int64
	Inflight int64
	Idle     int // pooled connections
}

func (m *meter) read() Stats {
	s := Stats{
		Requests: m.requests.Load(), Redirects: m.redirects.Load(), Fixed: m.fixed.Load(), ConnErrors: m.connErrs.Load(),
		BytesReceived: m.received.Load(), BytesSent: m.sent.Load(), Latency: m.latency.read(), TCP: m.tcp.read(), TLS: m.tls.read(),
		Own500: m.status[0].Load(), Own502: m.status[1].Load(), Own503: m.status[2].Load(), Own504: m.status[3].Load(),
	}
	for i := range m.target {
		s.Target[i], s.Own[i] = m.target[i].Load(), m.own[i].Load()
	}
	return s
}

func (m *meter) answered(status int) {
	m.own[status/100%6].Add(1)
	switch status {
	case 500:
		m.status[0].Add(1)
	case 502, 503, 504:
		m.status[status-501].Add(1)
	}
}

// Buckets of a Histogram: eight for each doubling from 1 microsecond on, so
// that a quantile is right to within 9 %.
const buckets = 8 * 28

type histogram struct {
	n   [buckets]atomic.Int64
	sum atomic.Int64 // microseconds
}

func bucketOf(us int64) int {
	if us < 8 {
		return int(max(us, 0))
	}
	e := bits.Len64(uint64(us)) - 4 // us>>e is in 8..15
	return min(8*(e+1)+int(us>>e)-8, buckets-1)
}

// upper is the first value above bucket i, in microseconds.
func upper(i int) int64 {
	if i < 8 {
		return int64(i + 1)
	}
	return int64(i%8+9) << (i/8 - 1)
}

func (h *histogram) add(d time.Duration) {
	us := d.Microseconds()
	h.n[bucketOf(us)].Add(1)
	h.sum.Add(us)
}

// Histogram is a distribution of durations.
type Histogram struct {
	Counts [buckets]int64
	Sum    time.Duration
}

func (h *histogram) read() (s Histogram) {
	for i := range h.n {
		s.Counts[i] = h.n[i].Load()
	}
	s.Sum = time.Duration(h.sum.Load()) * time.Microsecond
	return s
}

// Count is the number of values.
func (h *Histogram) Count() (n int64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Sub is what was added since an earlier reading.
func (h Histogram) Sub(earlier Histogram) Histogram {
	for i := range h.Counts {
		h.Counts[i] -= earlier.Counts[i]
	}
	h.Sum -= earlier.Sum
	return h
}

// Quantile is the value below which the share q (0 to 1) of all lies, 0 when
// there is none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := int64(q*float64(h.Count()) + 0.5)
	for i, c := range h.Counts {
		if rank -= c; c > 0 && rank <= 0 {
			return time.Duration(upper(i)) * time.Microsecond
		}
	}
	return 0
}

// Below is the number of values below d, to within the width of a bucket.
func (h *Histogram) Below(d time.Duration) (n int64) {
	for i, c := range h.Counts {
		if time.Duration(upper(i))*time.Microsecond > d {
			break
		}
		n += c
	}
	return n
}
