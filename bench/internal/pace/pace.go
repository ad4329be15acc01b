// Package pace is load at a rate of its own: requests are due at regular
// times, whether those before them were answered or not. A request that has to
// wait for its connection is timed from when it was due, so that a server that
// stalls is not asked less and looks no better for it. How late the client's
// own timers are is told apart and not counted.
package pace

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Load is requests for one URL over HTTP/1.1 connections that are kept.
type Load struct {
	Addr, Host, Path string
	Conns            int
	Rate             int // requests a second
}

// Result is what became of them.
type Result struct {
	Took   []time.Duration // those answered with 200
	Late   []time.Duration // how late the client itself was
	Failed int             // all others
}

// Run asks for a while. An error means that nothing was answered.
func (l Load) Run(ctx context.Context, long time.Duration) (all Result, err error) {
	began := time.Now().Add(10 * time.Millisecond)
	every := time.Duration(l.Conns) * time.Second / time.Duration(l.Rate)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range l.Conns {
		wg.Go(func() {
			r := l.one(ctx, began.Add(time.Duration(i)*time.Second/time.Duration(l.Rate)), every, began.Add(long))
			mu.Lock()
			defer mu.Unlock()
			all.Took, all.Late, all.Failed = append(all.Took, r.Took...), append(all.Late, r.Late...), all.Failed+r.Failed
		})
	}
	wg.Wait()
	if len(all.Took) == 0 && ctx.Err() == nil {
		return all, fmt.Errorf("nothing was answered at %s", l.Addr)
	}
	return all, ctx.Err()
}

// one asks over one connection, and over another one when that broke.
func (l Load) one(ctx context.Context, due time.Time, every time.Duration, end time.Time) (r Result) {
	var c *conn
	defer func() { c.close() }()
	for ; due.Before(end) && ctx.Err() == nil; due = due.Add(every) {
		from := due
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
			from = time.Now()
			r.Late = append(r.Late, from.Sub(due))
		}
		var err error
		if c == nil {
			if c, err = l.dial(); err != nil {
				r.Failed++
				continue
			}
			from = time.Now() // making connections is not measured
		}
		if err := c.ask(); err != nil {
			r.Failed++
			c.close()
			c = nil
			continue
		}
		r.Took = append(r.Took, time.Since(from))
	}
	return r
}

// conn is a connection that is kept.
type conn struct {
	net.Conn
	in      *bufio.Reader
	request []byte
}

func (l Load) dial() (*conn, error) {
	nc, err := net.Dial("tcp4", l.Addr)
	if err != nil {
		return nil, err
	}
	return &conn{nc, bufio.NewReader(nc), fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", l.Path, l.Host)}, nil
}

func (c *conn) close() {
	if c != nil {
		c.Conn.Close()
	}
}

func (c *conn) ask() error {
	if _, err := c.Write(c.request); err != nil {
		return err
	}
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", r.Status)
	}
	return nil
}

// Quantile is what a share of durations stays below: 0.99 for the slowest of
// a hundred, 1 for the slowest.
func Quantile(d []time.Duration, share float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return d[min(len(d)-1, int(float64(len(d))*share))]
}

// Median is the middle of figures, such as those of rounds.
func Median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(v))[len(v)/2]
}
