package h2

import (
	"io"
	"os"
	"sync/atomic"
	"time"
)

// Stream is one request and its response. One goroutine at a time reads, one
// writes. It is to be released, after which it is another's.
type Stream struct {
	Owner any // whatever the user of the stream wants to find again

	c      *Conn
	id     uint32
	ready  chan struct{} // something has come
	room   chan struct{} // something may be sent
	reads  clock
	writes clock
	marked bool // is in Conn.dirty

	// Of Conn.mu.
	heads  []*Head // that have come and were not taken
	used   []*Head // that were
	buf    []byte  // body that has come
	r, w   int
	headed bool  // the head of the message has come
	ended  bool  // and its end
	closed bool  // our message has ended
	dead   bool  // reset, by whomever
	bare   bool  // the response to HEAD: no body, whatever its length
	waits  bool  // to send
	left   int64 // of the body, by Content-Length; -1: not known
	window int64 // what may be sent
	taken  int   // what has come and was not given back to the peer's window
	credit int   // of that, what may be
	err    error
}

// clock is a deadline and the timer that wakes who waits under it. A timer
// that is early is left as it is: waking for nothing now and then costs less
// than setting it each time.
type clock struct {
	deadline atomic.Int64 // nanos, 0: none
	at       int64        // when the timer fires
	timer    *time.Timer
}

func (k *clock) set(t time.Time, ch chan struct{}) {
	d := int64(0)
	if !t.IsZero() {
		d = max(int64(t.Sub(epoch)), 1)
	}
	k.deadline.Store(d)
	notify(ch)
}

// wait waits for ch until the deadline. It may return for nothing.
func (k *clock) wait(ch chan struct{}) error {
	d := k.deadline.Load()
	if d == 0 {
		<-ch
		return nil
	}
	now := nanos()
	if d <= now {
		return os.ErrDeadlineExceeded
	}
	switch in := time.Duration(d - now); {
	case k.timer == nil:
		k.timer, k.at = time.AfterFunc(in, func() { notify(ch) }), d
	case k.at <= now || k.at > d:
		k.timer.Reset(in)
		k.at = d
	}
	<-ch
	return nil
}

func notify(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func (s *Stream) notify() {
	notify(s.ready)
	notify(s.room)
}

func (s *Stream) unblock() {
	if s.waits && s.window > 0 && s.c.window > 0 {
		s.waits = false
		notify(s.room)
	}
}

// Conn is the connection the stream is of.
func (s *Stream) Conn() *Conn { return s.c }

// SetReadDeadline bounds Await and Read; the zero time does not. Whoever waits
// takes notice.
func (s *Stream) SetReadDeadline(t time.Time) error {
	s.reads.set(t, s.ready)
	return nil
}

// SetWriteDeadline bounds sending.
func (s *Stream) SetWriteDeadline(t time.Time) error {
	s.writes.set(t, s.room)
	return nil
}

// Await waits for the next head: that of an interim response, or of the
// message.
func (s *Stream) Await() (*Head, error) {
	for {
		s.c.mu.Lock()
		switch {
		case len(s.heads) > 0:
			h := s.heads[0]
			s.heads = append(s.heads[:0], s.heads[1:]...)
			s.used = append(s.used, h)
			s.c.mu.Unlock()
			return h, nil
		case s.err != nil:
			defer s.c.mu.Unlock()
			return nil, s.err
		case s.ended:
			s.c.mu.Unlock()
			return nil, io.EOF
		}
		s.c.mu.Unlock()
		if err := s.reads.wait(s.ready); err != nil {
			return nil, err
		}
	}
}

// Trailers are the fields that ended the message, nil if there were none.
// After Read has returned io.EOF.
func (s *Stream) Trailers() *Head {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if !s.ended || len(s.heads) == 0 {
		return nil
	}
	return s.heads[len(s.heads)-1]
}

// Read reads the body.
func (s *Stream) Read(p []byte) (int, error) {
	for {
		s.c.mu.Lock()
		switch {
		case s.w > s.r:
			n := copy(p, s.buf[s.r:s.w])
			s.r += n
			s.tell(n)
			notes := len(s.c.later) > 0
			s.c.mu.Unlock()
			if notes {
				s.c.tell()
			}
			return n, nil
		case s.ended:
			s.c.mu.Unlock()
			return 0, io.EOF
		case s.err != nil:
			defer s.c.mu.Unlock()
			return 0, s.err
		}
		s.c.mu.Unlock()
		if err := s.reads.wait(s.ready); err != nil {
			return 0, err
		}
	}
}

// Whole reports whether the message has ended with what can be read now, and
// how much that is.
func (s *Stream) Whole() (n int, whole bool) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.w - s.r, s.ended && len(s.heads) == 0
}

// put takes a piece of the body in, which the window has room for. Caller
// holds mu.
func (s *Stream) put(p []byte) {
	if s.r == s.w {
		s.r, s.w = 0, 0
	}
	if s.w+len(p) > len(s.buf) {
		if s.w-s.r+len(p) > len(s.buf) {
			next := make([]byte, max(4<<10, min(2*(s.w-s.r+len(p)), 2*streamWindow)))
			s.w = copy(next, s.buf[s.r:s.w])
			s.buf = next
		} else {
			s.w = copy(s.buf, s.buf[s.r:s.w])
		}
		s.r = 0
	}
	s.w += copy(s.buf[s.w:], p)
}

// tell gives bytes back to the windows. Caller holds mu.
func (s *Stream) tell(n int) {
	s.c.give(n)
	if s.credit += n; s.credit >= streamWindow/2 && !s.ended && s.err == nil {
		s.c.later = append(s.c.later, note{s.id, s.credit, kWindow})
		s.taken -= s.credit
		s.credit = 0
	}
}

// Reset ends the stream, both ways.
func (s *Stream) Reset(code Code) {
	s.c.mu.Lock()
	if code == RefusedStream {
		s.c.resets-- // it comes to nothing, and that is not its client's doing
	}
	s.c.end(s, code)
	s.c.mu.Unlock()
	s.c.tell()
}

// Release gives the stream up. One whose messages have not both ended is
// reset.
func (s *Stream) Release() {
	c := s.c
	c.mu.Lock()
	if c.streams[s.id] != s {
		c.mu.Unlock()
		return
	}
	delete(c.streams, s.id)
	switch {
	case s.dead:
		c.resets++
	case s.ended && s.closed:
		c.resets = max(c.resets-1, 0)
	case !c.client && s.closed:
		c.later = append(c.later, note{s.id, int(NoError), kReset}) // the rest of the request is not needed
	default:
		c.later = append(c.later, note{s.id, int(Cancel), kReset})
	}
	c.give(s.w - s.r)
	c.since = nanos()
	c.admit()
	quit := c.quitting && len(c.streams) == 0
	notes := len(c.later) > 0
	c.recycle(s)
	c.mu.Unlock()
	if notes {
		c.tell()
	}
	if quit {
		c.signal()
	}
}

// recycle makes a stream ready to be another. Caller holds mu.
func (c *Conn) recycle(s *Stream) {
	if len(c.free) >= 256 {
		return
	}
	buf := s.buf
	if cap(buf) > 16<<10 {
		buf = nil
	}
	c.heads = append(append(c.heads, s.heads...), s.used...)
	s.Owner, s.heads, s.used, s.buf, s.r, s.w = nil, s.heads[:0], s.used[:0], buf, 0, 0
	s.headed, s.ended, s.closed, s.dead, s.bare, s.waits = false, false, false, false, false, false
	s.taken, s.credit, s.err = 0, 0, nil
	c.free = append(c.free, s)
}

// stream makes a stream that is open. Caller holds mu.
func (c *Conn) stream(id uint32) *Stream {
	var s *Stream
	if n := len(c.free); n > 0 {
		s = c.free[n-1]
		c.free = c.free[:n-1]
	} else {
		s = &Stream{c: c, ready: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	}
	s.id, s.left, s.window = id, -1, c.initial
	s.reads.deadline.Store(0)
	s.writes.deadline.Store(0)
	c.streams[id] = s
	return s
}

// end resets a stream that is at fault, or not wanted. Caller holds mu, and
// calls tell without it.
func (c *Conn) end(s *Stream, code Code) {
	if s.dead || s.ended && s.closed {
		return
	}
	s.dead = true
	if s.err == nil {
		s.err = &StreamError{Code: code}
	}
	c.later = append(c.later, note{s.id, int(code), kReset})
	s.notify()
}
