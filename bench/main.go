// Command bench measures what the project promises, on this machine, now, and
// prints a table: the template's synthesis against the CDK's, the start of the platform, the replacement of a killed task,
// the restart of a killed engine, requests through the load balancer against
// nginx and haproxy (bench/proxy), the mesh (bench/mesh), requests to the API,
// what the platform costs when nothing happens, and how the control plane grows
// (bench/controlplane).
//
//	go run ./bench [-only start,kill,...] [-quick]
//
// Every figure comes from the run that prints it. All traffic stays on the
// loopback interface; nothing is left behind.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/tests/rig"
)

// limit bounds the whole run.
const limit = 30 * time.Minute

func main() {
	only := flag.String("only", "", "parts to run, separated by commas: synth, start, tasks, kill, engine, api, idle, density, proxy, mesh, controlplane")
	quick := flag.Bool("quick", false, "fewer repetitions")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, limit)
	err := run(ctx, *only, *quick)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	*rig.Engine
	quick bool
}

// part measures one thing and prints its figures.
type part struct {
	name, title string
	run         func(*bench, context.Context) error
	platform    bool // needs the platform up
	// alone, in place of run, is a command that wants the machine to itself:
	// its arguments, and those that make it quick.
	alone, quick []string
}

var parts = []part{
	{name: "synth", title: "the template, against the CDK", run: (*bench).synths},
	{name: "start", title: "slipway up", run: (*bench).starts},
	{name: "idle", title: "the platform, idle", run: (*bench).idle, platform: true},
	{name: "kill", title: "a task is killed", run: (*bench).kills, platform: true},
	{name: "engine", title: "the engine is killed", run: (*bench).engineKills, platform: true},
	{name: "api", title: "the API, signatures verified", run: (*bench).api, platform: true},
	{name: "mesh", title: "the platform with its mesh and without", run: (*bench).mesh},
	{name: "tasks", title: "more tasks", run: (*bench).tasks, platform: true},
	{name: "density", title: "health checks at density", run: (*bench).density, platform: true},
	{name: "proxy", title: "the load balancer against nginx and haproxy", alone: []string{"./bench/proxy"}, quick: []string{"-seconds", "1"}},
	{name: "mesh", title: "the mesh: sidecars and control plane", alone: []string{"./bench/mesh"}, quick: []string{"-quick"}},
	{name: "controlplane", title: "the control plane with a hundred to ten thousand tasks, containers played", alone: []string{"./bench/controlplane"}, quick: []string{"-sizes", "100,1000", "-settle", "41s"}},
}

func run(ctx context.Context, only string, quick bool) error {
	folder, err := os.MkdirTemp("", "slipway-bench-")
	if err != nil {
		return err
	}
	binary, err := rig.Build(ctx, folder)
	if err != nil {
		return err
	}
	done, err := rig.Janitor(binary, folder) // ends engines and removes the folder
	if err != nil {
		return err
	}
	defer done()
	engine, err := rig.New(rig.Options{Binary: binary, Folder: filepath.Join(folder, "bench")})
	if err != nil {
		return err
	}
	b := &bench{engine, quick}
	defer b.Close()
	up := false
	for _, p := range parts {
		if only != "" && !slices.Contains(strings.Split(only, ","), p.name) {
			continue
		}
		fmt.Printf("\n%s\n", p.title)
		if p.alone != nil {
			// The platform would take its part of the processors.
			if _, err := b.Run(ctx, "down", "--all"); err != nil {
				return err
			}
			if err := p.command(ctx, quick); err != nil {
				return err
			}
			up = false
			continue
		}
		if p.platform && !up {
			if _, err := b.Run(ctx, b.UpArgs()...); err != nil {
				return err
			}
		}
		up = true
		if err := p.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// command runs a part that is a command of its own.
func (p part) command(ctx context.Context, quick bool) error {
	args := append([]string{"run"}, p.alone...)
	if quick {
		args = append(args, p.quick...)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = rig.Root()
	cmd.Stdout, cmd.Stderr = indented{}, os.Stderr
	return cmd.Run()
}

// indented prints lines as the table's.
type indented struct{}

func (indented) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		fmt.Print("  ", line)
	}
	return len(p), nil
}

// line prints one figure, with its goal if there is one.
func line(what, figure, goal string) {
	if goal != "" {
		goal = "  (goal: " + goal + ")"
	}
	fmt.Printf("  %-52s %s%s\n", what, figure, goal)
}

// spread is the median and the worst of durations.
func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "nothing measured"
	}
	d = slices.Sorted(slices.Values(d))
	at := func(p float64) time.Duration { return d[min(len(d)-1, int(float64(len(d))*p))].Round(time.Millisecond) }
	return fmt.Sprintf("p50 %s  p99 %s  worst %s  of %d", at(0.5), at(0.99), d[len(d)-1].Round(time.Millisecond), len(d))
}

func (b *bench) times(n int) int {
	if b.quick {
		return max(1, n/5)
	}
	return n
}
