package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/bench/internal/pace"
)

// hops measures what two proxies in a row carry: client, plain to the first,
// mutual TLS to the second, plain to the backend.
func (w *world) hops(ctx context.Context) error {
	all, err := w.compete()
	if err != nil {
		return err
	}
	server, contenders := all[0].processes[0], all[1:]
	for _, c := range contenders { // connections are made, code is warm
		if _, err := wrk(ctx, c, server, 1, w.conns); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	for n := range w.settings.rounds {
		for i := range contenders {
			c := contenders[(i+n)%len(contenders)]
			r, err := wrk(ctx, c, server, w.seconds, w.conns)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			c.rounds = append(c.rounds, r)
		}
	}
	report(contenders)
	return nil
}

func report(all []*contender) {
	for _, c := range all {
		errors := 0
		for _, r := range c.rounds {
			errors += r.errors
		}
		fmt.Printf("  %-10s %7.0f requests/s  p50 %s  p99 %s  CPU us/request: %5.1f proxies, %5.1f client and backend  errors %d  %.0f\n", c.name,
			c.median(rate), c.median(p50).ms(), c.median(p99).ms(), c.median(own).us(), c.median(rest).us(), errors, c.values(rate))
	}
	ours := all[0]
	if len(all) < 2 {
		return
	}
	haproxies := slices.DeleteFunc(slices.Clone(all[1:]), func(c *contender) bool { return c.name == "nginx" })
	against := slices.DeleteFunc(slices.Clone(all[1:]), func(c *contender) bool { return c.name != "nginx" })
	if len(haproxies) > 0 {
		against = append(against, slices.MaxFunc(haproxies, func(a, b *contender) int { return cmp.Compare(a.median(rate), b.median(rate)) }))
	}
	for _, c := range against {
		fmt.Printf("  %-26s requests/s %s  p50 %s  p99 %s  CPU/request %s\n", "ratio to "+c.name,
			ratio(ours, c, rate), ratio(ours, c, p50), ratio(ours, c, p99), ratio(ours, c, own))
	}
}

// figure is one of a round's.
type figure func(round) float64

func rate(r round) float64 { return r.rate }
func p50(r round) float64  { return float64(r.p50) }
func p99(r round) float64  { return float64(r.p99) }
func own(r round) float64  { return r.own }
func rest(r round) float64 { return r.rest }

func (c *contender) values(f figure) (v []float64) {
	for _, r := range c.rounds {
		v = append(v, f(r))
	}
	return v
}

func (c *contender) median(f figure) value { return value(pace.Median(c.values(f))) }

// value is a median with its ways to be written.
type value float64

func (v value) ms() string  { return fmt.Sprintf("%5.2f ms", float64(v)/float64(time.Millisecond)) }
func (v value) us() float64 { return float64(v) }

// ratio is the median of the rounds' own ratios, and those.
func ratio(a, b *contender, f figure) string {
	var all []float64
	for i, r := range a.rounds {
		all = append(all, f(r)/f(b.rounds[i]))
	}
	return fmt.Sprintf("%.2f %.2f", pace.Median(all), all)
}
