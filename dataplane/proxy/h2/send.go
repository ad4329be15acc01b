package h2

import (
	"os"
	"time"
)

// Request is the head of a request to be sent. Fields are lines of HTTP/1.1,
// which end with CR LF each; those of its connection and Host are left out.
type Request struct {
	Method, Authority, Path []byte
	Scheme                  string
	Fields                  []byte
	Bare                    bool // HEAD: the response has no body
}

// Open sends a request's head and what there is of its body; end says that
// nothing follows. Where the peer takes no more streams it waits until a
// time in nanoseconds after now; 0: not at all. ErrGone says that nothing was
// sent.
func (c *Conn) Open(r *Request, body []byte, end bool, wait time.Duration) (*Stream, error) {
	if err := c.turn(wait); err != nil {
		return nil, err
	}
	last := end && len(body) == 0
	c.wmu.Lock()
	c.mu.Lock()
	c.coming--
	if c.away || c.err != nil || c.next >= never-1 {
		c.mu.Unlock()
		c.wmu.Unlock()
		return nil, ErrGone
	}
	s := c.stream(c.next)
	c.next += 2
	s.bare, s.closed = r.Bare, last
	n := s.take(len(body))
	if n == len(body) && end {
		s.closed = true
	}
	c.mu.Unlock()
	c.block = c.enc.request(c.block[:0], r)
	c.out = appendBlock(c.out, s.id, c.block, last)
	if n > 0 {
		c.out = appendBody(c.out, s.id, body[:n], end && n == len(body))
	}
	c.wmu.Unlock()
	c.signal()
	if n < len(body) {
		return s, s.send(body[n:], end)
	}
	return s, nil
}

// turn waits until another stream may be opened, and books it.
func (c *Conn) turn(wait time.Duration) error {
	var until int64
	for {
		c.mu.Lock()
		if c.away || c.err != nil {
			c.mu.Unlock()
			return ErrGone
		}
		if len(c.streams)+c.coming < c.limit {
			c.coming++
			c.mu.Unlock()
			return nil
		}
		if wait <= 0 {
			c.mu.Unlock()
			return os.ErrDeadlineExceeded
		}
		ch := make(chan struct{}, 1)
		c.queue = append(c.queue, ch)
		c.mu.Unlock()
		if until == 0 {
			until = nanos() + int64(wait)
		}
		timer := time.NewTimer(time.Duration(until - nanos()))
		select {
		case <-ch:
			timer.Stop()
		case <-timer.C:
			c.mu.Lock()
			for i, q := range c.queue {
				if q == ch {
					c.queue = append(c.queue[:i], c.queue[i+1:]...)
					break
				}
			}
			c.admit() // it may have been its turn just now
			c.mu.Unlock()
			return os.ErrDeadlineExceeded
		}
	}
}

// admit wakes those whose turn it is. Caller holds mu.
func (c *Conn) admit() {
	free := c.limit - len(c.streams) - c.coming
	for len(c.queue) > 0 && (free > 0 || c.away) {
		notify(c.queue[0])
		c.queue = c.queue[1:]
		free--
	}
}

// take reserves up to n bytes of the windows. Caller holds mu.
func (s *Stream) take(n int) int {
	k := int(max(min(int64(n), s.window, s.c.window), 0))
	s.window -= int64(k)
	s.c.window -= int64(k)
	return k
}

// appendBody writes a body that the windows have room for.
func appendBody(out []byte, id uint32, body []byte, end bool) []byte {
	for {
		part := body[:min(len(body), maxFrame)]
		body = body[len(part):]
		flags := uint8(0)
		if end && len(body) == 0 {
			flags = flagEndStream
		}
		out = append(appendHeader(out, len(part), kData, flags, id), part...)
		if len(body) == 0 {
			return out
		}
	}
}

// Respond sends the head of a response, its fields as of Request, and what
// there is of its body; end says that nothing follows.
func (s *Stream) Respond(status int, fields, body []byte, end bool) error {
	c := s.c
	last := end && len(body) == 0
	c.mu.Lock()
	if s.err != nil {
		defer c.mu.Unlock()
		return s.err
	}
	n := s.take(len(body))
	s.closed = end && n == len(body)
	c.mu.Unlock()
	c.wmu.Lock()
	c.block = c.enc.response(c.block[:0], status, fields)
	c.out = appendBlock(c.out, s.id, c.block, last)
	if n > 0 {
		c.out = appendBody(c.out, s.id, body[:n], end && n == len(body))
	}
	c.wmu.Unlock()
	c.signal()
	if n < len(body) {
		return s.send(body[n:], end)
	}
	return nil
}

// Write sends a piece of the body.
func (s *Stream) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := s.send(p, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// End sends the last of the body, then trailers, which may be none.
func (s *Stream) End(body, trailers []byte) error {
	if len(trailers) == 0 {
		return s.send(body, true)
	}
	if len(body) > 0 {
		if err := s.send(body, false); err != nil {
			return err
		}
	}
	c := s.c
	c.mu.Lock()
	if s.err != nil {
		defer c.mu.Unlock()
		return s.err
	}
	s.closed = true
	c.mu.Unlock()
	c.wmu.Lock()
	c.block = c.enc.lines(c.enc.begin(c.block[:0]), trailers)
	c.out = appendBlock(c.out, s.id, c.block, true)
	c.wmu.Unlock()
	c.signal()
	return nil
}

// send sends as the windows have room, and waits where they have none.
func (s *Stream) send(p []byte, end bool) error {
	c := s.c
	for {
		c.mu.Lock()
		if s.err != nil {
			defer c.mu.Unlock()
			return s.err
		}
		n := s.take(len(p))
		last := n == len(p)
		if n == 0 && len(p) > 0 {
			s.waits = true
			c.blocked = true
			c.mu.Unlock()
			if err := s.writes.wait(s.room); err != nil {
				return err
			}
			continue
		}
		s.closed = last && end
		c.mu.Unlock()
		c.wmu.Lock()
		for len(c.out) > maxPending && !c.broken {
			c.drained.Wait()
		}
		c.out = appendBody(c.out, s.id, p[:n], last && end)
		c.wmu.Unlock()
		c.signal()
		if last {
			return nil
		}
		p = p[n:]
	}
}

// note is a frame that was decided on where it could not be written.
type note struct {
	stream uint32
	n      int
	kind   kind // kWindow or kReset
}

// tell writes the notes.
func (c *Conn) tell() {
	c.wmu.Lock()
	c.mu.Lock()
	notes := c.later
	c.later = nil
	c.mu.Unlock()
	for _, n := range notes {
		if n.kind == kWindow {
			c.out = appendWindow(c.out, n.stream, n.n)
		} else {
			c.out = appendReset(c.out, n.stream, Code(n.n))
		}
	}
	c.wmu.Unlock()
	if len(notes) > 0 {
		c.signal()
	}
}
