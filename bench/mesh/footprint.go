package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/slipway-dev/slipway/bench/internal/pace"
	"github.com/slipway-dev/slipway/tests/rig"
)

// footprint measures what one sidecar costs: its start, its memory when it has
// nothing to do, its program, which is all that its image holds.
func (w *world) footprint(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if _, err := newPlane(ctx, small, filepath.Join(w.dir, "small"), taskPlane.String()); err != nil {
		return err
	}
	starts, idle := 10, 5*time.Second
	if w.quick {
		starts, idle = 3, time.Second
	}
	var took []time.Duration
	var rss, pss []float64
	for range starts {
		t, err := w.task(small.arn(0), small.endpoint(0, 0))
		if err != nil {
			return err
		}
		began, err := t.run()
		if err == nil {
			err = ready(t.admin)
		}
		took = append(took, time.Since(began))
		if err == nil {
			err = rig.Wait(ctx, idle)
		}
		if err != nil {
			t.remove()
			return err
		}
		r, p := rig.Memory(t.Process.Pid)
		rss, pss = append(rss, mega(r)), append(pss, mega(p))
		t.remove()
	}
	fmt.Printf("  start to LIVE: p50 %s  worst %s  of %d\n", value(quantile(took, 0.5)).ms(), value(quantile(took, 1)).ms(), starts)
	fmt.Printf("  memory, idle: RSS %.1f MB  PSS %.1f MB  (goal: RSS under 15 MB)\n", pace.Median(rss), pace.Median(pss))
	for _, c := range w.lineup {
		if c.name == "slipway" {
			for i, p := range c.processes {
				r, _ := rig.Memory(p.Process.Pid)
				fmt.Printf("  memory after the load of before, proxy %d: RSS %.1f MB\n", i+1, mega(r))
			}
		}
	}
	program, err := os.Stat(w.proxy)
	if err != nil {
		return err
	}
	fmt.Printf("  image, not compressed: %.1f MB  (goal: under 20 MB)\n", mega(int(program.Size())))
	return nil
}

func mega(bytes int) float64 { return float64(bytes) / 1e6 }
