package proxy

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy/h2"
)

var epoch = time.Now()

// nanos is a monotonic clock, cheaper than time.Now.
func nanos() int64 { return int64(time.Since(epoch)) }

const bufSize = 16 << 10

var buffers = sync.Pool{New: func() any { return new([bufSize]byte) }}

func getBuf() []byte { return buffers.Get().(*[bufSize]byte)[:] }

// putBuf gives a buffer back; one that has grown is left to the collector.
func putBuf(b []byte) {
	if cap(b) == bufSize {
		buffers.Put((*[bufSize]byte)(b[:bufSize]))
	}
}

// source is the buffered reading side of a connection. Its deadline is
// coarse: set anew only when less than the timeout is left, at an eighth
// more, so that a busy connection sets one every few seconds and not one per
// read.
type source struct {
	nc      net.Conn
	st      *h2.Stream // which nc is, on HTTP/2
	buf     []byte
	r, w    int
	drained bool  // the last raw read left the socket empty
	until   int64 // current deadline, in nanos
	timeout time.Duration
	began   int64        // when the wait began
	limit   atomic.Int64 // nanos when waiting is over whatever moves; 0 = never
	active  *activity    // of the whole exchange, while bodies stream; else nil
}

// attach makes it the reading side of a stream, or, with nil, of nothing.
func (s *source) attach(st *h2.Stream) {
	s.st, s.until, s.r, s.w = st, 0, 0, 0
	s.limit.Store(0)
	if s.active = nil; st != nil {
		s.nc = st
	}
}

var errFull = errors.New("proxy: message element exceeds the buffer")

func (s *source) buffered() []byte { return s.buf[s.r:s.w] }

// guard sets the deadline of a wait. Under a limit one that is too early will
// do: it is moved when it has passed, so that here, too, a busy connection
// seldom sets one.
func (s *source) guard(now int64) {
	s.began = now
	if limit := s.limit.Load(); limit != 0 {
		if end := min(limit, now+int64(s.timeout)); s.until > end || s.until <= now {
			s.deadline(end)
		}
		return
	}
	if s.until-now < int64(s.timeout) {
		s.deadline(now + int64(s.timeout) + int64(s.timeout)/8)
	}
}

// hasten sets a limit while another goroutine may be waiting.
func (s *source) hasten(limit int64) {
	s.limit.Store(limit)
	if limit != 0 {
		_ = s.nc.SetReadDeadline(epoch.Add(time.Duration(limit)))
	}
}

// deadline sets an exact deadline, which stays until guard finds it short.
func (s *source) deadline(at int64) {
	s.until = at
	_ = s.nc.SetReadDeadline(epoch.Add(time.Duration(at)))
}

// room makes place for at least one more byte, moving what is buffered to
// the front or growing the buffer up to limit.
func (s *source) room(limit int) error {
	switch {
	case s.buf == nil:
		s.buf = getBuf()
	case s.r == s.w:
		s.r, s.w = 0, 0
	case s.w < len(s.buf):
	case s.r > 0:
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.r = 0
	case len(s.buf) >= limit:
		return errFull
	default:
		b := make([]byte, min(2*len(s.buf), limit))
		copy(b, s.buf[:s.w])
		putBuf(s.buf)
		s.buf = b
	}
	return nil
}

// activity is shared by both directions of an exchange: a direction that is
// silent does not time out while the other one moves.
type activity struct {
	last atomic.Int64 // nanos of the last byte
	cut  atomic.Bool  // give up; set before deadlines are pulled in
}

func (a *activity) start() {
	a.last.Store(nanos())
	a.cut.Store(false)
}

// fill reads once, under the idle timeout.
func (s *source) fill(limit int) error {
	s.guard(nanos())
	for {
		if s.active != nil && s.active.cut.Load() {
			return errCut
		}
		err := s.read(limit)
		if err == nil || !s.extend(err) {
			return err
		}
	}
}

// read reads once, under whatever deadline is set.
func (s *source) read(limit int) error {
	if err := s.room(limit); err != nil {
		return err
	}
	n, err := s.nc.Read(s.buf[s.w:])
	s.w += n
	if n > 0 {
		return nil
	}
	return err
}

// extend moves a deadline that passed while the other direction of the
// exchange was busy, or that was too early, and reports whether it did.
func (s *source) extend(err error) bool {
	limit := s.limit.Load()
	if s.active == nil && limit == 0 || s.active != nil && s.active.cut.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	now, end := nanos(), s.began
	if s.active != nil {
		end = s.active.last.Load()
	}
	if end += int64(s.timeout); limit != 0 {
		end = min(end, limit)
	}
	if end <= now {
		return false
	}
	s.deadline(end)
	return true
}

// release gives the buffer back while nothing is buffered.
func (s *source) release() {
	if s.r == s.w && s.buf != nil {
		putBuf(s.buf)
		s.buf, s.r, s.w = nil, 0, 0
	}
}

// scratch is b emptied, or a pooled buffer when b is nil.
func scratch(b []byte) []byte {
	if b == nil {
		b = getBuf()
	}
	return b[:0]
}
