package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// load is an open-loop client: it sends at a constant rate through the load
// balancer, whatever becomes of the requests before, and measures each from
// the moment it was due. It counts from the first good answer of a service to
// the service's removal.
type load struct {
	url    string
	rate   int
	client *http.Client

	mu     sync.Mutex
	now    string // phase, empty: nothing is counted
	serves bool
	order  []string
	phases map[string]*phase
}

type phase struct {
	took   []time.Duration
	failed int
}

func newLoad(addr string, rate int) *load {
	return &load{
		url: "http://" + addr + "/", rate: rate, phases: map[string]*phase{},
		client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256}},
	}
}

// phase begins a part of the run; its figures are told apart.
func (l *load) phase(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if name == "" || strings.HasPrefix(name, "create ") {
		l.serves = false
	}
	if l.now = name; name != "" && l.phases[name] == nil {
		l.phases[name] = &phase{}
		l.order = append(l.order, name)
	}
}

func (l *load) run(ctx context.Context) {
	tick := time.NewTicker(time.Second / time.Duration(l.rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case due := <-tick.C:
			l.mu.Lock()
			name := l.now
			l.mu.Unlock()
			if name != "" {
				go l.ask(ctx, name, due)
			}
		}
	}
}

func (l *load) ask(ctx context.Context, name string, due time.Time) {
	ok := false
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url, nil)
	if err == nil {
		var resp *http.Response
		if resp, err = l.client.Do(req); err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			ok = err == nil && resp.StatusCode == http.StatusOK
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.serves = l.serves || ok; !l.serves || l.now == "" {
		return
	}
	p := l.phases[name]
	p.took = append(p.took, time.Since(due))
	if !ok {
		p.failed++
	}
}

// String is the table of what was seen.
func (l *load) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%-20s %8s %8s %9s %9s %9s\n", fmt.Sprintf("open loop, %d/s", l.rate), "sent", "failed", "p50", "p99", "slowest")
	for _, name := range l.order {
		p := l.phases[name]
		if len(p.took) == 0 {
			continue
		}
		took := slices.Sorted(slices.Values(p.took))
		at := func(q float64) time.Duration { return took[int(float64(len(took)-1)*q)].Round(10 * time.Microsecond) }
		fmt.Fprintf(&b, "%-20s %8d %8d %9s %9s %9s\n", name, len(took), p.failed, at(0.5), at(0.99), at(1))
	}
	return b.String()
}
