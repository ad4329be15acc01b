package proxy

import (
	"errors"
	"os"
)

// errSilent ends a connection without an answer; errSlow after one.
var (
	errSilent = &fault{0, "closed"}
	errSlow   = &fault{408, "request header not complete in time"}
)

// readHead waits for a request and returns its head. Once its first byte is
// there, the whole head must come within the idle timeout, whatever trickles
// in (slowloris).
func (c *conn) readHead() ([]byte, *fault) {
	s := &c.src
	s.timeout = c.chain.idle
	from, empty := 0, 0
	for {
		if s.r == s.w {
			if f := c.await(); f != nil {
				return nil, f
			}
			from = 0
		}
		// Some clients send an empty line after a body (RFC 9112, 2.2).
		for s.w-s.r >= 2 && s.buf[s.r] == '\r' && s.buf[s.r+1] == '\n' && empty < 4 {
			s.r += 2
			empty++
		}
		if s.r != s.w {
			break
		}
	}
	partial := false
	for {
		in := s.buffered()
		end, next := headEnd(in, from)
		switch from = next; {
		case end > maxRequestHead || end < 0 && len(in) >= maxRequestHead:
			return in, errHeadTooLong
		case end >= 0:
			return in[:end], nil
		case len(in) > maxLine+2 && next >= len(in) && !hasLine(in[:maxLine+2]):
			return in, errLineTooLong
		}
		if !partial {
			partial = true
			s.deadline(nanos() + int64(s.timeout))
		}
		if err := s.read(maxRequestHead + bufSize); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return s.buffered(), errSlow
			}
			return nil, errSilent
		}
	}
}

func hasLine(b []byte) bool {
	for _, c := range b {
		if c == '\n' {
			return true
		}
	}
	return false
}

// await waits for the first byte of a request.
func (c *conn) await() *fault {
	c.idle.Store(true)
	defer c.idle.Store(false)
	if c.sock.closing.Load() {
		return errSilent
	}
	if err := c.src.fill(bufSize); err != nil {
		return errSilent
	}
	return nil
}
