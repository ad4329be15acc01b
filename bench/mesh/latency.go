package main

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-dev/slipway/bench/internal/pace"
)

// calm is how many requests a second latency is measured at.
const calm = 1000

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
			l := pace.Load{Addr: all[i].addr, Host: paymentHost, Path: "/order/health", Conns: w.conns, Rate: calm}
			if _, err := l.Run(ctx, time.Second); err != nil { // connections of proxies are made
				return fmt.Errorf("%s: %w", all[i].name, err)
			}
			r, err := l.Run(ctx, time.Duration(w.seconds)*time.Second)
			if err != nil {
				return fmt.Errorf("%s: %w", all[i].name, err)
			}
			took[i].p50, took[i].p99 = append(took[i].p50, quantile(r.Took, 0.5)), append(took[i].p99, quantile(r.Took, 0.99))
			failed[i] += r.Failed
			late = append(late, quantile(r.Late, 0.99))
		}
	}
	for i, c := range all {
		line := fmt.Sprintf("  %-10s p50 %s  p99 %s  errors %d", c.name, value(pace.Median(took[i].p50)).ms(), value(pace.Median(took[i].p99)).ms(), failed[i])
		if i > 0 {
			line += fmt.Sprintf("  added: p50 %s, p99 %s", added(took[i].p50, took[0].p50), added(took[i].p99, took[0].p99))
		}
		if c.name == "slipway" {
			line += "  (goal: p50 0.3 ms, p99 1 ms)"
		}
		fmt.Println(line)
	}
	fmt.Printf("  the client itself was late by p99 %s\n", value(pace.Median(late)).ms())
	return nil
}

// added is the median of the rounds' own differences.
func added(with, without []float64) string {
	var all []float64
	for i := range with {
		all = append(all, with[i]-without[i])
	}
	return value(pace.Median(all)).ms()
}

func quantile(d []time.Duration, share float64) float64 { return float64(pace.Quantile(d, share)) }
