package collect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/dataplane/proxy"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/service/ecs"
	"github.com/slipway-dev/slipway/service/elbv2"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

var _ Tasks = (*agent.Agent)(nil)

var scope = arn.Scope{Account: "123456789012", Region: "us-east-1"}

// platform is one service of two tasks behind a load balancer; it answers
// what its counters stand at.
type platform struct {
	stats  map[string]runtime.Stats // by task ARN
	owners map[string]proxy.Stats
	groups map[string]proxy.Stats
}

func (p *platform) Stats(_ context.Context, task, _ string) (runtime.Stats, error) {
	s, ok := p.stats[task]
	if !ok {
		return s, errors.New("not running")
	}
	return s, nil
}
func (p *platform) Owners() map[string]proxy.Stats { return p.owners }
func (p *platform) Groups() map[string]proxy.Stats { return p.groups }

const (
	lbARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/1"
	tgARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/2"
)

func taskARN(i int) string { return scope.ARN("ecs", fmt.Sprintf("task/c/%032d", i)) }

func rows(t testing.TB, tasks int) *store.Store {
	t.Helper()
	var tables []store.Schema
	tables = append(append(append(tables, agent.Tables()...), ecs.Tables()...), elbv2.Tables()...)
	db, err := store.Open(store.Config{}, tables...)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *store.Tx) error {
		ecs.Clusters.Put(tx, ecs.Cluster{Scope: scope, Name: "c", Status: "ACTIVE", Settings: []ecsapi.ClusterSetting{{Name: "containerInsights", Value: new("enabled")}}})
		ecs.Services.Put(tx, ecs.ServiceRow{Scope: scope, Cluster: "c", Name: "web", Status: "ACTIVE", DesiredCount: tasks, Deployments: make([]ecs.Deployment, 1)})
		for i := range tasks {
			agent.Tasks.Put(tx, agent.Task{
				ARN: taskARN(i), Scope: scope, ClusterName: "c", ServiceName: "web", Family: "web", CPU: 256, MemoryMiB: 512,
			})
			agent.Statuses.Put(tx, agent.Status{ARN: taskARN(i), LastStatus: agent.Running, Containers: []agent.ContainerStatus{{Name: "app", RuntimeID: fmt.Sprint(i)}}})
		}
		elbv2.LoadBalancers.Put(tx, elbv2.LoadBalancer{Scope: scope, ARN: lbARN, Name: "web"})
		elbv2.Listeners.Put(tx, elbv2.Listener{ARN: "l", LoadBalancerARN: lbARN})
		elbv2.Rules.Put(tx, elbv2.Rule{ARN: "r", ListenerARN: "l", Actions: []elbv2api.Action{{Type: "forward", TargetGroupArn: new(tgARN)}}})
		elbv2.TargetGroups.Put(tx, elbv2.TargetGroup{Scope: scope, ARN: tgARN, Name: "web"})
		for i, state := range []string{elbv2.Healthy, elbv2.Healthy, elbv2.Unhealthy} {
			elbv2.Targets.Put(tx, elbv2.Target{Scope: scope, GroupARN: tgARN, ID: fmt.Sprint("10.0.0.", i), Port: 80, State: state})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// latencies makes a histogram of n answers in the bucket of 1 ms or so.
func latencies(n int64) (h proxy.Histogram) {
	h.Counts[63] = n // 960 to 1024 us
	h.Sum = time.Duration(n) * time.Millisecond
	return h
}

func TestWhatIsMeasured(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	db := rows(t, 2)
	m, err := metrics.Open(metrics.Config{Path: filepath.Join(t.TempDir(), "m")})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	reading := func(after time.Duration, cpu time.Duration, rx int64) runtime.Stats {
		return runtime.Stats{Read: start.Add(after), CPU: cpu, Memory: 200 << 20, MemoryCache: 72 << 20, Networks: map[string]runtime.NetworkStats{"eth0": {RxBytes: rx}}}
	}
	p := &platform{
		stats:  map[string]runtime.Stats{taskARN(0): reading(0, time.Second, 0), taskARN(1): reading(0, time.Second, 0)},
		owners: map[string]proxy.Stats{lbARN: {Requests: 50}}, groups: map[string]proxy.Stats{tgARN: {Requests: 50}},
	}
	c := New(Config{Store: db, Metrics: m, Tasks: p, Balancers: p})
	if err := c.Pass(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	// In 20 s one task burns 5 s of a quarter of a processor: all that it has;
	// the other has been restarted and burned half of that.
	p.stats = map[string]runtime.Stats{taskARN(0): reading(20*time.Second, 6*time.Second, 2000), taskARN(1): reading(20*time.Second, 500*time.Millisecond, 0)}
	st := proxy.Stats{Requests: 150, Target: [6]int64{2: 97, 5: 3}, Own: [6]int64{5: 1}, Own502: 1, Latency: latencies(100), ActiveConns: 7}
	p.owners, p.groups = map[string]proxy.Stats{lbARN: st}, map[string]proxy.Stats{tgARN: st}
	if err := c.Pass(t.Context(), start.Add(20*time.Second)); err != nil {
		t.Fatal(err)
	}
	read := func(namespace, name string, dims ...string) metrics.Stat {
		t.Helper()
		metric := metrics.Metric{Scope: "123456789012/us-east-1", Namespace: namespace, Name: name}
		for i := 0; i < len(dims); i += 2 {
			metric.Dims = append(metric.Dims, metrics.Dim{Name: dims[i], Value: dims[i+1]})
		}
		ps, err := m.Query(metrics.Query{Metric: metric, Start: start, End: start.Add(time.Minute), Period: time.Minute})
		if err != nil || len(ps) != 1 {
			t.Fatalf("%s %v: %+v %v", name, dims, ps, err)
		}
		return ps[0].Stat
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.01*math.Abs(want) {
			t.Errorf("%s is %g, want %g", what, got, want)
		}
	}
	service := []string{"ClusterName", "c", "ServiceName", "web"}
	cpu := read("AWS/ECS", "CPUUtilization", service...)
	near("highest CPU", cpu.Max, 100)
	near("lowest CPU", cpu.Min, 10)
	near("memory", read("AWS/ECS", "MemoryUtilization", service...).Max, 25)
	for _, dims := range [][]string{service, {"ClusterName", "c"}, {"ClusterName", "c", "TaskDefinitionFamily", "web"}} {
		near("CPU units", read("ECS/ContainerInsights", "CpuUtilized", dims...).Max, 256)
		near("CPU reserved", read("ECS/ContainerInsights", "CpuReserved", dims...).Max, 256)
		near("memory", read("ECS/ContainerInsights", "MemoryUtilized", dims...).Max, 128)
		near("received", read("ECS/ContainerInsights", "NetworkRxBytes", dims...).Max, 100)
	}
	near("running", read("ECS/ContainerInsights", "RunningTaskCount", service...).Max, 2)
	near("desired", read("ECS/ContainerInsights", "DesiredTaskCount", service...).Max, 2)
	near("deployments", read("ECS/ContainerInsights", "DeploymentCount", service...).Max, 1)
	near("tasks of the cluster", read("ECS/ContainerInsights", "TaskCount", "ClusterName", "c").Max, 2)

	lb, tg := []string{"LoadBalancer", "app/web/1"}, []string{"TargetGroup", "targetgroup/web/2"}
	both := append(append([]string{}, lb...), tg...)
	near("requests", read(elbSpace, "RequestCount", lb...).Sum, 100)
	near("2XX", read(elbSpace, "HTTPCode_Target_2XX_Count", both...).Sum, 97)
	near("5XX", read(elbSpace, "HTTPCode_Target_5XX_Count", lb...).Sum, 3)
	near("own 5XX", read(elbSpace, "HTTPCode_ELB_5XX_Count", lb...).Sum, 1)
	near("own 502", read(elbSpace, "HTTPCode_ELB_502_Count", lb...).Sum, 1)
	near("connections", read(elbSpace, "ActiveConnectionCount", lb...).Sum, 7)
	near("healthy", read(elbSpace, "HealthyHostCount", both...).Min, 2)
	near("unhealthy", read(elbSpace, "UnHealthyHostCount", both...).Max, 1)
	near("per target", read(elbSpace, "RequestCountPerTarget", tg...).Sum, 50)
	latency := read(elbSpace, "TargetResponseTime", both...)
	near("answers timed", latency.Count, 100)
	near("average latency", latency.Average(), 0.001)
	if p99, ok := latency.Percentile(99); !ok || math.Abs(p99-0.001) > 0.00009 {
		t.Errorf("p99 %g %v", p99, ok)
	}
}

// The buckets are those of the proxy: each duration lies where the proxy's
// own quantile says, to within the width of a bucket.
func TestBucketsAreTheProxys(t *testing.T) {
	for i := range len(proxy.Histogram{}.Counts) {
		var h proxy.Histogram
		h.Counts[i] = 1
		upper := h.Quantile(1)
		if mid := bucketMiddle(i); mid >= upper || float64(upper) > 1.13*float64(mid) && i >= 8 {
			t.Fatalf("bucket %d ends at %s, its middle is %s", i, upper, mid)
		}
	}
}

// A pass happens every 20 s, every second at speed 60, and ends with ctx.
func TestRun(t *testing.T) {
	for speed, want := range map[float64]float64{1: 3, 60: 60} {
		synctest.Test(t, func(t *testing.T) {
			m, err := metrics.Open(metrics.Config{Path: filepath.Join(t.TempDir(), "m")})
			if err != nil {
				t.Fatal(err)
			}
			p := &platform{owners: map[string]proxy.Stats{lbARN: {}}}
			c := New(Config{Store: rows(t, 0), Metrics: m, Tasks: p, Balancers: p, Speed: speed})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- c.Run(ctx) }()
			begin := time.Now()
			time.Sleep(time.Minute + time.Second/2)
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			ps, err := m.Query(metrics.Query{
				Metric: metrics.Metric{Scope: "123456789012/us-east-1", Namespace: elbSpace, Name: "RequestCount", Dims: []metrics.Dim{balancerDim(lbARN)}},
				Start:  begin, End: time.Now(), Period: time.Hour,
			})
			if err != nil || len(ps) != 1 || ps[0].Stat.Count != want {
				t.Errorf("speed %g: %+v %v", speed, ps, err)
			}
			m.Close()
		})
	}
}

// What a pass over six tasks costs, besides what reading a cgroup costs.
func BenchmarkPass(b *testing.B) {
	m, err := metrics.Open(metrics.Config{Path: filepath.Join(b.TempDir(), "m")})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	p := &platform{stats: map[string]runtime.Stats{}, owners: map[string]proxy.Stats{lbARN: {}}, groups: map[string]proxy.Stats{tgARN: {}}}
	c := New(Config{Store: rows(b, 6), Metrics: m, Tasks: p, Balancers: p})
	now, n := time.Now(), 0
	for b.Loop() {
		n++
		now = now.Add(20 * time.Second)
		for i := range 6 {
			p.stats[taskARN(i)] = runtime.Stats{Read: now, CPU: time.Duration(n) * time.Second, Memory: 100 << 20}
		}
		if err := c.Pass(b.Context(), now); err != nil {
			b.Fatal(err)
		}
	}
}
