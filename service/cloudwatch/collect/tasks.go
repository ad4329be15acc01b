package collect

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/service/ecs"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// usage is what a task's containers have used together.
type usage struct {
	task   agent.Task
	read   time.Time
	cpu    map[string]time.Duration // by container: one that starts anew begins at 0
	memory int64                    // bytes that could not be dropped at once
	rx, tx int64
}

// readTasks reads every running task.
func (c *Collector) readTasks(ctx context.Context, snap *store.Snapshot) map[string]usage {
	out := map[string]usage{}
	for t := range agent.Tasks.List(snap, "") {
		st, err := agent.Statuses.Get(snap, t.ARN)
		if err != nil || st.LastStatus != agent.Running {
			continue
		}
		u := usage{task: t, cpu: map[string]time.Duration{}}
		for _, container := range st.Containers {
			s, err := c.Tasks.Stats(ctx, t.ARN, container.Name)
			if err != nil {
				continue // it has ended
			}
			u.add(container.RuntimeID, s)
		}
		if len(u.cpu) > 0 {
			out[t.ARN] = u
		}
	}
	return out
}

func (u *usage) add(id string, s runtime.Stats) {
	u.cpu[id] = s.CPU
	u.memory += max(s.Memory-s.MemoryCache, 0)
	if s.Read.After(u.read) {
		u.read = s.Read
	}
	var rx, tx int64
	for _, n := range s.Networks {
		rx, tx = rx+n.RxBytes, tx+n.TxBytes
	}
	// The containers of a task share its network: each reads the same.
	u.rx, u.tx = max(u.rx, rx), max(u.tx, tx)
}

// rates are what a task used between two readings.
type rates struct {
	cpu      float64 // CPU units: 1024 for a processor that was busy all the time
	rx, tx   float64 // bytes a second
	memory   float64 // MiB
	hasRates bool    // there was a reading before
}

func between(before, after usage) rates {
	r := rates{memory: float64(after.memory) / (1 << 20)}
	span := after.read.Sub(before.read).Seconds()
	if before.read.IsZero() || span <= 0 {
		return r
	}
	var used time.Duration
	for id, now := range after.cpu {
		used += grown(before.cpu[id], now)
	}
	r.hasRates = true
	r.cpu = used.Seconds() / span * 1024
	r.rx, r.tx = float64(grown(before.rx, after.rx))/span, float64(grown(before.tx, after.tx))/span
	return r
}

// grown is the growth of a counter that may have begun anew.
func grown[T ~int64](before, after T) T {
	if after < before {
		return after
	}
	return after - before
}

// Units of CloudWatch.
const (
	percent   = "Percent"
	none      = "None"
	count     = "Count"
	megabytes = "Megabytes"
	perSecond = "Bytes/Second"
	bytes     = "Bytes"
	seconds   = "Seconds"

	milliseconds = "Milliseconds"
)

const (
	ecsSpace     = "AWS/ECS"
	insightSpace = "ECS/ContainerInsights"
)

// taskMetrics measures each task for its service, and where Container
// Insights is on for its cluster, service and family (ECS developer guide,
// "CloudWatch metrics"; Container Insights metrics reference).
func (b *batch) taskMetrics(snap *store.Snapshot, before, after map[string]usage) {
	totals := map[string]*total{}
	var order []string
	for key, u := range after {
		t, r := u.task, between(before[key], u)
		for _, g := range taskGroups(snap, t) {
			id := g.scope + "\x00" + g.namespace
			for _, d := range g.dims {
				id += "\x00" + d.Name + "\x00" + d.Value
			}
			if totals[id] == nil {
				totals[id] = &total{group: g}
				order = append(order, id)
			}
			totals[id].add(t, r)
		}
	}
	for _, id := range order {
		b.samples = append(b.samples, totals[id].samples(b)...)
	}
}

// taskGroups are the groups that a task counts for.
func taskGroups(snap *store.Snapshot, t agent.Task) (out []group) {
	scope, cluster := scopeName(t.Scope), metrics.Dim{Name: "ClusterName", Value: t.ClusterName}
	service := []metrics.Dim{cluster, {Name: "ServiceName", Value: t.ServiceName}}
	if t.ServiceName != "" {
		out = append(out, group{scope, ecsSpace, service})
	}
	if !insights(snap, t.Scope, t.ClusterName) {
		return out
	}
	out = append(out, group{scope, insightSpace, []metrics.Dim{cluster}},
		group{scope, insightSpace, []metrics.Dim{cluster, {Name: "TaskDefinitionFamily", Value: t.Family}}})
	if t.ServiceName != "" {
		out = append(out, group{scope, insightSpace, service})
	}
	return out
}

// insights reports whether Container Insights is on for a cluster.
func insights(r store.Reader, scope arn.Scope, cluster string) bool {
	c, err := ecs.Clusters.Get(r, scope.Key(cluster))
	if err != nil {
		return false
	}
	for _, s := range c.Settings {
		if s.Name == "containerInsights" && s.Value != nil {
			return *s.Value == "enabled" || *s.Value == "enhanced"
		}
	}
	return false
}

func scopeName(s arn.Scope) string { return s.Account + "/" + s.Region }

// total gathers the tasks of one group, each a sample.
type total struct {
	group
	cpu, memory, cpuShare, memoryShare, cpuReserved, memoryReserved, rx, tx metrics.Stat
}

func (t *total) add(task agent.Task, r rates) {
	one := func(v float64) metrics.Stat { return metrics.Values(v, 1) }
	t.memory.Add(one(r.memory))
	if task.MemoryMiB > 0 {
		t.memoryReserved.Add(one(float64(task.MemoryMiB)))
		t.memoryShare.Add(one(r.memory / float64(task.MemoryMiB) * 100))
	}
	if task.CPU > 0 {
		t.cpuReserved.Add(one(float64(task.CPU)))
	}
	if !r.hasRates {
		return
	}
	t.cpu.Add(one(r.cpu))
	t.rx.Add(one(r.rx))
	t.tx.Add(one(r.tx))
	if task.CPU > 0 {
		t.cpuShare.Add(one(r.cpu / float64(task.CPU) * 100))
	}
}

func (t *total) samples(b *batch) []metrics.Sample {
	out := &batch{at: b.at, fine: b.fine}
	if t.namespace == ecsSpace {
		out.add(t.group, "CPUUtilization", percent, t.cpuShare)
		out.add(t.group, "MemoryUtilization", percent, t.memoryShare)
		return out.samples
	}
	out.add(t.group, "CpuUtilized", none, t.cpu)
	out.add(t.group, "CpuReserved", none, t.cpuReserved)
	out.add(t.group, "MemoryUtilized", megabytes, t.memory)
	out.add(t.group, "MemoryReserved", megabytes, t.memoryReserved)
	out.add(t.group, "NetworkRxBytes", perSecond, t.rx)
	out.add(t.group, "NetworkTxBytes", perSecond, t.tx)
	return out.samples
}
