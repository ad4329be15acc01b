package h2

import (
	"encoding/binary"
	"math"
)

func (c *Conn) onHeaders(f *frame) error {
	if f.stream == 0 {
		return fatal(ProtocolError, "HEADERS of no stream")
	}
	if err := f.unpad(); err != nil {
		return err
	}
	if f.has(flagPriority) {
		if len(f.payload) < 5 {
			return fatal(FrameSizeError, "malformed HEADERS")
		}
		f.payload = f.payload[5:]
	}
	end := f.has(flagEndStream)
	if f.has(flagEndHeaders) {
		return c.onBlock(f.stream, f.payload, end)
	}
	c.open, c.openEnd, c.parts = f.stream, end, 0
	c.fragments = append(c.fragments[:0], f.payload...)
	return nil
}

func (c *Conn) onContinuation(f *frame) error {
	if c.open == 0 {
		return fatal(ProtocolError, "CONTINUATION of nothing")
	}
	c.fragments = append(c.fragments, f.payload...)
	if c.parts++; len(c.fragments) > maxBlock || c.parts > 64 {
		return fatal(EnhanceYourCalm, "header block above 64 K")
	}
	if !f.has(flagEndHeaders) {
		return nil
	}
	id := c.open
	c.open = 0
	return c.onBlock(id, c.fragments, c.openEnd)
}

// onBlock takes a head or trailers in.
func (c *Conn) onBlock(id uint32, block []byte, end bool) error {
	c.silent = 0
	c.mu.Lock()
	var h *Head
	if n := len(c.heads); n > 0 {
		h = c.heads[n-1]
		c.heads = c.heads[:n-1]
	} else {
		h = &Head{}
	}
	c.mu.Unlock()
	h.reset()
	if err := c.dec.block(block, h); err != nil {
		return err
	}
	h.End = end
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.streams[id]
	taken := false
	switch {
	case s != nil && (s.headed || !c.client):
		taken = c.onTrailers(s, h)
	case s != nil:
		taken = c.onResponse(s, h)
	case c.client && c.unknown(id):
		return fatal(ProtocolError, "HEADERS of a stream that was not opened")
	case !c.client && id%2 == 0:
		return fatal(ProtocolError, "a client opened a stream of a server")
	case !c.client && id > c.last:
		c.last = id
		taken = c.onRequest(id, h)
		if c.resets > maxResets {
			return fatal(EnhanceYourCalm, "too many requests that came to nothing")
		}
	}
	if !taken {
		c.heads = append(c.heads, h)
	}
	return nil
}

// onRequest opens a stream. Caller holds mu, as of those that follow.
func (c *Conn) onRequest(id uint32, h *Head) bool {
	switch {
	case id > c.bound: // the client was told
		return false
	case len(c.streams) >= c.cfg.Streams:
		c.resets++
		c.later = append(c.later, note{id, int(RefusedStream), kReset})
		return false
	case !h.request():
		c.resets++
		c.later = append(c.later, note{id, int(ProtocolError), kReset})
		return false
	}
	s := c.stream(id)
	s.headed, s.ended, s.left = true, h.End, h.length
	s.heads = append(s.heads, h)
	c.begun = append(c.begun, s)
	return true
}

func (c *Conn) onResponse(s *Stream, h *Head) bool {
	switch {
	case s.dead:
		return false
	case !h.response() || h.Status < 200 && (h.End || len(s.heads) >= 8) || h.Status == 101:
		c.end(s, ProtocolError)
		return false
	case h.Status >= 200:
		s.headed, s.ended = true, h.End
		if s.left = h.length; s.bare || h.Status == 304 {
			s.left = 0
		} else if h.End && h.length > 0 {
			c.end(s, ProtocolError)
			return false
		}
	}
	s.heads = append(s.heads, h)
	c.touch(s)
	return true
}

func (c *Conn) onTrailers(s *Stream, h *Head) bool {
	switch {
	case s.dead:
		return false
	case s.ended || !h.End || !h.trailers() || s.left > 0:
		c.end(s, ProtocolError)
		return false
	}
	s.ended = true
	s.heads = append(s.heads, h)
	c.touch(s)
	return true
}

// onReset ends a stream as the peer wants.
func (c *Conn) onReset(f *frame) error {
	if len(f.payload) != 4 || f.stream == 0 {
		return fatal(FrameSizeError, "malformed RST_STREAM")
	}
	code := Code(binary.BigEndian.Uint32(f.payload))
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.streams[f.stream]
	if s == nil {
		if c.unknown(f.stream) {
			return fatal(ProtocolError, "RST_STREAM of a stream that was not opened")
		}
		return c.idle()
	}
	s.dead = true
	if s.err == nil {
		if s.err = error(&StreamError{code, true}); code == RefusedStream {
			s.err = ErrRefused
		}
	}
	s.notify()
	return nil
}

// touch notes that someone may be waiting for what has come.
func (c *Conn) touch(s *Stream) {
	if !s.marked {
		s.marked = true
		c.dirty = append(c.dirty, s)
	}
}

// deliver wakes those that something has come for, once all that is there was
// looked at, and hands new requests over.
func (c *Conn) deliver() {
	for i, s := range c.dirty {
		s.marked = false
		notify(s.ready)
		c.dirty[i] = nil
	}
	c.dirty = c.dirty[:0]
	for i, s := range c.begun {
		c.cfg.Handle(s)
		c.begun[i] = nil
	}
	c.begun = c.begun[:0]
	c.mu.Lock()
	notes := len(c.later) > 0
	c.mu.Unlock()
	if notes {
		c.tell()
	}
}

// never is an id above all.
const never = math.MaxInt32
