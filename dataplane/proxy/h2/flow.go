package h2

import "encoding/binary"

// setInitial changes what may be sent on every stream that is open, and on
// those to come (RFC 9113, 6.9.2).
func (c *Conn) setInitial(n int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	more := n - c.initial
	c.initial = n
	for _, s := range c.streams {
		if s.window += more; s.window > 1<<31-1 {
			return fatal(FlowControlError, "window of a stream above 2^31-1")
		}
		s.unblock()
	}
	return nil
}

func (c *Conn) onWindow(f *frame) error {
	if len(f.payload) != 4 {
		return fatal(FrameSizeError, "malformed WINDOW_UPDATE")
	}
	n := int64(binary.BigEndian.Uint32(f.payload) & (1<<31 - 1))
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.stream == 0 {
		if n == 0 {
			return fatal(ProtocolError, "WINDOW_UPDATE of nothing")
		}
		if c.window += n; c.window > 1<<31-1 {
			return fatal(FlowControlError, "window of the connection above 2^31-1")
		}
		if c.blocked {
			c.blocked = false
			for _, s := range c.streams {
				s.unblock()
			}
		}
		return nil
	}
	s := c.streams[f.stream]
	if s == nil {
		if c.unknown(f.stream) {
			return fatal(ProtocolError, "WINDOW_UPDATE of a stream that was not opened")
		}
		return c.idle()
	}
	switch s.window += n; {
	case n == 0:
		c.end(s, ProtocolError)
	case s.window > 1<<31-1:
		c.end(s, FlowControlError)
	default:
		s.unblock()
	}
	return nil
}

// unknown reports whether a stream was never opened. Caller holds mu.
func (c *Conn) unknown(id uint32) bool {
	if c.client {
		return id%2 == 0 || id >= c.next
	}
	return id%2 == 0 || id > c.last
}

// onData takes a piece of a body in.
func (c *Conn) onData(f *frame) error {
	size := len(f.payload) // padding counts for windows
	if f.stream == 0 {
		return fatal(ProtocolError, "DATA of no stream")
	}
	if err := f.unpad(); err != nil {
		return err
	}
	if len(f.payload) > 0 {
		c.silent = 0
	} else if !f.has(flagEndStream) {
		if err := c.idle(); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken += size; c.taken > connWindow {
		return fatal(FlowControlError, "more than the connection's window")
	}
	s := c.streams[f.stream]
	switch {
	case s == nil && c.unknown(f.stream):
		return fatal(ProtocolError, "DATA of a stream that was not opened")
	case s == nil || s.dead: // ended here: what was under way is dropped
		c.give(size)
		return nil
	case s.ended || !s.headed:
		c.give(size)
		c.end(s, StreamClosed)
		return nil
	}
	if s.taken += size; s.taken > streamWindow {
		c.give(size)
		c.end(s, FlowControlError)
		return nil
	}
	if pad := size - len(f.payload); pad > 0 {
		s.credit += pad
		c.give(pad)
	}
	if s.left >= 0 {
		if s.left -= int64(len(f.payload)); s.left < 0 || f.has(flagEndStream) && s.left > 0 {
			c.give(len(f.payload))
			c.end(s, ProtocolError) // not what Content-Length said
			return nil
		}
	}
	s.put(f.payload)
	s.ended = f.has(flagEndStream)
	c.touch(s)
	return nil
}

// give returns bytes to the connection's window. Caller holds mu.
func (c *Conn) give(n int) {
	c.credit += n
	if c.credit < connWindow/4 {
		return
	}
	n = c.credit
	c.credit = 0
	c.taken -= n
	c.later = append(c.later, note{0, n, kWindow})
}
