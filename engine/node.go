package engine

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/slipway-dev/slipway/dataplane/dns"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/node/runtime/image"
	"github.com/slipway-dev/slipway/node/runtime/runc"
	"github.com/slipway-dev/slipway/node/vpc"
	"github.com/slipway-dev/slipway/service/ec2"
	"github.com/slipway-dev/slipway/service/ecr"
	"github.com/slipway-dev/slipway/service/logs"
	tlogs "github.com/slipway-dev/slipway/telemetry/logs"
)

// simulatedWorkers is how many played tasks are worked on at once: they wait
// for nothing but the disk, and those that wait for it together share a write.
const simulatedWorkers = 32

// node is what runs tasks on this machine.
type node struct {
	network  *vpc.Network
	agent    *agent.Agent
	resolver *dns.Server
}

func (e *Engine) openNode(logService *logs.Service) error {
	n := &node{resolver: e.newResolver()}
	e.node = n
	network, err := vpc.New(vpc.Options{
		Dir: filepath.Join(e.host.Dir(), "vpc"), Egress: e.host.Dial, Started: e.serveVPC, Log: e.log,
	})
	if err != nil {
		return fmt.Errorf("open the network: %w", err)
	}
	n.network = network
	e.closers = append(e.closers, func() error { network.Close(); return nil })

	images, err := image.Open(image.Config{Dir: filepath.Join(e.host.StateDir(), "images"), Log: e.log})
	if err != nil {
		return fmt.Errorf("open the image store: %w", err)
	}
	e.closers = append(e.closers, images.Close)
	e.runners = append(e.runners, images.Run)
	driver, err := e.openDriver(images)
	if err != nil {
		return err
	}
	workers := 0 // what real containers bear
	if e.set.Simulated {
		workers = simulatedWorkers
	}
	n.agent = agent.New(agent.Config{
		Store: e.store, Log: e.log, Driver: driver, Network: network, Logs: logWriter{logService}, Secrets: secretReader{e},
		Images: puller{e.store, images, e.ecr, e.ecr.Transport(), &sidecar{}}, Dir: filepath.Join(e.host.Dir(), "tasks"), Speed: e.set.Speed,
		Workers: workers, CallbackBase: "http://" + clientAddress(e.set.API),
		Callbacks: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.callbacks.ServeHTTP(w, r) }), Services: []agent.TaskService{e.meshes.service()},
	})
	e.loops = append(e.loops, n.agent.Loops()...)
	e.runners = append(e.runners, n.agent.Run)
	return nil
}

func (e *Engine) openDriver(images *image.Store) (runtime.Driver, error) {
	if e.set.Simulated {
		return runtime.NewSimulated(), nil
	}
	init, args := initProgram()
	d, err := runc.New(runc.Config{
		Dir: filepath.Join(e.host.Dir(), "containers"), Launcher: e.host, Images: images, Log: e.log, Cgroup: e.host.CgroupParent(),
		Init: init, InitArgs: args,
	})
	if err != nil {
		return nil, fmt.Errorf("open the container runtime: %w", err)
	}
	return d, nil
}

// initProgram is the init process of containers that ask for one: a small
// static one if the machine has it, else the engine's own program, which
// costs some megabytes a container.
func initProgram() (path string, args []string) {
	for _, path := range []string{"/usr/bin/tini-static", "/usr/libexec/docker/docker-init", "/usr/bin/docker-init"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	path, err := os.Executable()
	if err != nil {
		return "", nil
	}
	return path, []string{InitCommand}
}

// InitCommand is the argument by which the program is the init process of a
// container.
const InitCommand = "container-init"

// puller pulls for tasks: from the platform's own registry, as far as the
// task's subnet can reach it.
type puller struct {
	store    *store.Store
	images   *image.Store
	registry *ecr.Service
	// transport is one value for all pulls, so that what it keeps is shared.
	transport http.RoundTripper
	sidecar   *sidecar
}

func (p puller) Pull(ctx context.Context, task agent.Task, ref string) (runtime.Image, error) {
	local, ok := p.registry.Canonical(ref)
	if isSidecar(ref) && (!ok || !p.registry.Has(ref)) {
		return p.images.Pull(ctx, sidecarRef, p.sidecar)
	}
	if !ok {
		return runtime.Image{}, fmt.Errorf("pull image manifest has been retried 1 time(s): failed to resolve ref %s: "+
			"this engine reaches no registry but its own; push the image there and name it <repositoryUri>:<tag>", ref)
	}
	snap := p.store.Snapshot()
	eni, err := ec2.Interfaces.Get(snap, task.Scope.Key(task.Interface))
	if err != nil {
		return runtime.Image{}, fmt.Errorf("network interface %s of the task: %w", task.Interface, err)
	}
	for _, api := range []string{"ecr.api", "ecr.dkr"} {
		if ok, why := eni.Reaches(snap, api); !ok {
			return runtime.Image{}, fmt.Errorf("the task cannot pull image %s from the registry: there is a connection issue between the task and %s. "+
				"Check your task network configuration: %s", ref, api, why)
		}
	}
	return p.images.Pull(ctx, local, p.transport)
}

// logWriter hands the lines of containers to CloudWatch Logs.
type logWriter struct{ logs *logs.Service }

func (w logWriter) Write(ctx context.Context, to agent.LogStream, events []agent.LogEvent) error {
	out := make([]tlogs.Event, len(events))
	for i, ev := range events {
		out[i] = tlogs.Event{Timestamp: ev.Time.UnixMilli(), Message: ev.Message}
	}
	return w.logs.Write(ctx, to.Scope, to.Group, to.Stream, to.CreateGroup, out)
}
