package main

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

// pace is how many requests a second latency is measured at.
const pace = 1000

// latency measures what two proxies add to the time of a request when there is
// room: the same requests to the backend itself, and through each contender.
func (w *world) latency(ctx context.Context) error {
	all, err := w.compete()
	if err != nil {
		return err
	}
	type times struct{ p50, p99 []float64 }
	took := make([]times, len(all))
	failed, late := make([]int, len(all)), []float64{}
	for n := range w.settings.rounds {
		for i := range all {
			i = (i + n) % len(all)
			l := paced{addr: all[i].addr, host: paymentHost, conns: w.conns, rate: pace}
			if err := l.run(ctx, time.Second); err != nil { // connections of proxies are made
				return fmt.Errorf("%s: %w", all[i].name, err)
			}
			if err := l.run(ctx, time.Duration(w.seconds)*time.Second); err != nil {
				return fmt.Errorf("%s: %w", all[i].name, err)
			}
			took[i].p50, took[i].p99 = append(took[i].p50, quantile(l.took, 0.5)), append(took[i].p99, quantile(l.took, 0.99))
			failed[i] += l.failed
			late = append(late, quantile(l.late, 0.99))
		}
	}
	for i, c := range all {
		line := fmt.Sprintf("  %-10s p50 %s  p99 %s  errors %d", c.name, value(median(took[i].p50)).ms(), value(median(took[i].p99)).ms(), failed[i])
		if i > 0 {
			line += fmt.Sprintf("  added: p50 %s, p99 %s", added(took[i].p50, took[0].p50), added(took[i].p99, took[0].p99))
		}
		if c.name == "slipway" {
			line += "  (goal: p50 0.3 ms, p99 1 ms)"
		}
		fmt.Println(line)
	}
	fmt.Printf("  the client itself was late by p99 %s\n", value(median(late)).ms())
	return nil
}

// added is the median of the rounds' own differences.
func added(with, without []float64) string {
	var all []float64
	for i := range with {
		all = append(all, with[i]-without[i])
	}
	return value(median(all)).ms()
}

// paced is a load with a rate of its own: requests are due at regular times,
// whether those before were answered or not. A request that waits for its
// connection is timed from when it was due.
type paced struct {
	addr, host  string
	conns, rate int

	mu     sync.Mutex
	took   []time.Duration
	late   []time.Duration // the client's own doing, which is not counted
	failed int
}

func (l *paced) run(ctx context.Context, long time.Duration) error {
	l.took, l.late, l.failed = nil, nil, 0
	began := time.Now().Add(10 * time.Millisecond)
	every := time.Duration(l.conns) * time.Second / time.Duration(l.rate)
	var wg sync.WaitGroup
	for i := range l.conns {
		wg.Go(func() {
			first := began.Add(time.Duration(i) * time.Second / time.Duration(l.rate))
			took, late, failed := l.connection(ctx, first, every, began.Add(long))
			l.mu.Lock()
			defer l.mu.Unlock()
			l.took, l.late, l.failed = append(l.took, took...), append(l.late, late...), l.failed+failed
		})
	}
	wg.Wait()
	if len(l.took) == 0 {
		return fmt.Errorf("nothing was answered at %s", l.addr)
	}
	return ctx.Err()
}

// connection asks over one connection, and over another one when that broke.
func (l *paced) connection(ctx context.Context, due time.Time, every time.Duration, end time.Time) (took, late []time.Duration, failed int) {
	var c *conn
	defer func() { c.close() }()
	for ; due.Before(end) && ctx.Err() == nil; due = due.Add(every) {
		from := due
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
			from = time.Now()
			late = append(late, from.Sub(due))
		}
		var err error
		if c == nil {
			if c, err = dial(l.addr, l.host); err != nil {
				failed++
				continue
			}
			from = time.Now() // making connections is not measured
		}
		if err := c.ask(); err != nil {
			failed++
			c.close()
			c = nil
			continue
		}
		took = append(took, time.Since(from))
	}
	return took, late, failed
}

// conn is a connection that is kept.
type conn struct {
	net.Conn
	in      *bufio.Reader
	request []byte
}

func dial(addr, host string) (*conn, error) {
	nc, err := net.Dial("tcp4", addr)
	if err != nil {
		return nil, err
	}
	return &conn{nc, bufio.NewReader(nc), fmt.Appendf(nil, "GET /order/health HTTP/1.1\r\nHost: %s\r\n\r\n", host)}, nil
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

// quantile is the part of durations that a share of them stays below.
func quantile(d []time.Duration, share float64) float64 {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return float64(d[min(len(d)-1, int(float64(len(d))*share))])
}
