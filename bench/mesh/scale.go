package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

// large is the fleet whose control plane is measured: 1,000 virtual nodes with
// 10 backends each, 10,000 endpoints.
var large = fleet{Nodes: 1000, Backends: 10, Endpoints: 10}

const (
	largeAddr   = "127.0.0.1:15011"
	convergence = time.Minute           // for anything, at the most
	quiet       = 50 * time.Millisecond // is waited for between changes
)

// scale measures how fast a control plane brings a thousand proxies to what is
// declared, each connected over a socket of its own, and what that costs it.
func (w *world) scale(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server, err := w.remote(large, largeAddr)
	if err != nil {
		return err
	}
	defer server.end()
	told := make(chan taken, 1<<16)
	crowd := &crowd{server: server, told: told}
	before := cpuTime(server.process)
	began := time.Now()
	for i := range large.Nodes {
		f := &follower{
			node: large.arn(i), told: told,
			from: netip.AddrFrom4([4]byte{127, 1, byte(i / 250), byte(i%250 + 1)}),
		}
		go f.follow(ctx, largeAddr)
	}
	last, _, err := crowd.wait(ctx, large.concerned(change{}), func(t taken) bool { return t.whole })
	if err != nil {
		return fmt.Errorf("first connect: %w", err)
	}
	fmt.Printf("  %d virtual nodes with %d backends each, %d endpoints; a proxy of each over a socket of its own, all in this process\n", large.Nodes, large.Backends, large.Nodes*large.Endpoints)
	fmt.Printf("  all connect at once, until all have all they need: %s  server's CPU %s\n", last.Sub(began).Round(time.Millisecond), cpuTime(server.process)-before)
	rss, _ := rig.Memory(server.Process.Pid)
	fmt.Printf("  server's memory then: RSS %.0f MB\n", float64(rss)/1e6)
	if _, err := crowd.settle(ctx); err != nil {
		return err
	}
	times := 50
	if w.quick {
		times = 10
	}
	for _, kind := range []struct {
		what, kind, typeURL string
		times               int
	}{
		{"one endpoint of one node", "endpoint", xdsapi.EndpointType, times},
		{"weights of one route", "weight", xdsapi.RouteType, times},
		{"certificates of everybody", "rotate", xdsapi.SecretType, max(3, times/10)},
	} {
		if err := crowd.measure(ctx, kind.what, kind.kind, kind.typeURL, kind.times); err != nil {
			return fmt.Errorf("%s: %w", kind.what, err)
		}
	}
	idle := cpuTime(server.process)
	if err := rig.Wait(ctx, 5*time.Second); err != nil {
		return err
	}
	rss, _ = rig.Memory(server.Process.Pid)
	fmt.Printf("  server idle: %.1f %% of a core; memory at the end: RSS %.0f MB\n", 100*(cpuTime(server.process)-idle).Seconds()/5, float64(rss)/1e6)
	return nil
}

// remote starts a fleet's control plane in a process of its own.
func (w *world) remote(f fleet, addr string) (*remote, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	shape, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	r := &remote{}
	r.process, err = w.prepared(func(p *process) error {
		in, err := p.StdinPipe()
		if err != nil {
			return err
		}
		out, err := p.StdoutPipe()
		r.in, r.out = in, bufio.NewReader(out)
		return err
	}, self, "plane", string(shape), filepath.Join(w.dir, "plane"), addr)
	if err != nil {
		return nil, err
	}
	return r, listening(addr)
}

// crowd is the followers of a control plane.
type crowd struct {
	server *remote
	told   chan taken
}

// wait waits until all of some nodes took something that counts. It says when
// the last did, and how often others heard something, or the same ones of
// something else.
func (c *crowd) wait(ctx context.Context, nodes []int, counts func(taken) bool) (last time.Time, others int, err error) {
	missing := map[string]bool{}
	for _, n := range nodes {
		missing[large.arn(n)] = true
	}
	limit := time.After(convergence)
	for len(missing) > 0 {
		select {
		case t := <-c.told:
			switch {
			case t.err != nil:
				return last, others, fmt.Errorf("the stream of %s has ended: %w", t.node, t.err)
			case missing[t.node] && counts(t):
				delete(missing, t.node)
				if t.at.After(last) {
					last = t.at
				}
			default:
				others++
			}
		case <-limit:
			return last, others, fmt.Errorf("%d of %d proxies lack it after %s", len(missing), len(nodes), convergence)
		case <-ctx.Done():
			return last, others, ctx.Err()
		}
	}
	return last, others, nil
}

// settle waits until nothing is said any more, and says what was.
func (c *crowd) settle(ctx context.Context) (said int, err error) {
	for {
		select {
		case t := <-c.told:
			if t.err != nil {
				return said, fmt.Errorf("the stream of %s has ended: %w", t.node, t.err)
			}
			said++
		case <-time.After(quiet):
			return said, nil
		case <-ctx.Done():
			return said, ctx.Err()
		}
	}
}

// measure makes changes of a kind, one after another, each until everybody
// whom it concerns has acknowledged it.
func (c *crowd) measure(ctx context.Context, what, kind, typeURL string, times int) error {
	var took []time.Duration
	concerned, others, began := 0, 0, cpuTime(c.server.process)
	for i := range times {
		change := change{Kind: kind, Which: i * splitEvery % large.Nodes, Number: i}
		at, err := c.server.make(change)
		if err != nil {
			return err
		}
		nodes := large.concerned(change)
		last, n, err := c.wait(ctx, nodes, func(t taken) bool { return t.typeURL == typeURL })
		if err != nil {
			return err
		}
		more, err := c.settle(ctx)
		if err != nil {
			return err
		}
		took = append(took, last.Sub(at))
		concerned, others = concerned+len(nodes), others+n+more
	}
	cpu := (cpuTime(c.server.process) - began) / time.Duration(times)
	fmt.Printf("  %-26s until %4d proxies have it: p50 %s  p99 %s  worst %s  of %d  server's CPU %s each  sent besides: %d\n", what, concerned/times,
		value(quantile(took, 0.5)).ms(), value(quantile(took, 0.99)).ms(), value(quantile(took, 1)).ms(), times, cpu.Round(100*time.Microsecond), others)
	return nil
}
