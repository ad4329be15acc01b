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
	retries   atomic.Int64
	retriesOK atomic.Int64
	exhausted atomic.Int64 // retries there was no more of
	perTry    atomic.Int64 // tries that took too long
	timeouts  atomic.Int64 // exchanges that did
	overflows atomic.Int64 // of groups
	ejections atomic.Int64 // likewise
	tcp       tcpMeter
	tls       tlsMeter // of groups: with targets
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
