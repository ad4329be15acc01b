package h2

import (
	"errors"
	"net"
	"runtime"
	"sync"
	"time"
)

var epoch = time.Now()

func nanos() int64 { return int64(time.Since(epoch)) }

// Conn is one connection.
type Conn struct {
	nc     net.Conn
	client bool
	cfg    Config

	reader // of the goroutine that runs Serve

	mu       sync.Mutex // may be taken while wmu is held, not the other way round
	streams  map[uint32]*Stream
	free     []*Stream
	next     uint32          // id of the next stream that is opened here
	last     uint32          // highest id the peer has opened
	bound    uint32          // ids of the peer above it are not taken any more
	window   int64           // what may be sent on all streams
	initial  int64           // what may be sent on a new one
	credit   int             // bytes taken in that the peer was not told of
	limit    int             // streams the peer takes
	blocked  bool            // some stream waits to send
	queue    []chan struct{} // of those who wait to open one
	coming   int             // streams that are about to be opened
	taken    int             // bytes that came and were not given back to the peer's window
	later    []note
	away     bool  // no new streams are opened
	quitting bool  // it ends with the last stream
	err      error // why it ended
	since    int64 // when the last stream ended
	pinged   int64 // when Check asked; 0: no answer is awaited

	wmu     sync.Mutex
	enc     encoder
	out     []byte // to be written
	spare   []byte
	block   []byte
	control int  // frames in out that nobody waits for
	broken  bool // nothing is written any more
	drained sync.Cond
	wake    chan struct{}

	ended chan struct{}
}

// Server makes a connection of one whose client has said nothing yet. Serve
// runs it.
func Server(nc net.Conn, cfg Config) *Conn {
	c := newConn(nc, cfg)
	c.expect = len(preface)
	out := appendHeader(c.out, 6, kSettings, 0, 0)
	out = appendSetting(out, setStreams, uint32(c.cfg.Streams))
	c.out = appendWindow(out, 0, connWindow-streamWindow)
	return c
}

// Client makes a connection. Serve is to be run for it; streams may be opened
// before.
func Client(nc net.Conn, cfg Config) *Conn {
	c := newConn(nc, cfg)
	c.client, c.next, c.limit = true, 1, 100
	out := append(c.out, preface...)
	out = appendHeader(out, 6, kSettings, 0, 0)
	out = appendSetting(out, setPush, 0)
	c.out = appendWindow(out, 0, connWindow-streamWindow)
	return c
}

func newConn(nc net.Conn, cfg Config) *Conn {
	if cfg.Streams <= 0 {
		cfg.Streams = defaultStreams
	}
	if cfg.Stall <= 0 {
		cfg.Stall = defaultStall
	}
	c := &Conn{
		nc: nc, cfg: cfg, streams: map[uint32]*Stream{}, wake: make(chan struct{}, 1), ended: make(chan struct{}),
		window: streamWindow, initial: streamWindow, bound: never, since: nanos(),
	}
	c.drained.L = &c.wmu
	c.enc.table.limit, c.dec.table.limit = tableSize, tableSize
	return c
}

// Serve runs the connection to its end: it reads what comes and lets a second
// goroutine write. The error says why it ended; nil: it was closed by its
// peer, or as it was meant to.
func (c *Conn) Serve() error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.write()
	}()
	c.signal()
	err := c.read()
	c.fail(err)
	<-done
	_ = c.nc.Close()
	if errors.Is(err, errClosed) {
		return nil
	}
	return err
}

// fail ends the connection: every stream of it has ended.
func (c *Conn) fail(err error) {
	if err == nil {
		err = errClosed
	}
	c.mu.Lock()
	if c.err == nil {
		c.err, c.away = err, true
		close(c.ended)
		for _, s := range c.streams {
			if s.err == nil {
				s.err = err
			}
			s.notify()
		}
		c.admit()
	}
	c.mu.Unlock()
	c.wmu.Lock()
	if e, ok := errors.AsType[*ConnError](err); ok {
		c.out = appendGoAway(c.out, c.last, e.Code)
	}
	c.broken = true
	c.drained.Broadcast()
	c.wmu.Unlock()
	c.signal()
}

// Close ends the connection at once.
func (c *Conn) Close() {
	c.fail(errClosed)
	_ = c.nc.Close()
}

// signal wakes the goroutine that writes.
func (c *Conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write sends what has collected, until the connection has ended.
func (c *Conn) write() {
	until := int64(0)
	for range c.wake {
		runtime.Gosched() // those who run now may have something to add
		for {
			c.wmu.Lock()
			out := c.out
			c.out, c.control = c.spare[:0], 0
			c.wmu.Unlock()
			if len(out) == 0 {
				c.spare = out
				break
			}
			if now := nanos(); until-now < int64(c.cfg.Stall) {
				until = now + 2*int64(c.cfg.Stall)
				_ = c.nc.SetWriteDeadline(epoch.Add(time.Duration(until)))
			}
			_, err := c.nc.Write(out)
			if cap(out) > 4*maxPending {
				out = nil
			}
			c.wmu.Lock()
			c.spare = out[:0]
			c.drained.Broadcast()
			c.wmu.Unlock()
			if err != nil {
				c.fail(err)
				_ = c.nc.Close() // ends the reading
				return
			}
		}
		if c.over() {
			return
		}
	}
}

// over reports whether nothing is left to write for good. A peer that is to
// read our last words gets a moment for it: closing with unread input would
// take them back.
func (c *Conn) over() bool {
	c.mu.Lock()
	err, quit := c.err, c.quitting && len(c.streams) == 0 && c.bound != never
	c.mu.Unlock()
	if err == nil && !quit {
		return false
	}
	c.wmu.Lock()
	left := len(c.out)
	c.wmu.Unlock()
	if left > 0 {
		c.signal()
		return false
	}
	if cw, ok := c.nc.(interface{ CloseWrite() error }); ok && !errors.Is(err, errClosed) && cw.CloseWrite() == nil {
		c.lingering.Store(true)
		_ = c.nc.SetReadDeadline(time.Now().Add(2 * time.Second))
		return true
	}
	_ = c.nc.Close()
	return true
}

// Shutdown lets what is in flight end: the peer is told to send no more, and
// after a round trip nothing more is taken (RFC 9113, 6.8).
func (c *Conn) Shutdown() {
	c.mu.Lock()
	again := c.quitting
	c.quitting, c.away = true, true
	c.mu.Unlock()
	if again {
		return
	}
	c.wmu.Lock()
	if c.client {
		c.out = appendGoAway(c.out, 0, NoError)
	} else {
		c.out = appendGoAway(c.out, 1<<31-1, NoError)
		c.out = append(appendHeader(c.out, 8, kPing, 0, 0), "goodbye!"...)
	}
	c.wmu.Unlock()
	if c.client {
		c.mu.Lock()
		c.bound = 0
		c.mu.Unlock()
	}
	c.signal()
}

// farewell takes no more streams, once the peer knows.
func (c *Conn) farewell() {
	c.mu.Lock()
	first := c.bound == never
	c.bound = c.last
	c.mu.Unlock()
	if !first {
		return
	}
	c.wmu.Lock()
	c.out = appendGoAway(c.out, c.bound, NoError)
	c.wmu.Unlock()
	c.signal()
}

// Check asks the peer for a sign of life, and ends the connection when there
// is none for as long as within.
func (c *Conn) Check(within time.Duration) {
	c.mu.Lock()
	asked := c.pinged != 0 || c.err != nil
	if !asked {
		c.pinged = nanos()
	}
	c.mu.Unlock()
	if asked {
		return
	}
	c.wmu.Lock()
	c.out = append(appendHeader(c.out, 8, kPing, 0, 0), "alive???"...)
	c.wmu.Unlock()
	c.signal()
	time.AfterFunc(within, func() {
		c.mu.Lock()
		dead := c.pinged != 0
		c.mu.Unlock()
		if dead {
			c.fail(ErrSilent)
			_ = c.nc.Close()
		}
	})
}

// Usable reports whether new streams can be opened, Inflight how many there
// are, Idle since when there are none (0: there are, in nanoseconds of no
// particular epoch).
func (c *Conn) Usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.away && c.err == nil && c.next < never-1
}

// Room reports whether the peer takes another stream now.
func (c *Conn) Room() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.away && c.err == nil && len(c.streams) < c.limit
}

// Inflight is how many streams there are.
func (c *Conn) Inflight() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.streams)
}

// Idle is for how long there has been no stream.
func (c *Conn) Idle() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.streams) > 0 {
		return 0
	}
	return time.Duration(nanos() - c.since)
}

// Ended is closed when the connection has ended.
func (c *Conn) Ended() <-chan struct{} { return c.ended }
