package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/slipway-dev/slipway/bench/internal/pace"
	"github.com/slipway-dev/slipway/tests/rig"
)

// What the manifest says of the mesh, and without it.
const meshOn, meshOff = "mesh: {enabled: true}", "mesh: {enabled: false}"

// meshRate is how many requests a second go through the load balancer.
const meshRate = 500

// meshed is what was measured with the mesh, or without.
type meshed struct {
	text     string // in the manifest
	up       []time.Duration
	p50, p99 []float64
	failed   int
	rss, pss []float64 // of all sidecars together, in MB
	sidecars int
}

// mesh measures what the mesh adds to the platform, with and without it in
// turn: to its start, to its memory, to requests through the load balancer,
// which pass one sidecar on their way.
func (b *bench) mesh(ctx context.Context) error {
	if _, err := b.Run(ctx, b.UpArgs()...); err != nil { // builds the images
		return err
	}
	without, with := &meshed{text: meshOff}, &meshed{text: meshOn}
	now := with
	for range max(b.times(3), 1) {
		for _, m := range []*meshed{without, with} { // leaves the manifest as it was
			if err := b.Manifest(now.text, m.text); err != nil {
				return err
			}
			now = m
			if err := b.meshRound(ctx, m); err != nil {
				return err
			}
		}
	}
	line("engine stopped, no stack: to six healthy, three answers", spread(with.up), "")
	line("the same without the mesh", spread(without.up), "")
	line(fmt.Sprintf("%d sidecars together", with.sidecars), fmt.Sprintf("RSS %.1f MB  PSS %.1f MB", pace.Median(with.rss), pace.Median(with.pss)), "RSS under 15 MB each")
	for _, m := range []struct {
		what string
		*meshed
	}{{"with the mesh", with}, {"without", without}} {
		line(fmt.Sprintf("/order/health at %d/s %s", meshRate, m.what), fmt.Sprintf("p50 %.2f ms  p99 %.2f ms  errors %d", pace.Median(m.p50), pace.Median(m.p99), m.failed), "")
	}
	return nil
}

// meshRound starts the platform once, from nothing but images, and asks it.
func (b *bench) meshRound(ctx context.Context, m *meshed) error {
	for _, args := range [][]string{{"down"}, {"engine", "stop"}} {
		if _, err := b.Run(ctx, args...); err != nil {
			return err
		}
	}
	began := time.Now()
	if _, err := b.Run(ctx, b.UpArgs()...); err != nil {
		return err
	}
	if err := b.whole(ctx); err != nil {
		return err
	}
	m.up = append(m.up, time.Since(began))
	to, err := url.Parse(b.url("order"))
	if err != nil {
		return err
	}
	load := pace.Load{Addr: b.Balancer(), Host: to.Host, Path: to.Path, Conns: 32, Rate: meshRate}
	if _, err := load.Run(ctx, 2*time.Second); err != nil { // the platform comes to rest, connections are made
		return err
	}
	r, err := load.Run(ctx, time.Duration(b.times(5))*time.Second)
	if err != nil {
		return err
	}
	m.p50, m.p99 = append(m.p50, millis(pace.Quantile(r.Took, 0.5))), append(m.p99, millis(pace.Quantile(r.Took, 0.99)))
	m.failed += r.Failed
	st, err := b.Status()
	if err != nil {
		return err
	}
	rss, pss := 0, 0
	m.sidecars = 0
	for _, p := range rig.Descendants(st.InitPid) {
		if p.Parent == st.InitPid && p.Env("APPMESH_RESOURCE_ARN") != "" {
			r, s := rig.Memory(p.Pid)
			rss, pss, m.sidecars = rss+r, pss+s, m.sidecars+1
		}
	}
	m.rss, m.pss = append(m.rss, float64(rss)/1e6), append(m.pss, float64(pss)/1e6)
	return nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
