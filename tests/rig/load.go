package rig

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Load sends requests over a number of connections, each as soon as the one
// before is answered.
type Load struct {
	Addr  string // where to connect to
	URL   string // what to ask for
	Conns int
	// Count ends the load after so many requests; 0 means when ctx ends.
	Count int
	// Every paces each connection; 0 means as fast as it goes.
	Every time.Duration
	// Host is what is asked for, where URL is to be seen as another one.
	Host string
	// Body is posted; nil: GET.
	Body func() string
	// Dial connects in place of Addr.
	Dial func(ctx context.Context) (net.Conn, error)
	// Answered counts requests as they are answered, well or not.
	Answered *atomic.Int64
}

// Answer is one request and what became of it.
type Answer struct {
	At     time.Time
	Took   time.Duration
	Status int    // 0 when there was no answer
	Err    error  // then
	Said   string // the beginning of an answer that failed
}

// Failed says whether it was not answered as it should be.
func (a Answer) Failed() bool { return a.Status/100 != 2 }

func (a Answer) String() string {
	if a.Err != nil {
		return fmt.Sprintf("%s after %s: %v", a.At.Format("05.000"), a.Took.Round(time.Millisecond), a.Err)
	}
	return fmt.Sprintf("%s after %s: %d %q", a.At.Format("05.000"), a.Took.Round(time.Millisecond), a.Status, a.Said)
}

// Result is what a load has seen, in the order of sending.
type Result []Answer

// Failures are the answers that failed.
func (r Result) Failures() []Answer {
	return slices.DeleteFunc(slices.Clone(r), func(a Answer) bool { return !a.Failed() })
}

// Slowest is the longest time a request took.
func (r Result) Slowest() (most time.Duration) {
	for _, a := range r {
		most = max(most, a.Took)
	}
	return most
}

// Run sends until the count is reached or ctx ends. What ctx cuts off does not
// count.
func (l Load) Run(ctx context.Context) Result {
	dialer := &net.Dialer{}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			if l.Dial != nil {
				return l.Dial(ctx)
			}
			return dialer.DialContext(ctx, network, l.Addr)
		},
		MaxConnsPerHost: l.Conns, MaxIdleConnsPerHost: l.Conns, MaxIdleConns: l.Conns,
	}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var all Result
	left := l.Count
	take := func() bool {
		mu.Lock()
		defer mu.Unlock()
		left--
		return l.Count == 0 || left >= 0
	}
	var wg sync.WaitGroup
	for range l.Conns {
		wg.Go(func() {
			for ctx.Err() == nil && take() {
				a := l.ask(ctx, client)
				if ctx.Err() != nil && a.Failed() {
					return
				}
				mu.Lock()
				all = append(all, a)
				mu.Unlock()
				if l.Answered != nil {
					l.Answered.Add(1)
				}
				if l.Every > 0 && Wait(ctx, l.Every-a.Took) != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	slices.SortFunc(all, func(a, b Answer) int { return a.At.Compare(b.At) })
	return all
}

func (l Load) ask(ctx context.Context, client *http.Client) Answer {
	a := Answer{At: time.Now()}
	method, body := http.MethodGet, io.Reader(nil)
	if l.Body != nil {
		method, body = http.MethodPost, strings.NewReader(l.Body())
	}
	req, err := http.NewRequestWithContext(ctx, method, l.URL, body)
	if err == nil {
		if l.Host != "" {
			req.Host = l.Host
		}
		var resp *http.Response
		if resp, err = client.Do(req); err == nil {
			if a.Status = resp.StatusCode; a.Failed() {
				begin, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
				a.Said = string(begin)
			}
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
	if err != nil {
		a.Status, a.Err = 0, err
	}
	a.Took = time.Since(a.At)
	return a
}
