package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/slipway-dev/slipway/tests/rig"
)

// small is sixty tasks of three services that call each other, which is what
// one machine carries.
var small = fleet{Nodes: 3, Backends: 3, Endpoints: 20}

// changes measures how long sixty real sidecars, each in a network namespace
// of its own, take to do as a change says: it is over when the last of them has
// acknowledged it, which they do once they serve it.
func (w *world) changes(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p, err := newPlane(ctx, small, filepath.Join(w.dir, "small"), taskPlane.String())
	if err != nil {
		return err
	}
	began := time.Now()
	var all []*task
	defer func() {
		for _, t := range all {
			t.remove()
		}
	}()
	for node := range small.Nodes {
		for n := range small.Endpoints {
			t, err := w.task(small.arn(node), small.endpoint(node, n))
			if err != nil {
				return err
			}
			all = append(all, t)
			if _, err := t.run(); err != nil {
				return err
			}
		}
	}
	if _, err := p.converged(ctx, len(all), nil); err != nil {
		return fmt.Errorf("first connect: %w", err)
	}
	rss, pss := 0, 0
	var sidecars []*process
	for _, t := range all {
		sidecars = append(sidecars, t.process)
		r, s := rig.Memory(t.Process.Pid)
		rss, pss = rss+r, pss+s
	}
	fmt.Printf("  %d sidecars started, connected and served in %s; RSS %.1f MB each, PSS %.1f MB\n", len(all), time.Since(began).Round(time.Millisecond), mega(rss)/float64(len(all)), mega(pss)/float64(len(all)))
	times := 200
	if w.quick {
		times = 20
	}
	for _, kind := range []struct{ what, kind string }{{"weights of one route", "weight"}, {"one endpoint of one node", "endpoint"}, {"certificates of everybody", "rotate"}} {
		if kind.kind == "rotate" {
			times /= 10
		}
		var took []time.Duration
		cpu := cpuTime(sidecars...)
		for i := range times {
			before := p.versions()
			at, err := p.make(change{Kind: kind.kind, Number: i})
			if err != nil {
				return err
			}
			done, err := p.converged(ctx, len(all), before)
			if err != nil {
				return fmt.Errorf("%s: %w", kind.what, err)
			}
			took = append(took, done.Sub(at))
			if err := rig.Wait(ctx, 10*time.Millisecond); err != nil {
				return err
			}
		}
		cpu = (cpuTime(sidecars...) - cpu) / time.Duration(times*len(all))
		fmt.Printf("  %-26s until all %d have it: p50 %s  p99 %s  worst %s  of %d  CPU of each sidecar %s", kind.what, len(all),
			value(quantile(took, 0.5)).ms(), value(quantile(took, 0.99)).ms(), value(quantile(took, 1)).ms(), times, cpu.Round(10*time.Microsecond))
		if kind.kind != "rotate" {
			fmt.Print("  (goal: p99 100 ms)")
		}
		fmt.Println()
	}
	return nil
}

// versions are what each proxy is to have, by task.
func (p *plane) versions() map[string]string {
	out := map[string]string{}
	for _, each := range p.server.Proxies(p.mesh.ARN) {
		out[each.Task] = each.Version
	}
	return out
}

// converged waits until so many proxies have acknowledged all they are to
// have, and that is not what it was before.
func (p *plane) converged(ctx context.Context, want int, before map[string]string) (time.Time, error) {
	for end := time.Now().Add(convergence); ; {
		all := p.server.Proxies(p.mesh.ARN)
		now, n := time.Now(), 0
		for _, each := range all {
			if each.Acked == each.Version && each.Version != "" && each.Version != before[each.Task] {
				n++
			}
			if each.Nack != "" {
				return now, fmt.Errorf("%s of %s refuses: %s", each.Task, each.Name, each.Nack)
			}
		}
		if n == want {
			return now, nil
		}
		if now.After(end) {
			return now, fmt.Errorf("%d of %d proxies have it after %s", n, want, convergence)
		}
		if err := rig.Wait(ctx, 200*time.Microsecond); err != nil {
			return now, err
		}
	}
}
