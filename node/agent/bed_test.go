package agent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/node/vpc"
)

var scope = arn.Scope{Account: "123456789012", Region: "us-east-1"}

// world is what outlives an agent: rows, containers and networks.
type world struct {
	t       testing.TB
	store   *store.Store
	driver  runtime.Driver
	network *fakeNetwork
	images  *fakeImages
	secrets fakeSecrets
	dir     string
	logs    agent.LogWriter
	speed   float64

	services []agent.TaskService

	agent *agent.Agent
	stop  func()
}

func newWorld(t testing.TB) *world {
	s, err := store.Open(store.Config{}, agent.Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		t: t, store: s, driver: runtime.NewSimulated(), dir: t.TempDir(),
		network: newFakeNetwork(), images: &fakeImages{missing: map[string]bool{}}, secrets: fakeSecrets{},
	}
}

// run starts an agent over the world; the one before must have been stopped.
func (w *world) run() {
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	a := agent.New(agent.Config{
		Store: w.store, Log: log, Driver: w.driver, Network: w.network, Images: w.images, Secrets: w.secrets, Dir: w.dir, Logs: w.logs, Speed: w.speed, Services: w.services,
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	for _, l := range a.Loops() {
		wg.Go(func() {
			if err := l.Run(ctx, w.store, log); err != nil {
				w.t.Error(err)
			}
		})
	}
	w.agent = a
	w.stop = func() {
		cancel()
		wg.Wait()
	}
}

func (w *world) put(t agent.Task) {
	w.t.Helper()
	err := w.store.Update(func(tx *store.Tx) error {
		agent.Tasks.Put(tx, t)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) change(arn string, change func(*agent.Task)) {
	w.t.Helper()
	t, err := agent.Tasks.Get(w.store.Snapshot(), arn)
	if err != nil {
		w.t.Fatal(err)
	}
	change(&t)
	w.put(t)
}

func (w *world) status(arn string) agent.Status {
	w.t.Helper()
	st, err := agent.Statuses.Get(w.store.Snapshot(), arn)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		w.t.Fatal(err)
	}
	return st
}

func (w *world) container(arn, name string) agent.ContainerStatus {
	w.t.Helper()
	st := w.status(arn)
	i := slices.IndexFunc(st.Containers, func(c agent.ContainerStatus) bool { return c.Name == name })
	if i < 0 {
		return agent.ContainerStatus{}
	}
	return st.Containers[i]
}

func (w *world) containers() []runtime.State {
	w.t.Helper()
	list, err := w.driver.List(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// settle lets everything happen that happens within so long.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// newTask is a task of containers in a network of its own.
func newTask(n int, containers ...agent.Container) agent.Task {
	id := fmt.Sprintf("%032x", n+1)
	for i := range containers {
		if containers[i].Image == "" {
			containers[i].Image = "app:1"
		}
	}
	return agent.Task{
		ARN: scope.ARN("ecs", "task/c/"+id), Scope: scope, ID: id, ClusterName: "c", VPC: "vpc-1", Interface: "eni-" + id,
		IP: fmt.Sprintf("10.0.0.%d", n+4), SubnetCIDR: "10.0.0.0/24", Containers: containers,
	}
}

// essential is a container with what scripts its simulation: name=value.
func essential(name string, script ...string) agent.Container {
	c := agent.Container{Name: name, Essential: true, Environment: map[string]string{}}
	for _, s := range script {
		for i := range s {
			if s[i] == '=' {
				c.Environment[s[:i]] = s[i+1:]
				break
			}
		}
	}
	return c
}

func optional(name string, script ...string) agent.Container {
	c := essential(name, script...)
	c.Essential = false
	return c
}

func after(c agent.Container, condition, dependency string) agent.Container {
	c.DependsOn = append(slices.Clone(c.DependsOn), agent.Dependency{Container: dependency, Condition: condition})
	return c
}

type fakeNetwork struct {
	mu          sync.Mutex
	attached    map[string]bool
	intercepted map[string]vpc.Interception
	delay       time.Duration
	err         error
	noProxy     error // of Intercept
	deaf        error // of Listen
}

func newFakeNetwork() *fakeNetwork {
	return &fakeNetwork{attached: map[string]bool{}, intercepted: map[string]vpc.Interception{}}
}

func (n *fakeNetwork) Attach(ctx context.Context, _, eni string) (string, error) {
	select {
	case <-time.After(n.delay):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil {
		return "", n.err
	}
	n.attached[eni] = true
	return "", nil
}

func (n *fakeNetwork) Intercept(_ context.Context, _, eni string, i vpc.Interception) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.noProxy != nil || !n.attached[eni] {
		return errors.Join(n.noProxy, errors.New("not attached"))
	}
	n.intercepted[eni] = i
	return nil
}

func (n *fakeNetwork) Detach(_ context.Context, _, eni string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.attached, eni)
	delete(n.intercepted, eni)
	return nil
}

// Listen gives out listeners that nobody connects to.
func (n *fakeNetwork) Listen(context.Context, string, string, string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.deaf != nil {
		return nil, n.deaf
	}
	return &idleListener{closed: make(chan struct{})}, nil
}

type idleListener struct {
	once   sync.Once
	closed chan struct{}
}

func (l *idleListener) Accept() (net.Conn, error) { <-l.closed; return nil, net.ErrClosed }
func (l *idleListener) Close() error              { l.once.Do(func() { close(l.closed) }); return nil }
func (l *idleListener) Addr() net.Addr            { return &net.TCPAddr{} }

type fakeImages struct {
	mu      sync.Mutex
	missing map[string]bool
	delay   time.Duration
	pulls   int
}

func (f *fakeImages) Pull(ctx context.Context, _ agent.Task, ref string) (runtime.Image, error) {
	select {
	case <-time.After(f.delay):
	case <-ctx.Done():
		return runtime.Image{}, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pulls++
	if f.missing[ref] {
		return runtime.Image{}, fmt.Errorf("pull image manifest has been retried 1 time(s): failed to resolve ref %s: %s: not found", ref, ref)
	}
	return runtime.Image{Ref: ref, Digest: "sha256:" + ref, Config: ocispec.ImageConfig{Entrypoint: []string{"/app"}}}, nil
}
