package h2

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// reader is the half of a Conn that its reading goroutine has for itself.
type reader struct {
	buf    []byte
	r, w   int
	filled bool // the last reading left no room
	expect int  // bytes of the preface that have not come
	dec    decoder
	dirty  []*Stream // that something has come for
	begun  []*Stream // requests to be handled
	heads  []*Head   // to be used again

	open      uint32 // stream whose header block has not ended, 0: none
	openEnd   bool   // and ends its message
	fragments []byte
	parts     int
	settled   bool // the peer's settings have come
	silent    int  // frames in a row that said nothing
	resets    int  // more than answered requests

	lingering atomic.Bool
}

// read handles frames until the connection ends.
func (c *Conn) read() error {
	until := int64(0)
	for {
		for {
			n, err := c.step()
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			c.r += n
		}
		c.deliver()
		if c.cfg.Idle > 0 && !c.lingering.Load() {
			if now := nanos(); until-now < int64(c.cfg.Idle) {
				// Bytes that ask for nothing keep nobody here.
				if c.Idle() >= c.cfg.Idle && !c.busy(&until) {
					return os.ErrDeadlineExceeded
				}
				until = now + int64(c.cfg.Idle) + int64(c.cfg.Idle)/8
				_ = c.nc.SetReadDeadline(epoch.Add(time.Duration(until)))
			}
		}
		if err := c.fill(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && !c.lingering.Load() && c.busy(&until) {
				continue
			}
			if c.lingering.Load() || errors.Is(err, io.EOF) && c.r == c.w {
				return errClosed
			}
			return err
		}
	}
}

// busy tells a deadline that passed while streams were open from one that
// ends the connection.
func (c *Conn) busy(until *int64) bool {
	*until = 0
	if c.Inflight() > 0 || c.Idle() < c.cfg.Idle {
		return true
	}
	c.mu.Lock()
	again := c.quitting
	c.mu.Unlock()
	if again {
		return false
	}
	c.Shutdown()
	return true
}

// fill reads once.
func (c *Conn) fill() error {
	switch {
	case c.r == c.w:
		c.r, c.w = 0, 0
		if c.buf == nil {
			c.buf = make([]byte, 4<<10)
		}
	case c.r > 0 && c.w == len(c.buf):
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	if c.w == len(c.buf) || c.filled && len(c.buf) < 2*maxFrame {
		next := make([]byte, 2*len(c.buf))
		c.w = copy(next, c.buf[c.r:c.w])
		c.r, c.buf = 0, next
	}
	n, err := c.nc.Read(c.buf[c.w:])
	c.w += n
	c.filled = c.w == len(c.buf)
	if n > 0 {
		return nil
	}
	return err
}

// step handles the first frame in the buffer and returns its length, 0 when
// it is not there yet.
func (c *Conn) step() (int, error) {
	in := c.buf[c.r:c.w]
	if c.expect > 0 {
		n := min(len(in), c.expect)
		if at := len(preface) - c.expect; string(in[:n]) != preface[at:at+n] {
			return 0, fatal(ProtocolError, "not HTTP/2")
		}
		c.expect -= n
		return n, nil
	}
	f, n, err := parseFrame(in)
	if err != nil || n == 0 {
		return 0, err
	}
	if !c.settled && (f.kind != kSettings || f.has(flagAck)) {
		return 0, fatal(ProtocolError, "the first frame is not SETTINGS")
	}
	if c.open != 0 && (f.kind != kContinuation || f.stream != c.open) {
		return 0, fatal(ProtocolError, "a header block was interrupted")
	}
	return n, c.handle(&f)
}

func (c *Conn) handle(f *frame) error {
	switch f.kind {
	case kData:
		return c.onData(f)
	case kHeaders:
		return c.onHeaders(f)
	case kContinuation:
		return c.onContinuation(f)
	case kPriority:
		if len(f.payload) != 5 || f.stream == 0 {
			return fatal(FrameSizeError, "malformed PRIORITY")
		}
		return c.idle()
	case kReset:
		return c.onReset(f)
	case kSettings:
		return c.onSettings(f)
	case kPush:
		return fatal(ProtocolError, "PUSH_PROMISE was not asked for")
	case kPing:
		return c.onPing(f)
	case kGoAway:
		return c.onGoAway(f)
	case kWindow:
		return c.onWindow(f)
	}
	return c.idle() // of a later version: ignored (RFC 9113, 4.1)
}

// idle bounds frames that cost and say nothing.
func (c *Conn) idle() error {
	if c.silent++; c.silent > maxIdle {
		return fatal(EnhanceYourCalm, "too many frames that say nothing")
	}
	return nil
}

func (c *Conn) onSettings(f *frame) error {
	switch {
	case f.stream != 0:
		return fatal(ProtocolError, "SETTINGS of a stream")
	case f.has(flagAck):
		if len(f.payload) > 0 {
			return fatal(FrameSizeError, "SETTINGS acknowledged with content")
		}
		return nil
	case len(f.payload)%6 != 0:
		return fatal(FrameSizeError, "malformed SETTINGS")
	}
	c.settled = true
	table := uint32(tableSize)
	for p := f.payload; len(p) > 0; p = p[6:] {
		v := binary.BigEndian.Uint32(p[2:])
		switch binary.BigEndian.Uint16(p) {
		case setTableSize:
			table = v
		case setPush:
			if v > 1 || c.client && v != 0 {
				return fatal(ProtocolError, "SETTINGS_ENABLE_PUSH")
			}
		case setStreams:
			c.mu.Lock()
			c.limit = int(min(v, 1<<20))
			c.admit()
			c.mu.Unlock()
		case setInitialWindow:
			if v > 1<<31-1 {
				return fatal(FlowControlError, "SETTINGS_INITIAL_WINDOW_SIZE")
			}
			if err := c.setInitial(int64(v)); err != nil {
				return err
			}
		case setFrameSize:
			if v < maxFrame || v > 1<<24-1 {
				return fatal(ProtocolError, "SETTINGS_MAX_FRAME_SIZE")
			}
		}
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if table != uint32(c.enc.table.limit) {
		c.enc.resize(table)
	}
	c.out = appendHeader(c.out, 0, kSettings, flagAck, 0)
	return c.answered()
}

// answered counts a frame that was written for one of the peer's. Caller
// holds wmu.
func (c *Conn) answered() error {
	if c.control++; c.control > maxControl {
		return fatal(EnhanceYourCalm, "too many frames to be answered")
	}
	c.signal()
	return nil
}

func (c *Conn) onPing(f *frame) error {
	if len(f.payload) != 8 || f.stream != 0 {
		return fatal(FrameSizeError, "malformed PING")
	}
	if f.has(flagAck) {
		switch string(f.payload) {
		case "goodbye!":
			c.farewell()
		case "alive???":
			c.mu.Lock()
			c.pinged = 0
			c.mu.Unlock()
		}
		return nil
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.out = append(appendHeader(c.out, 8, kPing, flagAck, 0), f.payload...)
	return c.answered()
}

// onGoAway opens no more streams; those the peer has not acted on may go
// elsewhere.
func (c *Conn) onGoAway(f *frame) error {
	if len(f.payload) < 8 || f.stream != 0 {
		return fatal(FrameSizeError, "malformed GOAWAY")
	}
	last := binary.BigEndian.Uint32(f.payload) & (1<<31 - 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = true
	c.admit()
	if !c.client {
		return nil
	}
	c.quitting, c.bound = true, 0
	for id, s := range c.streams {
		if id > last && s.err == nil {
			s.err = ErrRefused
			s.notify()
		}
	}
	if len(c.streams) == 0 {
		c.signal()
	}
	return nil
}
