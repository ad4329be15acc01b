package cli

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // times in goldens
	os.Exit(m.Run())
}

const testManifest = `version: 1
name: shop
defaults: {desired: 2}
services:
  payment: {image: "example.com/payment:1", port: 8080}
  order: {image: "example.com/order:1", port: 8081}
`

// cloud is an engine of the API's own server with operations of the test.
type cloud struct {
	t                   *testing.T
	cfn, ecs, elb, logs *awsapi.Service
	metrics, scaling    *awsapi.Service
	appmesh             *awsapi.Service
	mu                  sync.Mutex
	calls               map[string]int
	home, manifest      string
	out, err            bytes.Buffer
	terminal            bool
	in                  io.Reader
	rollouts            []ecsapi.ServiceDeployment
	glass               io.Writer                                     // takes the output instead of out
	serve               func(http.ResponseWriter, *http.Request) bool // pages besides the API
}

func newCloud(t *testing.T) *cloud {
	c := &cloud{
		t: t, calls: map[string]int{}, home: t.TempDir(),
		cfn: awsapi.NewService("cloudformation"), ecs: awsapi.NewService("ecs"), elb: awsapi.NewService("elbv2"), logs: awsapi.NewService("logs"),
		metrics: awsapi.NewService("cloudwatch"), scaling: awsapi.NewService("application-autoscaling"), appmesh: awsapi.NewService("appmesh"),
	}
	c.manifest = filepath.Join(c.home, "slipway.yaml")
	c.file(c.manifest, testManifest)
	c.file(filepath.Join(c.home, "credentials.json"), `{"endpoint":"http://localhost:4566","region":"us-east-1","account":"000000000000","accessKey":"AKIAEXAMPLE","secretKey":"secret"}`)
	return c
}

func (c *cloud) file(path, content string) {
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// handle adds an operation and counts its calls.
func handle[I, O any](c *cloud, s *awsapi.Service, op string, fn func(*I) (*O, error)) {
	awsapi.Handle(s, op, func(_ context.Context, in *I) (*O, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.calls[op]++
		return fn(in)
	})
}

// RoundTrip serves a request in memory, so that tests can run where time is
// simulated (testing/synctest): the wire is the real one, but for TCP.
func (c *cloud) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Result(), nil
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.serve != nil && c.serve(w, r) {
		return
	}
	awsapi.NewMux(awsapi.Config{
		AnyAuth: true, DefaultScope: arn.Scope{Account: "000000000000", Region: "us-east-1"},
	}, c.cfn, c.ecs, c.elb, c.logs, c.metrics, c.scaling, c.appmesh).ServeHTTP(w, r)
}

// app of a command against the cloud.
func (c *cloud) app() *app {
	a := &app{out: &c.out, err: &c.err, in: c.in, terminal: c.terminal, transport: c}
	if c.glass != nil {
		a.out = c.glass
	}
	return a
}

// run runs a command line and returns its exit code.
func (c *cloud) run(ctx context.Context, args ...string) int {
	return c.app().run(ctx, append([]string{"--home", c.home, "--file", c.manifest}, args...), nil)
}

func (c *cloud) platform(a *app) *platform {
	a.home, a.file = c.home, c.manifest
	p, err := a.platform()
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// want checks output by parts.
func (c *cloud) want(got *bytes.Buffer, parts ...string) {
	c.t.Helper()
	for _, p := range parts {
		if !strings.Contains(got.String(), p) {
			c.t.Errorf("missing %q in:\n%s", p, got)
		}
	}
}

const (
	stackARN   = "arn:aws:cloudformation:us-east-1:000000000000:stack/Shopdev/1"
	serviceARN = "arn:aws:ecs:us-east-1:000000000000:service/shop-cluster-dev/"
	groupOne   = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/one/0123456789abcdef"
)

// stack answers DescribeStacks with one state after the other; the last stays.
func (c *cloud) stack(states ...cfnapi.StackStatus) {
	handle(c, c.cfn, "DescribeStacks", func(*cfnapi.DescribeStacksInput) (*cfnapi.DescribeStacksOutput, error) {
		i := min(c.calls["DescribeStacks"], len(states)) - 1
		if i < 0 || states[i] == "" {
			return nil, awsapi.Errorf("ValidationError", 400, "Stack with id Shopdev does not exist")
		}
		return &cfnapi.DescribeStacksOutput{Stacks: []cfnapi.Stack{{
			StackName: new("Shopdev"), StackId: new(stackARN), StackStatus: states[i], CreationTime: new(time.Now()),
		}}}, nil
	})
}

// tasks answers ListTasks and DescribeTasks.
func (c *cloud) tasks(all ...ecsapi.Task) {
	handle(c, c.ecs, "ListTasks", func(in *ecsapi.ListTasksInput) (*ecsapi.ListTasksOutput, error) {
		out := &ecsapi.ListTasksOutput{}
		for _, t := range all {
			if val(t.DesiredStatus) == string(in.DesiredStatus) {
				out.TaskArns = append(out.TaskArns, *t.TaskArn)
			}
		}
		return out, nil
	})
	handle(c, c.ecs, "DescribeTasks", func(in *ecsapi.DescribeTasksInput) (*ecsapi.DescribeTasksOutput, error) {
		out := &ecsapi.DescribeTasksOutput{}
		for _, t := range all {
			for _, want := range in.Tasks {
				if want == *t.TaskArn {
					out.Tasks = append(out.Tasks, t)
				}
			}
		}
		return out, nil
	})
}

// services answers DescribeServices.
func (c *cloud) services(all ...ecsapi.Service) {
	handle(c, c.ecs, "DescribeServices", func(in *ecsapi.DescribeServicesInput) (*ecsapi.DescribeServicesOutput, error) {
		out := &ecsapi.DescribeServicesOutput{}
		for _, s := range all {
			for _, want := range in.Services {
				if want == *s.ServiceName {
					out.Services = append(out.Services, s)
				}
			}
		}
		return out, nil
	})
}

// targets answers DescribeTargetHealth.
func (c *cloud) targets(all ...elbv2api.TargetHealthDescription) {
	handle(c, c.elb, "DescribeTargetHealth", func(*elbv2api.DescribeTargetHealthInput) (*elbv2api.DescribeTargetHealthOutput, error) {
		return &elbv2api.DescribeTargetHealthOutput{TargetHealthDescriptions: all}, nil
	})
}

func target(ip, state, reason, text string) elbv2api.TargetHealthDescription {
	return elbv2api.TargetHealthDescription{
		Target:       &elbv2api.TargetDescription{Id: &ip, Port: new(int32(8080))},
		TargetHealth: &elbv2api.TargetHealth{State: elbv2api.TargetHealthStateEnum(state), Reason: elbv2api.TargetHealthReasonEnum(reason), Description: &text},
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
