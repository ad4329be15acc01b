package elbv2_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ec2"
	"github.com/slipway-dev/slipway/service/elbv2"
	"github.com/slipway-dev/slipway/service/iam"
	"github.com/slipway-dev/slipway/service/s3"
)

var scope = arn.Scope{Account: "123456789012", Region: "us-east-1"}

const vpcID = "vpc-0a1b2c3d4e5f67890"

func subnet(i int) string { return fmt.Sprintf("subnet-0000000000000000%d", i) }

const sg = "sg-00000000000000001"

// world is the service with its loops, a VPC of three zones, and a network
// in which the addresses of tasks are servers on loopback.
type world struct {
	t     *testing.T
	ctx   context.Context
	s     *elbv2.Service
	store *store.Store

	mu    sync.Mutex
	hosts map[string]string // host socket -> its loopback address
	tasks map[string]string // ip:port in the VPC -> loopback address
	taken map[string]bool
	from  string // last address dialled from
}

func (w *world) Listen(ctx context.Context, addr string) (net.Listener, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken[addr] {
		return nil, errors.New("address already in use")
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err == nil {
		w.hosts[addr] = ln.Addr().String()
	}
	return ln, err
}

func (w *world) Unlisten(_ context.Context, addr string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.hosts, addr)
	return nil
}

type network struct{ *world }

func (n network) Listen(ctx context.Context, vpc, _, addr string) (net.Listener, error) {
	return n.world.Listen(ctx, vpc+"/"+addr)
}

func (n network) Dialer(_ string, source netip.Addr) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, addr string) (net.Conn, error) {
		n.mu.Lock()
		to := n.tasks[addr]
		n.from = source.String()
		n.mu.Unlock()
		if to == "" {
			return nil, errors.New("connection refused")
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", to)
	}
}

func newWorld(t *testing.T, change ...func(*elbv2.Config)) *world {
	w := &world{t: t, hosts: map[string]string{}, tasks: map[string]string{}, taken: map[string]bool{}}
	st, err := store.Open(store.Config{}, slices.Concat(elbv2.Tables(), ec2.Tables(), s3.Tables(), iam.Tables())...)
	if err != nil {
		t.Fatal(err)
	}
	w.store = st
	w.ctx = awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: scope})
	err = st.Update(func(tx *store.Tx) error {
		meta := func(id string) ec2.Meta { return ec2.Meta{Scope: scope, ID: id} }
		ec2.VPCs.Put(tx, ec2.VPC{Meta: meta(vpcID), CIDRs: []ec2.CIDR{{Block: "10.0.0.0/16"}}})
		ec2.Groups.Put(tx, ec2.SecurityGroup{Meta: meta(sg), VPC: vpcID, Name: "alb"})
		for i, z := range ec2.Zones(scope.Region) {
			ec2.Subnets.Put(tx, ec2.Subnet{Meta: meta(subnet(i)), VPC: vpcID, AZ: z, CIDR: fmt.Sprintf("10.0.%d.0/24", i)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := elbv2.Config{Store: st, Sockets: w, Network: network{w}, Speed: 20}
	for _, c := range change {
		c(&cfg)
	}
	if w.s, err = elbv2.New(cfg); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for _, l := range w.s.Loops() {
		wg.Go(func() { _ = l.Run(ctx, st, slog.New(slog.NewTextHandler(io.Discard, nil))) })
	}
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		done, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		_ = w.s.Close(done)
		_ = st.Close()
	})
	return w
}

// must fails the test on an error.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (w *world) balancer(name string) elbv2api.LoadBalancer {
	w.t.Helper()
	out := must(w.s.CreateLoadBalancer(w.ctx, &elbv2api.CreateLoadBalancerInput{
		Name: &name, Subnets: []string{subnet(0), subnet(1), subnet(2)}, SecurityGroups: []string{sg},
	}))(w.t)
	return out.LoadBalancers[0]
}

func (w *world) group(name string, change ...func(*elbv2api.CreateTargetGroupInput)) string {
	w.t.Helper()
	in := &elbv2api.CreateTargetGroupInput{
		Name: &name, Protocol: "HTTP", Port: new(int32(8080)), VpcId: new(vpcID), TargetType: "ip", HealthCheckPath: new("/health"),
		HealthCheckIntervalSeconds: new(int32(10)), HealthyThresholdCount: new(int32(2)), UnhealthyThresholdCount: new(int32(3)),
	}
	for _, c := range change {
		c(in)
	}
	return *must(w.s.CreateTargetGroup(w.ctx, in))(w.t).TargetGroups[0].TargetGroupArn
}

func forward(group string) []elbv2api.Action {
	return []elbv2api.Action{{Type: "forward", TargetGroupArn: &group}}
}

var notFound = []elbv2api.Action{{Type: "fixed-response", FixedResponseConfig: &elbv2api.FixedResponseActionConfig{StatusCode: new("404"), ContentType: new("text/plain")}}}

func (w *world) listener(lb string, port int32, actions []elbv2api.Action) string {
	w.t.Helper()
	return *must(w.s.CreateListener(w.ctx, &elbv2api.CreateListenerInput{
		LoadBalancerArn: &lb, Port: &port, Protocol: "HTTP", DefaultActions: actions,
	}))(w.t).Listeners[0].ListenerArn
}

func (w *world) rule(listener string, priority int32, group string, paths ...string) (*elbv2api.CreateRuleOutput, error) {
	return w.s.CreateRule(w.ctx, &elbv2api.CreateRuleInput{
		ListenerArn: &listener, Priority: &priority, Actions: forward(group),
		Conditions: []elbv2api.RuleCondition{{Field: new("path-pattern"), Values: paths}},
	})
}

// task is a server at an address of the VPC.
type task struct {
	ip      string
	healthy atomic.Int64 // status of /health
	hold    chan struct{}
	srv     *http.Server
}

func (w *world) task(ip string) *task {
	w.t.Helper()
	t := &task{ip: ip, hold: make(chan struct{})}
	t.healthy.Store(200)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	t.srv = &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/health":
			rw.WriteHeader(int(t.healthy.Load()))
		case "/hold":
			<-t.hold
		}
		_, _ = io.WriteString(rw, ip)
	})}
	go func() { _ = t.srv.Serve(ln) }()
	w.t.Cleanup(func() { _ = t.srv.Close() })
	w.mu.Lock()
	w.tasks[ip+":8080"] = ln.Addr().String()
	w.mu.Unlock()
	return t
}

func (w *world) register(group string, ips ...string) {
	w.t.Helper()
	in := &elbv2api.RegisterTargetsInput{TargetGroupArn: &group}
	for _, ip := range ips {
		in.Targets = append(in.Targets, elbv2api.TargetDescription{Id: new(ip)})
	}
	must(w.s.RegisterTargets(w.ctx, in))(w.t)
}

func (w *world) health(group, ip string) elbv2api.TargetHealth {
	w.t.Helper()
	out := must(w.s.DescribeTargetHealth(w.ctx, &elbv2api.DescribeTargetHealthInput{
		TargetGroupArn: &group, Targets: []elbv2api.TargetDescription{{Id: &ip}},
	}))(w.t)
	return *out.TargetHealthDescriptions[0].TargetHealth
}

// until waits for a state of the store, following its changes.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
	defer cancel()
	rev := w.store.Snapshot().Revision()
	for !ok() {
		_, next, err := w.store.Changes(ctx, rev)
		if err != nil {
			w.t.Fatalf("waiting until %s: %v", what, err)
		}
		rev = next
	}
}

// eventually is until for what is not in the store.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("waited in vain until %s", what)
		}
	}
}

func (w *world) curl(host, path string) (int, string) {
	w.t.Helper()
	w.eventually("the port is open", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.hosts["127.0.0.1:80"] != "" })
	w.mu.Lock()
	addr := w.hosts["127.0.0.1:80"]
	w.mu.Unlock()
	req, _ := http.NewRequestWithContext(w.ctx, "GET", "http://"+addr+path, nil)
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}
