package collect

import (
	"strings"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/elbv2"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

const elbSpace = "AWS/ApplicationELB"

// balancerMetrics measures load balancers (Application Load Balancers guide,
// "CloudWatch metrics"). Counts that are zero are left out, as AWS does, but
// for RequestCount.
func (b *batch) balancerMetrics(snap *store.Snapshot, before, after map[string]proxy.Stats) {
	for lb := range elbv2.LoadBalancers.List(snap, "") {
		now, ok := after[lb.ARN]
		if !ok {
			continue
		}
		old := before[lb.ARN]
		g := group{scopeName(lb.Scope), elbSpace, []metrics.Dim{balancerDim(lb.ARN)}}
		b.traffic(g, old, now)
		b.value(g, "RequestCount", count, float64(grown(old.Requests, now.Requests)))
		for name, n := range map[string]int64{
			"HTTPCode_ELB_3XX_Count": grown(old.Own[3], now.Own[3]), "HTTPCode_ELB_4XX_Count": grown(old.Own[4], now.Own[4]),
			"HTTPCode_ELB_5XX_Count": grown(old.Own[5], now.Own[5]), "HTTPCode_ELB_500_Count": grown(old.Own500, now.Own500),
			"HTTPCode_ELB_502_Count": grown(old.Own502, now.Own502), "HTTPCode_ELB_503_Count": grown(old.Own503, now.Own503),
			"HTTPCode_ELB_504_Count": grown(old.Own504, now.Own504), "NewConnectionCount": grown(old.NewConns, now.NewConns),
			"ActiveConnectionCount": now.ActiveConns, "RejectedConnectionCount": grown(old.RejectedConns, now.RejectedConns),
			"ClientTLSNegotiationErrorCount": grown(old.TLSErrors, now.TLSErrors), "HTTP_Redirect_Count": grown(old.Redirects, now.Redirects),
			"HTTP_Fixed_Response_Count": grown(old.Fixed, now.Fixed),
		} {
			b.nonzero(g, name, count, n)
		}
		b.nonzero(g, "ProcessedBytes", bytes, grown(old.BytesReceived, now.BytesReceived)+grown(old.BytesSent, now.BytesSent))
	}
}

// groupMetrics measures target groups.
func (b *batch) groupMetrics(snap *store.Snapshot, before, after map[string]proxy.Stats) {
	for tg := range elbv2.TargetGroups.List(snap, "") {
		lb := balancerOf(snap, tg.ARN)
		if lb == "" {
			continue // nothing reaches it
		}
		group1 := group{scopeName(tg.Scope), elbSpace, []metrics.Dim{{Name: "TargetGroup", Value: resource(tg.ARN)}}}
		g := group{group1.scope, elbSpace, append(group1.dims[:1:1], balancerDim(lb))}
		healthy, unhealthy := hosts(snap, tg.ARN)
		b.value(g, "HealthyHostCount", count, float64(healthy))
		b.value(g, "UnHealthyHostCount", count, float64(unhealthy))
		now, ok := after[tg.ARN]
		if !ok || healthy+unhealthy == 0 {
			continue
		}
		old := before[tg.ARN]
		b.traffic(g, old, now)
		requests := float64(grown(old.Requests, now.Requests))
		b.value(g, "RequestCount", count, requests)
		// It is the average over the targets that Sum gives of this metric.
		for _, g := range []group{group1, g} {
			b.value(g, "RequestCountPerTarget", count, requests/float64(max(healthy, 1)))
		}
	}
}

// traffic is what load balancers and target groups measure both.
func (b *batch) traffic(g group, old, now proxy.Stats) {
	for i, name := range []string{"2XX", "3XX", "4XX", "5XX"} {
		b.nonzero(g, "HTTPCode_Target_"+name+"_Count", count, grown(old.Target[i+2], now.Target[i+2]))
	}
	b.nonzero(g, "TargetConnectionErrorCount", count, grown(old.ConnErrors, now.ConnErrors))
	b.add(g, "TargetResponseTime", seconds, latency(old.Latency, now.Latency))
}

func (b *batch) nonzero(g group, name, unit string, n int64) {
	if n > 0 {
		b.value(g, name, unit, float64(n))
	}
}

// latency is the distribution of the response times between two readings, to
// within the buckets of the proxy: eight for each doubling of microseconds.
func latency(before, after proxy.Histogram) (st metrics.Stat) {
	if after.Count() < before.Count() {
		before = proxy.Histogram{}
	}
	diff := after.Sub(before)
	for i, n := range diff.Counts {
		if n > 0 {
			st.Add(metrics.Values(bucketMiddle(i).Seconds(), float64(n)))
		}
	}
	if st.Count > 0 {
		st.Sum = diff.Sum.Seconds()
	}
	return st
}

// bucketMiddle is the middle of a bucket of proxy.Histogram.
func bucketMiddle(i int) time.Duration {
	if i < 8 {
		return time.Duration(2*i+1) * time.Microsecond / 2
	}
	width := time.Microsecond << (i/8 - 1)
	return time.Duration(i%8+8)*width + width/2
}

// hosts counts the targets of a group by health, as HealthyHostCount does.
func hosts(r store.Reader, groupARN string) (healthy, unhealthy int) {
	for t := range elbv2.Targets.By(r, "group", groupARN) {
		switch t.State {
		case elbv2.Healthy:
			healthy++
		case elbv2.Unhealthy:
			unhealthy++
		}
	}
	return healthy, unhealthy
}

// balancerOf is the load balancer that forwards to a group, by its rules.
func balancerOf(r store.Reader, groupARN string) string {
	for rule := range elbv2.Rules.By(r, "group", groupARN) {
		if l, err := elbv2.Listeners.Get(r, rule.ListenerARN); err == nil {
			return l.LoadBalancerARN
		}
	}
	return ""
}

// balancerDim is "app/name/id".
func balancerDim(balancerARN string) metrics.Dim {
	return metrics.Dim{Name: "LoadBalancer", Value: strings.TrimPrefix(resource(balancerARN), "loadbalancer/")}
}

func resource(s string) string {
	a, err := arn.Parse(s)
	if err != nil {
		return s
	}
	return a.Resource
}
