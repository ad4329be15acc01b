package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

var (
	rotations = flag.Int("rotations", 30, "how often all certificates of the mesh are replaced while requests are sent; 1000 for the long version")
	outage    = flag.Duration("outage", 3*time.Second, "how long the control plane is away; 60s for the long version")
)

// meshed is a world with the platform and its mesh up.
func meshed(t *testing.T, args ...string) world {
	t.Helper()
	w := newWorld(t)
	if err := w.Manifest("defaults: ", "defaults:\n  env: {FAULTS: \"on\"}\n  outlier: {maxServerErrors: 3, interval: 1s, baseEjectionDuration: 1m}\n#"); err != nil {
		t.Fatal(err)
	}
	w.must(append(w.StartArgs(), args...)...)
	w.must("up")
	return w
}

// Orders go through the load balancer to one service, which calls two others:
// the mesh carries those calls, keeps strangers out, and loses none when
// certificates, routes and endpoints change, when a sidecar dies, and when
// the control plane is away.
func TestMesh(t *testing.T) {
	w := meshed(t, "--speed", "10")
	w.scaleByHand()
	for _, story := range []struct {
		name string
		tell func(w world)
	}{
		{"strangers are refused, each counted under its own name", world.strangersAreRefused},
		{"nothing but TLS is between the services", world.onlyTLS},
		{"who calls whom", world.whoCallsWhom},
		{"rotations lose no request", world.rotationsLoseNothing},
		{"changes lose no request", world.changesLoseNothing},
		{"a task that fails is tried once more elsewhere, and left out", world.failingTask},
		{"a sidecar is killed", world.sidecarKilled},
		{"the control plane is away", world.controlPlaneAway},
	} {
		t.Run(story.name, func(t *testing.T) { story.tell(world{t, w.Engine}) })
	}
}

func (w world) strangersAreRefused() {
	out := w.must("mesh", "verify", "--json")
	var got struct {
		Checks []struct {
			Name, Target, Got, Counter string
			OK                         bool
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		w.Fatalf("%v in %s", err, out)
	}
	tried := map[string]int{}
	for _, c := range got.Checks {
		tried[c.Name]++
		if !c.OK {
			w.Errorf("%s at %s: %s (%s)", c.Name, c.Target, c.Got, c.Counter)
		}
	}
	if len(tried) != 7 {
		w.Errorf("tried %v", tried)
	}
}

// orders counts, so that no two are the same.
var orders atomic.Int64

// oneOrder is to be paid and notified.
func oneOrder() string {
	return fmt.Sprintf(`{"customer":"c%d@example.com","items":[{"sku":"book","quantity":1,"price":1999}]}`, orders.Add(1))
}

// orderLoad posts orders until it is stopped.
func (w world) orderLoad(conns int, every time.Duration) (answered *atomic.Int64, stop func() rig.Result) {
	answered = &atomic.Int64{}
	ctx, cancel := context.WithCancel(context.Background())
	w.Cleanup(cancel)
	result := make(chan rig.Result, 1)
	go func() {
		result <- rig.Load{
			Addr: w.Balancer(), URL: strings.TrimSuffix(w.url("order"), "/health") + "/orders", Body: oneOrder, Conns: conns, Every: every, Answered: answered,
		}.Run(ctx)
	}()
	return answered, func() rig.Result { cancel(); return <-result }
}

// sidecars are the proxies of a service's tasks.
func (w world) sidecars(service string) (out []rig.Process) {
	w.Helper()
	st, err := w.Status()
	if err != nil {
		w.Fatal(err)
	}
	for _, p := range rig.Descendants(st.InitPid) {
		if p.Parent == st.InitPid && strings.HasSuffix(p.Env("APPMESH_RESOURCE_ARN"), "/"+service+"-node-dev") && p.Command == "/bin/slipway-proxy" {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b rig.Process) int { return a.Pid - b.Pid })
	return out
}

func (w world) onlyTLS() {
	var outside, inside []*rig.Capture
	for _, p := range w.tasks("payment") {
		for iface, to := range map[string]*[]*rig.Capture{"eth0": &outside, "lo": &inside} {
			c, err := rig.StartCapture(p.Pid, iface)
			if err != nil {
				w.Fatal(err)
			}
			*to = append(*to, c)
		}
	}
	answered, stop := w.orderLoad(4, 0)
	w.eventually(time.Minute, "200 orders", func() (bool, error) { return answered.Load() >= 200, nil })
	w.lost(stop(), "orders while packets are captured")
	packets, records := 0, 0
	for _, c := range outside {
		for _, s := range c.Stop() {
			if s.From != 8080 && s.To != 8080 {
				continue // health checks of the load balancer, the control plane
			}
			packets++
			if k := s.Data[0]; len(s.Data) >= 5 && k >= 20 && k <= 23 && s.Data[1] == 3 {
				records++
			}
			for _, plain := range []string{"HTTP/1.", "POST ", "GET ", "customer", "amount", "traceparent"} {
				if bytes.Contains(s.Data, []byte(plain)) {
					w.Fatalf("%q is readable between the services: %q", plain, s.Data)
				}
			}
		}
	}
	if records < 200 {
		w.Errorf("%d TLS records in %d packets: too few for 200 orders", records, packets)
	}
	// The same requests are readable where they must be: between the sidecar and its application.
	readable := 0
	for _, c := range inside {
		for _, s := range c.Stop() {
			if bytes.Contains(s.Data, []byte("POST /")) {
				readable++
			}
		}
	}
	if readable < 200 {
		w.Errorf("%d plain requests were seen between sidecar and application: the capture misses packets", readable)
	}
	w.Logf("%d packets between the services, %d of them begin a TLS record, none is plain", packets, records)
}

// state of the mesh as the command tells it.
type meshState struct {
	Nodes []struct {
		Name, Task, Version, Acked string
		Connected                  bool
	}
	Edges []struct {
		Source, Destination string
		Requests            int64
		Retries, Ejections  int64
		MTLS                bool
	}
}

func (w world) mesh() (s meshState) {
	w.Helper()
	out := w.must("mesh", "--json")
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		w.Fatalf("%v in %s", err, out)
	}
	return s
}

func (w world) whoCallsWhom() {
	s := w.mesh()
	calls := map[string]bool{}
	for _, e := range s.Edges {
		if e.Requests > 0 {
			calls[e.Source+" "+e.Destination] = e.MTLS
		}
	}
	for _, want := range []string{"order-node-dev payment-node-dev", "order-node-dev notification-node-dev"} {
		if mtls, called := calls[want]; !called || !mtls {
			w.Errorf("%s: called %v, with mutual TLS %v; all: %v", want, called, mtls, calls)
		}
	}
	if len(s.Nodes) != 6 {
		w.Errorf("%d proxies, want 6", len(s.Nodes))
	}
}

func (w world) rotationsLoseNothing() {
	_, stop := w.orderLoad(8, 10*time.Millisecond)
	began := time.Now()
	for range *rotations {
		w.must("mesh", "rotate")
	}
	took := time.Since(began)
	w.lost(stop(), fmt.Sprintf("%d times all certificates replaced in %s", *rotations, took.Round(time.Millisecond)))
}

// changesLoseNothing changes routes, weights and endpoints under load.
func (w world) changesLoseNothing() {
	_, stop := w.orderLoad(8, 10*time.Millisecond)
	mesh, router := new("microservices-mesh-dev"), new("payment-router-dev")
	routes := call[appmeshapi.ListRoutesInput, appmeshapi.ListRoutesOutput](w, "appmesh", "ListRoutes", &appmeshapi.ListRoutesInput{MeshName: mesh, VirtualRouterName: router})
	name := routes.Routes[0].RouteName
	was := call[appmeshapi.DescribeRouteInput, appmeshapi.DescribeRouteOutput](w, "appmesh", "DescribeRoute", &appmeshapi.DescribeRouteInput{
		MeshName: mesh, VirtualRouterName: router, RouteName: name,
	}).Route.Spec
	for i := range 20 {
		spec := *was
		http := *was.HttpRoute
		action := *http.Action
		action.WeightedTargets = slices.Clone(action.WeightedTargets)
		action.WeightedTargets[0].Weight = new(int32(1 + i))
		http.Action = &action
		spec.HttpRoute = &http
		call[appmeshapi.UpdateRouteInput, appmeshapi.UpdateRouteOutput](w, "appmesh", "UpdateRoute", &appmeshapi.UpdateRouteInput{
			MeshName: mesh, VirtualRouterName: router, RouteName: name, Spec: &spec,
		})
	}
	for _, n := range []int32{5, 2, 4, 2} {
		call[ecsapi.UpdateServiceInput, ecsapi.UpdateServiceOutput](w, "ecs", "UpdateService", &ecsapi.UpdateServiceInput{
			Cluster: new("microservices-cluster-dev"), Service: new("payment-service-dev"), DesiredCount: &n,
		})
		w.eventually(time.Minute, fmt.Sprintf("%d tasks of payment", n), func() (bool, error) {
			return *w.describe("payment").RunningCount == n && len(w.tasks("payment")) == int(n), nil
		})
	}
	w.lost(stop(), "20 changes of a route, payment scaled to 5, 2, 4 and 2 tasks")
}

// failingTask lets one of two payment tasks answer 503 only.
func (w world) failingTask() {
	curl := need(w, "curl", "apt-get install curl")
	address := strings.TrimSuffix(w.url("payment"), "/health")
	host, _, _ := strings.Cut(strings.TrimPrefix(address, "http://"), "/")
	fault := func(method string) {
		w.Helper()
		if out, err := w.tool(curl, "-fsS", "-X", method, "-H", "Host: "+host, "http://"+w.Balancer()+"/payment/fault?status=503&rate=1&for=5m"); err != nil {
			w.Fatal(out, err)
		}
	}
	fault("PUT")
	answered, stop := w.orderLoad(4, 0)
	w.eventually(time.Minute, "200 orders", func() (bool, error) { return answered.Load() >= 200, nil })
	w.lost(stop(), "orders while one of two payment tasks fails")
	var retries, ejections int64
	for _, e := range w.mesh().Edges {
		if e.Source == "order-node-dev" && e.Destination == "payment-node-dev" {
			retries, ejections = retries+e.Retries, ejections+e.Ejections
		}
	}
	if retries == 0 || ejections == 0 {
		w.Errorf("%d requests were tried again, the task was left out %d times: want some of both", retries, ejections)
	}
	w.Logf("%d tries more, left out %d times", retries, ejections)
	for range 4 { // whichever it was
		fault("DELETE")
	}
}

func (w world) sidecarKilled() {
	const conns = 8
	_, stop := w.orderLoad(conns, 5*time.Millisecond)
	before := w.sidecars("order")
	if len(before) != 2 {
		w.Fatalf("%d sidecars of order: %v", len(before), before)
	}
	if err := syscall.Kill(before[0].Pid, syscall.SIGKILL); err != nil {
		w.Fatal(err)
	}
	w.eventually(time.Minute, "the task is replaced", func() (bool, error) {
		now := w.sidecars("order")
		return len(now) == 2 && !slices.ContainsFunc(now, func(p rig.Process) bool { return p.Pid == before[0].Pid }) && *w.describe("order").RunningCount == 2, nil
	})
	if failed := stop().Failures(); len(failed) > conns {
		w.Errorf("%d requests failed, want at most the %d that were in flight: %v", len(failed), conns, failed)
	} else {
		w.Logf("%d requests failed, of the %d that could be in flight", len(failed), conns)
	}
}

// controlPlaneAway stops the engine, and asks from inside the order service's
// task as its application would.
func (w world) controlPlaneAway() {
	target := w.sidecars("payment")[0]
	ip := w.addressOf(target.Pid)
	caller := w.tasks("order")[0]
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	st, err := w.Status()
	if err != nil {
		w.Fatal(err)
	}
	if err := syscall.Kill(st.EnginePid, syscall.SIGSTOP); err != nil {
		w.Fatal(err)
	}
	defer func() { _ = syscall.Kill(st.EnginePid, syscall.SIGCONT) }()
	result := make(chan rig.Result, 1)
	go func() {
		result <- rig.Load{URL: "http://payment.dev.local:8080/payment/health", Conns: 4, Every: 10 * time.Millisecond, Dial: func(ctx context.Context) (net.Conn, error) {
			return rig.DialInside(ctx, caller.Pid, net.JoinHostPort(ip, "8080"))
		}}.Run(ctx)
	}()
	_ = rig.Wait(ctx, *outage)
	cancel()
	w.lost(<-result, fmt.Sprintf("%s without control plane", *outage))
	if err := syscall.Kill(st.EnginePid, syscall.SIGCONT); err != nil {
		w.Fatal(err)
	}
	call[ecsapi.UpdateServiceInput, ecsapi.UpdateServiceOutput](w, "ecs", "UpdateService", &ecsapi.UpdateServiceInput{
		Cluster: new("microservices-cluster-dev"), Service: new("payment-service-dev"), DesiredCount: new(int32(3)),
	})
	w.eventually(time.Minute, "the new task joins", func() (bool, error) {
		n := 0
		for _, node := range w.mesh().Nodes {
			if node.Name == "payment-node-dev" && node.Connected && node.Acked == node.Version {
				n++
			}
		}
		return n == 3, fmt.Errorf("%d of 3", n)
	})
}

// addressOf is the address of a process's network.
func (w world) addressOf(pid int) (ip string) {
	w.Helper()
	err := rig.Inside(pid, func() error {
		i, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		addrs, err := i.Addrs()
		if err != nil || len(addrs) == 0 {
			return fmt.Errorf("eth0 has no address: %w", err)
		}
		ip = addrs[0].(*net.IPNet).IP.String()
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return ip
}
