package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/stsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// api measures signed requests a second over a few connections: client, which
// signs, and engine share the processors.
func (b *bench) api(ctx context.Context) error {
	c, err := b.Client()
	if err != nil {
		return err
	}
	const conns = 8
	for _, op := range []struct {
		name string
		call func(context.Context) error
	}{
		{"sts GetCallerIdentity", func(ctx context.Context) error {
			_, err := awsapi.Call[stsapi.GetCallerIdentityInput, stsapi.GetCallerIdentityOutput](ctx, c, "sts", "GetCallerIdentity", &stsapi.GetCallerIdentityInput{})
			return err
		}},
		{"ecs DescribeServices, three of them", func(ctx context.Context) error {
			_, err := awsapi.Call[ecsapi.DescribeServicesInput, ecsapi.DescribeServicesOutput](ctx, c, "ecs", "DescribeServices", &ecsapi.DescribeServicesInput{
				Cluster: new(cluster), Services: []string{"payment-service-dev", "order-service-dev", "notification-service-dev"},
			})
			return err
		}},
		{"ecs TagResource, durable", func(ctx context.Context) error {
			_, err := awsapi.Call[ecsapi.TagResourceInput, ecsapi.TagResourceOutput](ctx, c, "ecs", "TagResource", &ecsapi.TagResourceInput{
				ResourceArn: new("arn:aws:ecs:us-east-1:000000000000:cluster/" + cluster), Tags: []ecsapi.Tag{{Key: new("bench"), Value: new(time.Now().String())}},
			})
			return err
		}},
	} {
		rate, err := throughput(ctx, conns, time.Duration(b.times(5))*time.Second, op.call)
		if err != nil {
			return fmt.Errorf("%s: %w", op.name, err)
		}
		line(op.name, fmt.Sprintf("%.0f requests/s over %d connections", rate, conns), "")
	}
	return nil
}

// throughput calls as often as it can for a while.
func throughput(ctx context.Context, conns int, long time.Duration, call func(context.Context) error) (perSecond float64, err error) {
	var n atomic.Int64
	var failed atomic.Pointer[error]
	began := time.Now()
	var wg sync.WaitGroup
	for range conns {
		wg.Go(func() {
			for time.Since(began) < long && failed.Load() == nil {
				if err := call(ctx); err != nil {
					failed.Store(&err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(n.Load()) / time.Since(began).Seconds(), nil
}
