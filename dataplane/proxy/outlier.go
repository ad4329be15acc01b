package proxy

import (
	"context"
	"time"
)

// Defaults of an Outlier, which are Envoy's, and its bound on how long a
// target is away.
const (
	defaultErrors   = 5
	defaultInterval = 10 * time.Second
	defaultEjection = 30 * time.Second
	maxEjection     = 300 * time.Second
)

// answered books a response of the target.
func (t *target) answered(status int) {
	switch {
	case status >= 500:
		t.errors.Add(1)
		t.failed()
	case t.fails.Load() != 0:
		t.fails.Store(0)
	}
}

// failed books an answer of 500 or above, or a connection that failed, and
// ejects the target when that were too many in a row.
func (t *target) failed() {
	o := t.group.roster.Load().cfg.Outlier
	if o == nil {
		return
	}
	errors := int64(o.Errors)
	if errors <= 0 {
		errors = defaultErrors
	}
	if t.fails.Add(1) >= errors {
		t.group.eject(t, o)
	}
}

// eject takes a target out unless too many are out already. At least one may
// go, whatever the share, and at least one stays (App Mesh API reference,
// OutlierDetection).
func (g *group) eject(t *target, o *Outlier) {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := g.roster.Load().usable
	out, known := 0, false
	for _, m := range all {
		known = known || m.target == t
		if m.ejected.Load() {
			out++
		}
	}
	share := 100 * (out + 1)
	if !known || t.ejected.Load() || out+1 >= len(all) || out > 0 && share > o.MaxPercent*len(all) {
		return
	}
	base := o.Ejection
	if base <= 0 {
		base = defaultEjection
	}
	t.times++
	t.back = nanos() + int64(min(base*time.Duration(t.times), max(base, maxEjection)))
	t.fails.Store(0)
	t.ejected.Store(true)
	g.meter.ejections.Add(1)
}

// look lets ejected targets come back whose time is over. One that was not
// ejected for a while has its count of ejections lowered.
func (g *group) look(now int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.roster.Load().all {
		switch t := m.target; {
		case t.ejected.Load() && now >= t.back:
			t.fails.Store(0)
			t.ejected.Store(false)
		case !t.ejected.Load() && t.times > 0:
			t.times--
		}
	}
}

// watch starts or ends the looking, as the configuration says. Caller holds
// Server.mu.
func (g *group) watch(o *Outlier) {
	interval := time.Duration(0)
	if o != nil {
		interval = o.Interval
		if interval <= 0 {
			interval = defaultInterval
		}
	}
	if interval == g.interval {
		return
	}
	if g.stop != nil {
		g.stop()
		g.stop = nil
	}
	if g.interval = interval; interval == 0 {
		g.pardon()
		return
	}
	ctx, stop := context.WithCancel(g.srv.ctx)
	g.stop = stop
	g.srv.wg.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				g.look(nanos())
			}
		}
	})
}

// pardon lets every target back in.
func (g *group) pardon() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.roster.Load().all {
		m.times = 0
		m.fails.Store(0)
		m.ejected.Store(false)
	}
}
