package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/manifest"
)

const (
	// measuredEvery is the period of the metrics: CloudWatch keeps no shorter
	// one of AWS's own.
	measuredEvery = time.Minute
	// measuredWithin is how old the newest value may be.
	measuredWithin = 5 * time.Minute
	// queriesMax is the most queries of one GetMetricData. Source: CloudWatch
	// API reference.
	queriesMax = 500
)

// reading is one query and what becomes of its value.
type reading struct {
	query cloudwatchapi.MetricDataQuery
	rate  bool // a sum, of which the value a second is wanted
	take  func(float64)
}

// usage reads what services use and serve.
func (p *platform) usage(ctx context.Context, chosen []manifest.Service, now time.Time) ([]usageReport, error) {
	services, err := p.describeServices(ctx, chosen)
	if err != nil {
		return nil, err
	}
	balancers, err := p.balancersOf(ctx, services)
	if err != nil {
		return nil, err
	}
	out := []usageReport{}
	for _, s := range chosen {
		if svc, ok := services[s.Name]; ok {
			out = append(out, usageReport{Service: s.Name, Running: int(val(svc.RunningCount)), Desired: int(val(svc.DesiredCount))})
		}
	}
	var all []reading
	for i := range out {
		all = append(all, p.readings(&out[i], services[out[i].Service], balancers)...)
	}
	return out, p.measure(ctx, all, now)
}

// readings are the queries for one service.
func (p *platform) readings(u *usageReport, svc ecsapi.Service, balancers map[string]string) []reading {
	of := []string{"ClusterName", p.names.Cluster(), "ServiceName", val(svc.ServiceName)}
	out := []reading{
		newReading("AWS/ECS", "CPUUtilization", "Average", &u.CPU, of...), newReading("AWS/ECS", "CPUUtilization", "Maximum", &u.CPUMax, of...),
		newReading("AWS/ECS", "MemoryUtilization", "Average", &u.Memory, of...), newReading("AWS/ECS", "MemoryUtilization", "Maximum", &u.MemoryMax, of...),
	}
	memory := newReading("ECS/ContainerInsights", "MemoryUtilized", "Average", nil, of...)
	running := float64(u.Running)
	memory.take = func(v float64) { u.MemoryMiB = new(v * running) }
	out = append(out, memory)
	for _, group := range groups(svc) {
		balancer := balancers[group]
		if balancer == "" {
			continue
		}
		of := []string{"TargetGroup", group[strings.LastIndexByte(group, ':')+1:], "LoadBalancer", balancer}
		const space = "AWS/ApplicationELB"
		requests, failed := newReading(space, "RequestCount", "Sum", &u.Requests, of...), newReading(space, "HTTPCode_Target_5XX_Count", "Sum", &u.ServerError, of...)
		requests.rate, failed.rate = true, true
		latency := newReading(space, "TargetResponseTime", "p99", nil, of...)
		latency.take = func(v float64) { u.LatencyP99 = new(max(v, val(u.LatencyP99))) } // of the slowest group
		out = append(out, requests, failed, latency)
	}
	return out
}

// newReading queries a statistic and adds its value to into.
func newReading(namespace, name, statistic string, into **float64, dims ...string) reading {
	m := &cloudwatchapi.Metric{Namespace: &namespace, MetricName: &name}
	for i := 0; i < len(dims); i += 2 {
		m.Dimensions = append(m.Dimensions, cloudwatchapi.Dimension{Name: &dims[i], Value: &dims[i+1]})
	}
	return reading{
		query: cloudwatchapi.MetricDataQuery{MetricStat: &cloudwatchapi.MetricStat{Metric: m, Period: new(int32(measuredEvery / time.Second)), Stat: &statistic}},
		take:  func(v float64) { *into = new(v + val(*into)) },
	}
}

// measure asks CloudWatch and hands out the values.
func (p *platform) measure(ctx context.Context, all []reading, now time.Time) error {
	for batch := range slices.Chunk(all, queriesMax) {
		in := &cloudwatchapi.GetMetricDataInput{StartTime: new(now.Add(-measuredWithin).Truncate(measuredEvery)), EndTime: &now, ScanBy: "TimestampDescending"}
		of := map[string]reading{}
		for i, r := range batch {
			id := fmt.Sprintf("m%d", i)
			r.query.Id = &id
			of[id] = r
			in.MetricDataQueries = append(in.MetricDataQueries, r.query)
		}
		for {
			out, err := call[cloudwatchapi.GetMetricDataInput, cloudwatchapi.GetMetricDataOutput](ctx, p.client, "cloudwatch", "GetMetricData", in)
			if err != nil {
				return err
			}
			for _, got := range out.MetricDataResults {
				if r, ok := of[val(got.Id)]; ok {
					if v, ok := newest(got, r.rate, now); ok {
						delete(of, val(got.Id)) // a later page has older values
						r.take(v)
					}
				}
			}
			if out.NextToken == nil {
				break
			}
			in.NextToken = out.NextToken
		}
	}
	return nil
}

// newest is the value of the newest period. A sum is of a whole minute where
// there is one, and else of as much of it as has passed.
func newest(got cloudwatchapi.MetricDataResult, rate bool, now time.Time) (float64, bool) {
	if len(got.Values) == 0 || len(got.Timestamps) != len(got.Values) {
		return 0, false
	}
	if !rate {
		return got.Values[0], true
	}
	for i, at := range got.Timestamps[:min(2, len(got.Timestamps))] {
		if now.Sub(at) >= measuredEvery {
			if now.Sub(at) >= 2*measuredEvery+measuredEvery/2 {
				return 0, true // nothing has come since
			}
			return got.Values[i] / measuredEvery.Seconds(), true
		}
	}
	return got.Values[0] / max(now.Sub(got.Timestamps[0]).Seconds(), 1), true
}

// balancersOf finds the load balancers that send requests to the target
// groups of services, as CloudWatch names them: app/<name>/<id>.
func (p *platform) balancersOf(ctx context.Context, services map[string]ecsapi.Service) (map[string]string, error) {
	var arns []string
	for _, s := range services {
		arns = append(arns, groups(s)...)
	}
	out := map[string]string{}
	slices.Sort(arns)
	for batch := range slices.Chunk(slices.Compact(arns), 20) {
		got, err := call[elbv2api.DescribeTargetGroupsInput, elbv2api.DescribeTargetGroupsOutput](ctx, p.client, "elbv2", "DescribeTargetGroups",
			&elbv2api.DescribeTargetGroupsInput{TargetGroupArns: batch})
		if err != nil {
			return nil, err
		}
		for _, g := range got.TargetGroups {
			for _, lb := range g.LoadBalancerArns {
				_, name, _ := strings.Cut(lb, ":loadbalancer/")
				out[val(g.TargetGroupArn)] = name
			}
		}
	}
	return out, nil
}
