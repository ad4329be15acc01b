package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

const cluster = "microservices-cluster-dev"

var services = []string{"payment", "order", "notification"}

// patience bounds the wait for any one thing.
const patience = time.Minute

// starts measures slipway up, from a stopped engine, with images built.
func (b *bench) starts(ctx context.Context) error {
	if _, err := b.Run(ctx, b.UpArgs()...); err != nil { // builds the images
		return err
	}
	var fresh, kept []time.Duration
	for range b.times(5) {
		for _, c := range []struct {
			before [][]string
			took   *[]time.Duration
		}{
			{[][]string{{"down"}, {"engine", "stop"}}, &fresh},
			{[][]string{{"engine", "stop"}}, &kept},
		} {
			for _, args := range c.before {
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
			*c.took = append(*c.took, time.Since(began))
		}
	}
	line("engine stopped, no stack: to six healthy, three answers", spread(fresh), "under 5 s")
	line("engine stopped, stack kept: the same", spread(kept), "")
	return nil
}

// whole waits for six running tasks, six healthy targets and three answers.
func (b *bench) whole(ctx context.Context) error {
	return rig.Until(ctx, patience, "six healthy tasks and three answers", func() (bool, error) {
		for _, s := range services {
			if n, err := b.healthy(ctx, s); n != 2 {
				return false, err
			}
			if !b.answers(ctx, s) {
				return false, nil
			}
		}
		return true, nil
	})
}

func (b *bench) answers(ctx context.Context, service string) bool {
	r := rig.Load{Addr: b.Balancer(), URL: b.url(service), Conns: 1, Count: 1}.Run(ctx)
	return len(r) == 1 && r[0].Status == http.StatusOK
}

func (b *bench) url(service string) string {
	_, port, _ := net.SplitHostPort(b.Balancer())
	return "http://microservices-dev.elb.localhost:" + port + "/" + service + "/health"
}

// healthy counts a service's healthy targets.
func (b *bench) healthy(ctx context.Context, service string) (n int, err error) {
	s, err := b.describe(ctx, service)
	if err != nil {
		return 0, err
	}
	out, err := call[elbv2api.DescribeTargetHealthInput, elbv2api.DescribeTargetHealthOutput](ctx, b, "elbv2", "DescribeTargetHealth",
		&elbv2api.DescribeTargetHealthInput{TargetGroupArn: s.LoadBalancers[0].TargetGroupArn})
	if err != nil {
		return 0, err
	}
	for _, d := range out.TargetHealthDescriptions {
		if d.TargetHealth.State == "healthy" {
			n++
		}
	}
	return n, nil
}

func (b *bench) describe(ctx context.Context, service string) (s ecsapi.Service, err error) {
	out, err := call[ecsapi.DescribeServicesInput, ecsapi.DescribeServicesOutput](ctx, b, "ecs", "DescribeServices",
		&ecsapi.DescribeServicesInput{Cluster: new(cluster), Services: []string{service + "-service-dev"}})
	if err != nil {
		return s, err
	}
	if len(out.Services) != 1 {
		return s, fmt.Errorf("no service %s", service)
	}
	return out.Services[0], nil
}

func call[I, O any](ctx context.Context, b *bench, service, op string, in *I) (*O, error) {
	c, err := b.Client()
	if err != nil {
		return nil, err
	}
	return awsapi.Call[I, O](ctx, c, service, op, in)
}

// kills measures from a task's end to a replacement that serves.
func (b *bench) kills(ctx context.Context) error {
	var took []time.Duration
	for range b.times(20) {
		if err := b.whole(ctx); err != nil {
			return err
		}
		tasks, err := b.Tasks("payment")
		if err != nil || len(tasks) != 2 {
			return fmt.Errorf("%d tasks of payment: %w", len(tasks), err)
		}
		began := time.Now()
		if err := syscall.Kill(tasks[0].Pid, syscall.SIGKILL); err != nil {
			return err
		}
		err = rig.Until(ctx, patience, "a replacement serves", func() (bool, error) {
			now, err := b.Tasks("payment")
			if err != nil || len(now) != 2 || slices.ContainsFunc(now, func(p rig.Process) bool { return p.Pid == tasks[0].Pid }) {
				return false, err
			}
			n, err := b.healthy(ctx, "payment")
			return n == 2, err
		})
		if err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	line("kill -9 to a healthy replacement", spread(took), "within 1 s")
	return nil
}

// engineKills measures from the engine's end to answers of the next one.
func (b *bench) engineKills(ctx context.Context) error {
	var balancer, api []time.Duration
	for range b.times(10) {
		st, err := b.Status()
		if err != nil {
			return err
		}
		began := time.Now()
		if err := syscall.Kill(st.EnginePid, syscall.SIGKILL); err != nil {
			return err
		}
		if err := rig.Until(ctx, patience, "the load balancer answers", func() (bool, error) { return b.answers(ctx, "payment"), nil }); err != nil {
			return err
		}
		balancer = append(balancer, time.Since(began))
		if err := rig.Until(ctx, patience, "the API answers", func() (bool, error) { _, err := b.describe(ctx, "payment"); return err == nil, err }); err != nil {
			return err
		}
		api = append(api, time.Since(began))
		err = rig.Until(ctx, patience, "the engine is ready", func() (bool, error) {
			now, err := b.Status()
			return err == nil && now.Ready && now.EnginePid != st.EnginePid, err
		})
		if err != nil {
			return err
		}
	}
	line("kill -9 to an answer through the load balancer", spread(balancer), "within 3 s")
	line("kill -9 to an answer of the API", spread(api), "within 3 s")
	return nil
}

// tasks measures how fast the platform grows from six tasks to sixty.
func (b *bench) tasks(ctx context.Context) error {
	if err := b.whole(ctx); err != nil {
		return err
	}
	for _, each := range []int32{4, 20} {
		began := time.Now()
		if err := b.scale(ctx, each); err != nil {
			return err
		}
		line(fmt.Sprintf("6 to %d tasks, running and healthy", 3*each), time.Since(began).Round(time.Millisecond).String(), "")
		began = time.Now()
		if err := b.scale(ctx, 2); err != nil {
			return err
		}
		line(fmt.Sprintf("%d to 6 tasks", 3*each), time.Since(began).Round(time.Millisecond).String(), "")
	}
	return nil
}

// scale gives every service so many tasks and waits until they run and serve.
func (b *bench) scale(ctx context.Context, each int32) error {
	for _, s := range services {
		_, err := call[ecsapi.UpdateServiceInput, ecsapi.UpdateServiceOutput](ctx, b, "ecs", "UpdateService",
			&ecsapi.UpdateServiceInput{Cluster: new(cluster), Service: new(s + "-service-dev"), DesiredCount: &each})
		if err != nil {
			return err
		}
	}
	for _, s := range services {
		err := rig.Until(ctx, 2*patience, fmt.Sprintf("%d tasks of %s", each, s), func() (bool, error) {
			n, err := b.healthy(ctx, s)
			if err != nil || n != int(each) {
				return false, fmt.Errorf("%d are healthy (%w)", n, err)
			}
			tasks, err := b.Tasks(s)
			return len(tasks) == int(each), err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// idle measures what the platform costs while nobody asks for anything.
func (b *bench) idle(ctx context.Context) error {
	if err := b.whole(ctx); err != nil {
		return err
	}
	const settle, watch = 5 * time.Second, 20 * time.Second
	if err := rig.Wait(ctx, settle); err != nil {
		return err
	}
	st, err := b.Status()
	if err != nil {
		return err
	}
	processes := []struct {
		name string
		pid  int
	}{{"parent", st.Pid}, {"init", st.InitPid}, {"engine", st.EnginePid}}
	before := map[int]time.Duration{}
	for _, p := range processes {
		before[p.pid] = rig.CPU(p.pid)
	}
	if err := rig.Wait(ctx, watch); err != nil {
		return err
	}
	var all, pair [3]int // CPU in ns, RSS, PSS
	for _, p := range processes {
		used := rig.CPU(p.pid) - before[p.pid]
		r, s := rig.Memory(p.pid)
		for i, v := range [3]int{int(used), r, s} {
			all[i] += v
			if p.name != "init" {
				pair[i] += v
			}
		}
		line(p.name, cost(used, watch, r, s), "")
	}
	line("engine and parent", cost(time.Duration(pair[0]), watch, pair[1], pair[2]), "under 1 % of a core, under 80 MB")
	line("all three", cost(time.Duration(all[0]), watch, all[1], all[2]), "")
	return nil
}

func cost(cpu, over time.Duration, rss, pss int) string {
	return fmt.Sprintf("%.2f %% of a core  RSS %.1f MB  PSS %.1f MB", 100*cpu.Seconds()/over.Seconds(), float64(rss)/1e6, float64(pss)/1e6)
}
