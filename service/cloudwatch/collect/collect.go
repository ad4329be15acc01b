// Package collect measures the platform for CloudWatch: what tasks use
// (AWS/ECS, ECS/ContainerInsights), what load balancers serve
// (AWS/ApplicationELB), and who calls whom in meshes (Slipway/Mesh).
//
// A pass reads every counter once; what goes into the metric store is the
// difference of two readings, a pure function of them and of the rows. A pass
// covers the time since the one before and its measurements are stamped with
// the begin of that time, so that every period gets the same number of them.
//
// Not measured: metrics by availability zone, and cluster-wide utilisation,
// which ECS has for EC2 capacity only.
package collect

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// Tasks reads what containers use; *agent.Agent is one.
type Tasks interface {
	Stats(ctx context.Context, taskARN, container string) (runtime.Stats, error)
}

// Balancers reads what load balancers and target groups have served, by ARN;
// *proxy.Server is one.
type Balancers interface {
	Owners() map[string]proxy.Stats
	Groups() map[string]proxy.Stats
}

var _ Balancers = (*proxy.Server)(nil)

// Config of a Collector.
type Config struct {
	Store     *store.Store // with the tables of agent, ecs and elbv2
	Metrics   *metrics.Store
	Tasks     Tasks
	Balancers Balancers
	Sidecars  Sidecars     // nil: there are no meshes
	Log       *slog.Logger // default: slog.Default()
	// Every is the time between two passes at clock speed 1; default 20 s,
	// which is what ECS does. The clock's speed divides it, down to a second.
	Every time.Duration
	Speed float64 // default 1
}

// Collector measures; Run runs it.
type Collector struct {
	Config
	tasks  map[string]usage // by task ARN, as last read
	owners map[string]proxy.Stats
	groups map[string]proxy.Stats

	sidecars map[string]Sidecar // by task ARN; nil until read once
}

// New makes a collector.
func New(cfg Config) *Collector {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Every == 0 {
		cfg.Every = 20 * time.Second
	}
	if cfg.Speed <= 0 {
		cfg.Speed = 1
	}
	cfg.Every = max(time.Duration(float64(cfg.Every)/cfg.Speed).Truncate(time.Second), time.Second)
	return &Collector{Config: cfg, tasks: map[string]usage{}}
}

// Run measures until ctx ends.
func (c *Collector) Run(ctx context.Context) error {
	for {
		now := time.Now()
		next := now.Truncate(c.Every).Add(c.Every)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(next.Sub(now)):
		}
		if err := c.Pass(ctx, next); err != nil && !errors.Is(err, context.Canceled) {
			c.Log.Warn("measurements were lost", "err", err)
		}
	}
}

// Pass measures once; now is the end of the time that it covers.
func (c *Collector) Pass(ctx context.Context, now time.Time) error {
	snap := c.Store.Snapshot()
	readings := c.readTasks(ctx, snap)
	owners, groups := c.Balancers.Owners(), c.Balancers.Groups()

	b := &batch{at: now.Add(-c.Every), fine: c.Speed > 1}
	b.taskMetrics(snap, c.tasks, readings)
	b.serviceMetrics(snap)
	b.balancerMetrics(snap, c.owners, owners)
	b.groupMetrics(snap, c.groups, groups)
	c.passMeshes(ctx, b)
	c.tasks, c.owners, c.groups = readings, owners, groups
	if len(b.samples) == 0 {
		return nil
	}
	return c.Metrics.Put(now, b.samples)
}

// batch gathers the measurements of a pass.
type batch struct {
	at      time.Time
	fine    bool
	samples []metrics.Sample
}

// group names what is measured: where and in which namespace, by which
// dimensions.
type group struct {
	scope, namespace string
	dims             []metrics.Dim
}

func (b *batch) add(g group, name, unit string, st metrics.Stat) {
	if st.Count == 0 {
		return
	}
	b.samples = append(b.samples, metrics.Sample{
		Metric: metrics.Metric{Scope: g.scope, Namespace: g.namespace, Name: name, Dims: g.dims},
		Unit:   unit, Time: b.at, Fine: b.fine, Stat: st,
	})
}

func (b *batch) value(g group, name, unit string, v float64) {
	b.add(g, name, unit, metrics.Values(v, 1))
}
