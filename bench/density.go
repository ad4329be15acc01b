package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

// density measures sixty tasks, each with a command for a health check every
// 500 ms (the shortest interval there is, five seconds, at clock speed 10):
// do they all stay healthy, and what does it cost.
func (b *bench) density(ctx context.Context) error {
	// As many tasks as are wanted, and no scaling: the checks use processor time.
	if err := b.Manifest(
		"check: {command: [/app, healthcheck]}", "check: {command: [/app, healthcheck], interval: 5s, timeout: 2s}",
		"desired: 2\n  min: 2\n  max: 10", "desired: 20\n  min: 20\n  max: 20"); err != nil {
		return err
	}
	if _, err := b.Run(ctx, "engine", "stop"); err != nil {
		return err
	}
	if _, err := b.Run(ctx, append(b.StartArgs(), "--speed", "10")...); err != nil {
		return err
	}
	if _, err := b.Run(ctx, b.UpArgs()...); err != nil {
		return err
	}
	err := rig.Until(ctx, patience, "60 healthy tasks", func() (bool, error) {
		n, err := b.healthyTasks(ctx)
		if err != nil || n != 60 {
			return false, err
		}
		tasks, err := b.Tasks("")
		return len(tasks) == 60, err // those of before have ended
	})
	if err != nil {
		return err
	}
	before, err := b.Tasks("")
	if err != nil {
		return err
	}
	const watch = 15 * time.Second
	st, err := b.Status()
	if err != nil {
		return err
	}
	engine, init := rig.CPU(st.EnginePid), rig.CPUOfAll(st.InitPid)
	worst := len(before)
	for end := time.Now().Add(watch); time.Now().Before(end); {
		n, err := b.healthyTasks(ctx)
		if err != nil {
			return err
		}
		worst = min(worst, n)
		if err := rig.Wait(ctx, time.Second); err != nil {
			return err
		}
	}
	engine, init = rig.CPU(st.EnginePid)-engine, rig.CPUOfAll(st.InitPid)-init
	after, err := b.Tasks("")
	if err != nil {
		return err
	}
	replaced := 0
	for _, p := range before {
		if !slices.ContainsFunc(after, func(q rig.Process) bool { return q.Pid == p.Pid && q.Started == p.Started }) {
			replaced++
		}
	}
	share := func(d time.Duration) string { return fmt.Sprintf("%.0f %% of a core", 100*d.Seconds()/watch.Seconds()) }
	line("60 tasks checked every 500 ms: fewest healthy", fmt.Sprintf("%d of %d, %d replaced", worst, len(before), replaced), "60, 0 replaced")
	line("engine", share(engine), "")
	line("init and the checks' own programs", share(init), "")
	memory := 0
	for _, pid := range []int{st.Pid, st.InitPid, st.EnginePid} {
		_, pss := rig.Memory(pid)
		memory += pss
	}
	line("parent, init and engine at 60 tasks", fmt.Sprintf("PSS %.1f MB", float64(memory)/1e6), "under 150 MB")
	return nil
}

// healthyTasks counts the tasks whose containers' checks succeed.
func (b *bench) healthyTasks(ctx context.Context) (n int, err error) {
	for _, s := range services {
		list, err := call[ecsapi.ListTasksInput, ecsapi.ListTasksOutput](ctx, b, "ecs", "ListTasks",
			&ecsapi.ListTasksInput{Cluster: new(cluster), ServiceName: new(s + "-service-dev")})
		if err != nil {
			return 0, err
		}
		tasks, err := call[ecsapi.DescribeTasksInput, ecsapi.DescribeTasksOutput](ctx, b, "ecs", "DescribeTasks",
			&ecsapi.DescribeTasksInput{Cluster: new(cluster), Tasks: list.TaskArns})
		if err != nil {
			return 0, err
		}
		for _, t := range tasks.Tasks {
			if t.HealthStatus == "HEALTHY" {
				n++
			}
		}
	}
	return n, nil
}
