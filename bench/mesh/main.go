// Command mesh measures the service mesh: what two sidecars with mutual TLS
// carry against nginx and haproxy set up the same way, the latency that they
// add, what a sidecar costs, and how fast the control plane reaches its proxies.
//
//	go run ./bench/mesh [-only hops,latency,...] [-seconds 4] [-rounds 3] [-quick]
//
// Everything runs in a network namespace of its own, which needs root or user
// namespaces and ends with the program. Contenders are measured in turn, round
// after round, so that a noisy machine disturbs all alike; a figure is the
// median of the rounds'. What else used the processors meanwhile is printed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/slipway-dev/slipway/tests/rig"
)

// settings are how much is measured.
type settings struct {
	seconds int // of one measurement
	rounds  int
	conns   int
	quick   bool
}

// roles are what the program is when it starts itself.
var roles = map[string]func(context.Context, []string) error{
	"backend": backend,
	"plane":   planeRole,
	"task":    taskRole,
}

var parts = []struct {
	name, title string
	run         func(*world, context.Context) error
}{
	{"hops", "two proxies with mutual TLS", (*world).hops},
	{"latency", "latency added at 1,000 requests/s", (*world).latency},
	{"sidecar", "one sidecar", (*world).footprint},
	{"changes", "the control plane with sixty sidecars", (*world).changes},
	{"scale", "the control plane with a thousand proxies", (*world).scale},
}

func main() {
	// Children end with the thread that started them: the main one, which lasts.
	runtime.LockOSThread()
	var s settings
	only := flag.String("only", "", "parts to run, separated by commas: "+strings.Join(names(), ", "))
	inside := flag.String("inside", "", "internal: folder of the run whose namespace this is")
	flag.IntVar(&s.seconds, "seconds", 2, "length of one measurement")
	flag.IntVar(&s.rounds, "rounds", 9, "measurements of each contender")
	flag.IntVar(&s.conns, "conns", 64, "client connections")
	flag.BoolVar(&s.quick, "quick", false, "short measurements")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := func() error {
		if len(os.Args) > 1 && roles[os.Args[1]] != nil {
			return roles[os.Args[1]](ctx, os.Args[2:])
		}
		flag.Parse()
		if s.quick {
			s.seconds = 1
		}
		if *inside != "" {
			return measure(ctx, *inside, *only, s)
		}
		return outside(ctx)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/mesh:", err)
		os.Exit(1)
	}
}

func names() (all []string) {
	for _, p := range parts {
		all = append(all, p.name)
	}
	return all
}

// outside prepares a folder and runs the program again in a namespace.
func outside(ctx context.Context) error {
	if _, err := exec.LookPath("wrk"); err != nil {
		return fmt.Errorf("wrk is needed: make deps-test installs it: %w", err)
	}
	dir, err := os.MkdirTemp("", "bench-mesh-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, "slipway-proxy"), "./cmd/slipway-proxy")
	build.Dir, build.Env = rig.Root(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the sidecar: %w\n%s", err, out)
	}
	cmd, err := namespaced(append([]string{"-inside=" + dir}, os.Args[1:]...))
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// measure runs the parts, in the namespace.
func measure(ctx context.Context, dir, only string, s settings) error {
	w, err := newWorld(dir, s)
	if err != nil {
		return err
	}
	defer w.close()
	wanted := strings.Split(only, ",")
	for _, name := range wanted {
		if name != "" && !slices.Contains(names(), name) {
			return fmt.Errorf("there is no part %q", name)
		}
	}
	var errs []error
	for _, p := range parts {
		if only != "" && !slices.Contains(wanted, p.name) {
			continue
		}
		fmt.Printf("%s\n", p.title)
		meanwhile := watch()
		if err := p.run(w, ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
		}
		fmt.Printf("  %s\n", meanwhile())
	}
	return errors.Join(errs...)
}
