package tests

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

// A deployment that cannot work is told apart, taken back, and disturbs nobody.
func TestBadDeployments(t *testing.T) {
	w := newWorld(t)
	// Only the clock is faster: a check every second, so that "never healthy" is
	// known soon.
	w.must(append(w.StartArgs(), "--speed", "10")...)
	w.must("up")
	w.write("examples/stuck/main.go", stuck)
	for _, story := range []struct {
		name, old, new string
		says           []string
	}{
		{
			"crash", "    port: 8080 ", "    command: [healthcheck]\n    port: 8080 ",
			[]string{"PaymentService", "ECS Deployment Circuit Breaker was triggered", "task ", "exited with code 1", "last lines of payment/", "connection refused"},
		},
		{
			"missing image", "build: examples/payment ", "image: localhost:" + port(w.API) + "/payment-service-dev:missing",
			[]string{"PaymentService", "ECS Deployment Circuit Breaker was triggered", "CannotPullContainerError", "payment-service-dev:missing"},
		},
		{
			"never healthy", "build: examples/payment ", "build: examples/stuck\n    check: {command: []}\n    grace: 0s ",
			[]string{"PaymentService", "ECS Deployment Circuit Breaker was triggered", "failed ELB health checks", "last lines of payment/", "I listen nowhere"},
		},
		{
			"unhealthy container", "    port: 8080 ", "    check: {command: [/app, nonsense], interval: 5s, start: 0s, retries: 2}\n    port: 8080 ",
			[]string{"PaymentService", "ECS Deployment Circuit Breaker was triggered", "failed container health checks"},
		},
	} {
		t.Run(story.name, func(t *testing.T) {
			w := world{t, w.Engine}
			before := w.pids("")
			_, stop := w.load(8, 5*time.Millisecond, "payment", "order", "notification")
			began := time.Now()
			out := w.fails(1, "deploy", "--file", w.variantManifest(story.old, story.new))
			took := time.Since(began)
			result := stop()
			says(t, out, append(story.says, "what ran before runs on", "rolled back to revision payment-service-dev:")...)
			w.eventually(30*time.Second, "only what ran before runs", func() (bool, error) { // others may still drain
				after := w.pids("")
				return slices.Equal(before, after), fmt.Errorf("tasks %v ran before, %v now", before, after)
			})
			if f := result.Failures(); len(f) > 0 {
				t.Errorf("%d of %d requests failed meanwhile, the first: %s", len(f), len(result), f[0])
			}
			t.Logf("bad deployment to rolled back: %s; %d requests meanwhile, %d failed", took.Round(10*time.Millisecond), len(result), len(result.Failures()))
		})
	}
	t.Run("good", func(t *testing.T) {
		w := world{t, w.Engine}
		_, stop := w.load(8, 5*time.Millisecond, "payment", "order", "notification")
		began := time.Now()
		w.must("deploy", "--file", w.variantManifest("    port: 8080 ", "    env: {RELEASE: next}\n    port: 8080 "))
		took := time.Since(began)
		result := stop()
		if f := result.Failures(); len(f) > 0 {
			t.Errorf("%d of %d requests failed during a rolling update, the first: %s", len(f), len(result), f[0])
		}
		for _, p := range w.tasks("payment") {
			if p.Env("RELEASE") != "next" {
				t.Errorf("process %d is not of the new release", p.Pid)
			}
		}
		t.Logf("rolling update: %s; %d requests meanwhile, %d failed", took.Round(10*time.Millisecond), len(result), len(result.Failures()))
	})
}

// stuck is a service that runs, and no more.
const stuck = `package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	fmt.Println("I listen nowhere")
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	<-end
}
`

// write writes a file into the project.
func (w world) write(name, text string) {
	w.Helper()
	path := filepath.Join(w.Project, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.Fatal(err)
	}
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// variantManifest writes a manifest that differs and returns its name.
func (w world) variantManifest(from, to string) string {
	w.Helper()
	b, err := os.ReadFile(filepath.Join(w.Project, "slipway.yaml"))
	if err != nil {
		w.Fatal(err)
	}
	if !strings.Contains(string(b), from) {
		w.Fatalf("the manifest has no %q", from)
	}
	const name = "variant.yaml"
	w.write(name, strings.Replace(string(b), from, to, 1))
	return name
}

func (w world) tasks(service string) []rig.Process {
	w.Helper()
	tasks, err := w.Tasks(service)
	if err != nil {
		w.Fatal(err)
	}
	return tasks
}

func (w world) pids(service string) (pids []int) {
	w.Helper()
	for _, p := range w.tasks(service) {
		pids = append(pids, p.Pid)
	}
	return pids
}

// url is a service's health through the load balancer.
func (w world) url(service string) string {
	return "http://microservices-dev.elb.localhost:" + port(w.Balancer()) + "/" + service + "/health"
}

// load asks services for their health until it is stopped; conns connections
// each, one request every so often on each.
func (w world) load(conns int, every time.Duration, services ...string) (answered *atomic.Int64, stop func() rig.Result) {
	answered = &atomic.Int64{}
	ctx, cancel := context.WithCancel(context.Background())
	w.Cleanup(cancel)
	results := make(chan rig.Result, len(services))
	for _, s := range services {
		go func() {
			results <- rig.Load{Addr: w.Balancer(), URL: w.url(s), Conns: conns, Every: every, Answered: answered}.Run(ctx)
		}()
	}
	return answered, func() (all rig.Result) {
		cancel()
		for range services {
			all = append(all, <-results...)
		}
		return all
	}
}

// services of the cluster as the API tells them.
func (w world) describe(service string) ecsapi.Service {
	w.Helper()
	out := call[ecsapi.DescribeServicesInput, ecsapi.DescribeServicesOutput](w, "ecs", "DescribeServices", &ecsapi.DescribeServicesInput{
		Cluster: new("microservices-cluster-dev"), Services: []string{service + "-service-dev"},
	})
	if len(out.Services) != 1 {
		w.Fatalf("service %s: %v", service, out.Failures)
	}
	return out.Services[0]
}
