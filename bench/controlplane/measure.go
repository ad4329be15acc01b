package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/tests/rig"
)

// engine is the process that is measured.
type engine struct {
	cmd *exec.Cmd
	url string
	keys
}

func start(ctx context.Context, addr, dir string) (*engine, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	e := &engine{cmd: exec.CommandContext(ctx, self, "-serve", addr, "-dir", dir), url: "http://" + addr}
	e.cmd.Stderr = os.Stderr
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &e.keys)
	}
	if err != nil {
		e.kill()
		return nil, fmt.Errorf("the control plane did not start: %w", err)
	}
	return e, nil
}

func (e *engine) kill() {
	_ = e.cmd.Process.Kill()
	_ = e.cmd.Wait()
}

func (e *engine) cpu() time.Duration { return rig.CPU(e.cmd.Process.Pid) }

// memory is the process's, in bytes, after free memory was given back.
func (e *engine) memory(ctx context.Context) (int, error) {
	if err := e.ask(ctx, http.MethodPost, "/bench/trim", nil); err != nil {
		return 0, err
	}
	rss, _ := rig.Memory(e.cmd.Process.Pid)
	return rss, nil
}

func (e *engine) ask(ctx context.Context, method, path string, out any) error {
	r, err := http.NewRequestWithContext(ctx, method, e.url+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// settled waits until so many tasks run, none is on its way, at least so many
// have stopped, and every service is steady.
func (e *engine) settled(ctx context.Context, tasks, stopped int) error {
	for {
		var c Count
		began := time.Now()
		if err := e.ask(ctx, http.MethodGet, "/bench/count", &c); err != nil {
			return err
		}
		if c.Running == tasks && c.Other == 0 && c.Stopped >= stopped && c.Steady == c.Services {
			return nil
		}
		if err := rig.Wait(ctx, max(100*time.Millisecond, 20*time.Since(began))); err != nil { // counting is not to be measured
			return fmt.Errorf("%+v: %w", c, err)
		}
	}
}

// figures are what one size costs.
type figures struct {
	tasks             int
	deploy, deployCPU time.Duration
	memory            int
	idle              float64 // of a core
	change, changeCPU time.Duration
	loss, lossCPU     time.Duration
	restart           time.Duration
	disk              int64
}

func measure(ctx context.Context, tasks, balanced int, profile, addr string) (f figures, err error) {
	dir, err := os.MkdirTemp("", "bench-controlplane-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	e, err := start(ctx, addr, dir)
	if err != nil {
		return f, err
	}
	defer func() { e.kill() }()
	p, err := build(ctx, e.url, e.keys)
	if err != nil {
		return f, err
	}
	f.tasks = tasks
	services := tasks / each
	steps := []struct {
		name string
		do   func() error
	}{
		{"deploy", func() (err error) {
			f.deploy, f.deployCPU, err = e.timed(func() error {
				if err := p.deploy(ctx, services, each, services*balanced/100); err != nil {
					return err
				}
				return e.settled(ctx, tasks, 0)
			})
			return err
		}},
		{"idle", func() error { return f.idling(ctx, e) }},
		{"change", func() error { return f.changes(ctx, e, p, services) }},
		{"loss", func() (err error) {
			f.loss, f.lossCPU, err = e.timed(func() error {
				var lost int
				if err := e.ask(ctx, http.MethodPost, "/bench/lose?zone="+url.QueryEscape(here.Region+"a"), &lost); err != nil {
					return err
				}
				if lost < tasks/4 {
					return fmt.Errorf("only %d tasks were in the zone", lost)
				}
				return e.settled(ctx, tasks, times+lost)
			})
			return err
		}},
	}
	for _, s := range steps {
		err := e.profiled(ctx, profile, s.name, s.do)
		if err != nil {
			return f, fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(os.Stderr, "%d tasks: %s done\n", tasks, s.name)
	}
	if st, err := os.Stat(filepath.Join(dir, "state.db")); err == nil {
		f.disk = st.Size()
	}
	e.kill()
	began := time.Now()
	if e, err = start(ctx, addr, dir); err != nil {
		return f, err
	}
	if n, err := p.running(ctx, serviceName(services-1)); err != nil || n != each {
		return f, fmt.Errorf("after the restart %d tasks run: %w", n, err)
	}
	f.restart = time.Since(began)
	return f, e.settled(ctx, tasks, 0)
}

// timed is how long something takes, and what it costs the engine.
func (e *engine) timed(do func() error) (took, cpu time.Duration, err error) {
	began, before := time.Now(), e.cpu()
	err = do()
	return time.Since(began), e.cpu() - before, err
}

// idling measures what it costs to do nothing, and the memory.
func (f *figures) idling(ctx context.Context, e *engine) (err error) {
	const watch = 20 * time.Second
	if err := rig.Wait(ctx, *settle); err != nil { // tasks that nothing checks settle after 40 s
		return err
	}
	if f.memory, err = e.memory(ctx); err != nil {
		return err
	}
	_, cpu, err := e.timed(func() error { return rig.Wait(ctx, watch) })
	f.idle = cpu.Seconds() / watch.Seconds()
	return err
}

// times is how many changes are measured.
const times = 20

// changes has services grow by one task and shrink again.
func (f *figures) changes(ctx context.Context, e *engine, p *platform, services int) error {
	var took []time.Duration
	_, cpu, err := e.timed(func() error {
		for i := range times {
			name := serviceName(i * services / times)
			for _, n := range []int{each + 1, each} {
				began := time.Now()
				if err := p.scale(ctx, name, n); err != nil {
					return err
				}
				for {
					now, err := p.running(ctx, name)
					if err != nil {
						return err
					}
					if now == n {
						break
					}
					if err := rig.Wait(ctx, time.Millisecond); err != nil {
						return err
					}
				}
				if n > each {
					took = append(took, time.Since(began))
				}
			}
		}
		return e.settled(ctx, services*each, times)
	})
	slices.Sort(took)
	if len(took) > 0 {
		f.change, f.changeCPU = took[len(took)/2], cpu/(2*times)
	}
	return err
}

// profiled keeps profiles of what a step does, if there is a directory for them.
func (e *engine) profiled(ctx context.Context, dir, name string, do func() error) error {
	if dir == "" {
		return do()
	}
	for _, step := range []func() error{
		func() error { return e.profile(ctx, filepath.Join(dir, name+".cpu")) },
		do,
		func() error { return e.profile(ctx, "") },
		func() error { return e.profile(ctx, filepath.Join(dir, name+".heap")) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) profile(ctx context.Context, file string) error {
	return e.ask(ctx, http.MethodPost, "/bench/profile?file="+url.QueryEscape(file), nil)
}
