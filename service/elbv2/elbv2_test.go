package elbv2_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/service/ec2"
	"github.com/slipway-dev/slipway/service/elbv2"
)

func TestAPlatformServes(t *testing.T) {
	w := newWorld(t)
	lb := w.balancer("web")
	if *lb.DNSName != "web.elb.localhost" || lb.State.Code != "provisioning" {
		t.Errorf("created as %s %s", *lb.DNSName, lb.State.Code)
	}
	l := w.listener(*lb.LoadBalancerArn, 80, notFound)
	payment, order := w.group("payment"), w.group("order")
	must(w.rule(l, 10, payment, "/payment/*", "/payment"))(t)
	must(w.rule(l, 11, order, "/order/*", "/order"))(t)
	w.until("active", func() bool {
		b, _ := elbv2.LoadBalancers.Get(w.store.Snapshot(), *lb.LoadBalancerArn)
		return b.State == "active"
	})

	w.task("10.0.1.10")
	w.register(payment, "10.0.1.10")
	w.until("healthy", func() bool { return w.health(payment, "10.0.1.10").State == "healthy" })
	w.eventually("served", func() bool {
		code, body := w.curl("web.elb.localhost", "/payment/x")
		return code == 200 && body == "10.0.1.10"
	})
	if code, _ := w.curl("web.elb.localhost", "/order"); code != 503 {
		t.Errorf("a group without targets answers %d", code)
	}
	if code, _ := w.curl("web.elb.localhost", "/"); code != 404 {
		t.Errorf("the default action answers %d", code)
	}
	nic, err := ec2.Interfaces.Get(w.store.Snapshot(), scope.Key(func() string {
		b, _ := elbv2.LoadBalancers.Get(w.store.Snapshot(), *lb.LoadBalancerArn)
		return b.Nodes[0].Interface
	}()))
	if err != nil || nic.IP != w.from {
		t.Errorf("dialled from %s, the load balancer's address is %s (%v)", w.from, nic.IP, err)
	}
}

func TestHealthFollowsTheThresholds(t *testing.T) {
	w := newWorld(t)
	lb := w.balancer("web")
	g := w.group("g")
	if h := func() elbv2api.TargetHealth { w.register(g, "10.0.1.10"); return w.health(g, "10.0.1.10") }(); h.Reason != "Target.NotInUse" {
		t.Errorf("before the group is used: %s", h.Reason)
	}
	w.listener(*lb.LoadBalancerArn, 80, forward(g))
	w.until("initial", func() bool { return w.health(g, "10.0.1.10").Reason == "Elb.InitialHealthChecking" })
	w.until("unhealthy", func() bool { return w.health(g, "10.0.1.10").State == "unhealthy" })
	if h := w.health(g, "10.0.1.10"); h.Reason != "Target.FailedHealthChecks" || *h.Description != "Health checks failed" {
		t.Errorf("nothing listens: %s %s", h.Reason, *h.Description)
	}
	task := w.task("10.0.1.10")
	w.until("healthy", func() bool { return w.health(g, "10.0.1.10").State == "healthy" })
	task.healthy.Store(503)
	w.until("unhealthy again", func() bool { return w.health(g, "10.0.1.10").State == "unhealthy" })
	if h := w.health(g, "10.0.1.10"); h.Reason != "Target.ResponseCodeMismatch" || *h.Description != "Health checks failed with these codes: [503]" {
		t.Errorf("answers 503: %s %s", h.Reason, *h.Description)
	}
}

func TestDeregistrationWaitsForWhatIsInFlight(t *testing.T) {
	w := newWorld(t)
	lb := w.balancer("web")
	g := w.group("g")
	w.listener(*lb.LoadBalancerArn, 80, forward(g))
	task := w.task("10.0.1.10")
	w.register(g, "10.0.1.10")
	w.until("healthy", func() bool { return w.health(g, "10.0.1.10").State == "healthy" })
	w.eventually("served", func() bool { code, _ := w.curl("x", "/"); return code == 200 })
	// What was answered may still count for a moment, and must not be taken for the request below.
	w.eventually("nothing in flight", func() bool { return w.s.Proxy().Inflight(g, "10.0.1.10:8080") == 0 })
	got := make(chan string)
	go func() { _, body := w.curl("x", "/hold"); got <- body }()
	w.eventually("in flight", func() bool { return w.s.Proxy().Inflight(g, "10.0.1.10:8080") == 1 })
	must(w.s.DeregisterTargets(w.ctx, &elbv2api.DeregisterTargetsInput{TargetGroupArn: &g, Targets: []elbv2api.TargetDescription{{Id: new("10.0.1.10")}}}))(t)
	if h := w.health(g, "10.0.1.10"); h.State != "draining" || h.Reason != "Target.DeregistrationInProgress" {
		t.Errorf("%s %s", h.State, h.Reason)
	}
	w.eventually("new requests go nowhere", func() bool { code, _ := w.curl("x", "/"); return code == 503 })
	close(task.hold)
	if body := <-got; body != "10.0.1.10" {
		t.Errorf("request in flight got %q", body)
	}
	w.until("gone", func() bool { return len(elbv2.GroupTargets(w.store.Snapshot(), g)) == 0 })
}

func code(err error) string {
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	lb := w.balancer("web")
	g, other := w.group("g"), w.group("other")
	l := w.listener(*lb.LoadBalancerArn, 80, forward(g))
	must(w.rule(l, 10, g, "/a"))(t)
	second := w.balancer("second")
	for name, c := range map[string]struct {
		want string
		do   func() error
	}{
		"same name, other settings": {"DuplicateLoadBalancerName", func() error {
			_, err := w.s.CreateLoadBalancer(w.ctx, &elbv2api.CreateLoadBalancerInput{Name: new("web"), Subnets: []string{subnet(0), subnet(1)}})
			return err
		}},
		"one subnet": {"ValidationError", func() error {
			_, err := w.s.CreateLoadBalancer(w.ctx, &elbv2api.CreateLoadBalancerInput{Name: new("x"), Subnets: []string{subnet(0)}})
			return err
		}},
		"unknown subnet": {"SubnetNotFound", func() error {
			_, err := w.s.CreateLoadBalancer(w.ctx, &elbv2api.CreateLoadBalancerInput{Name: new("x"), Subnets: []string{subnet(0), "subnet-9"}})
			return err
		}},
		"unknown group": {"InvalidSecurityGroup", func() error {
			_, err := w.s.CreateLoadBalancer(w.ctx, &elbv2api.CreateLoadBalancerInput{Name: new("x"), Subnets: []string{subnet(0), subnet(1)}, SecurityGroups: []string{"sg-9"}})
			return err
		}},
		"network load balancer": {"OperationNotPermitted", func() error {
			_, err := w.s.CreateLoadBalancer(w.ctx, &elbv2api.CreateLoadBalancerInput{Name: new("x"), Type: "network", Subnets: []string{subnet(0), subnet(1)}})
			return err
		}},
		"port twice": {"DuplicateListener", func() error {
			_, err := w.s.CreateListener(w.ctx, &elbv2api.CreateListenerInput{LoadBalancerArn: lb.LoadBalancerArn, Port: new(int32(80)), Protocol: "HTTP", DefaultActions: notFound})
			return err
		}},
		"HTTPS without certificate": {"CertificateNotFound", func() error {
			_, err := w.s.CreateListener(w.ctx, &elbv2api.CreateListenerInput{LoadBalancerArn: lb.LoadBalancerArn, Port: new(int32(443)), Protocol: "HTTPS", DefaultActions: notFound})
			return err
		}},
		"priority in use":     {"PriorityInUse", func() error { _, err := w.rule(l, 10, g, "/b"); return err }},
		"too many conditions": {"ValidationError", func() error { _, err := w.rule(l, 11, g, "/1", "/2", "/3", "/4", "/5", "/6"); return err }},
		"bad path":            {"ValidationError", func() error { _, err := w.rule(l, 11, g, "/a b"); return err }},
		"group of another load balancer": {"TargetGroupAssociationLimit", func() error {
			_, err := w.s.CreateListener(w.ctx, &elbv2api.CreateListenerInput{LoadBalancerArn: second.LoadBalancerArn, Port: new(int32(80)), Protocol: "HTTP", DefaultActions: forward(g)})
			return err
		}},
		"group in use": {"ResourceInUse", func() error {
			_, err := w.s.DeleteTargetGroup(w.ctx, &elbv2api.DeleteTargetGroupInput{TargetGroupArn: &g})
			return err
		}},
		"instance targets": {"InvalidConfigurationRequest", func() error {
			_, err := w.s.CreateTargetGroup(w.ctx, &elbv2api.CreateTargetGroupInput{Name: new("x"), Protocol: "HTTP", Port: new(int32(1)), VpcId: new(vpcID)})
			return err
		}},
		"target outside the VPC": {"InvalidTarget", func() error {
			_, err := w.s.RegisterTargets(w.ctx, &elbv2api.RegisterTargetsInput{TargetGroupArn: &other, Targets: []elbv2api.TargetDescription{{Id: new("8.8.8.8")}}})
			return err
		}},
		"unknown attribute": {"ValidationError", func() error {
			_, err := w.s.ModifyTargetGroupAttributes(w.ctx, &elbv2api.ModifyTargetGroupAttributesInput{TargetGroupArn: &other, Attributes: []elbv2api.TargetGroupAttribute{{Key: new("nope"), Value: new("1")}}})
			return err
		}},
		"attribute out of range": {"InvalidConfigurationRequest", func() error {
			_, err := w.s.ModifyTargetGroupAttributes(w.ctx, &elbv2api.ModifyTargetGroupAttributesInput{TargetGroupArn: &other, Attributes: []elbv2api.TargetGroupAttribute{{Key: new("deregistration_delay.timeout_seconds"), Value: new("9999")}}})
			return err
		}},
		"unknown load balancer": {"LoadBalancerNotFound", func() error {
			_, err := w.s.DescribeLoadBalancers(w.ctx, &elbv2api.DescribeLoadBalancersInput{Names: []string{"nope"}})
			return err
		}},
		"not an ARN": {"ValidationError", func() error {
			_, err := w.s.DescribeTargetHealth(w.ctx, &elbv2api.DescribeTargetHealthInput{TargetGroupArn: new("nope")})
			return err
		}},
	} {
		if got := code(c.do()); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestTwoLoadBalancersShareAPort(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"one", "two"} {
		lb := w.balancer(name)
		w.listener(*lb.LoadBalancerArn, 80, []elbv2api.Action{{Type: "fixed-response", FixedResponseConfig: &elbv2api.FixedResponseActionConfig{StatusCode: new("200"), MessageBody: new("this is " + name)}}})
	}
	for _, name := range []string{"one", "two"} {
		w.eventually(name+" answers", func() bool { _, body := w.curl(name+".elb.localhost:80", "/"); return body == "this is "+name })
	}
	if code, _ := w.curl("three.elb.localhost", "/"); code != 404 {
		t.Errorf("an unknown name answers %d", code)
	}
}

func TestDeletingALoadBalancerLeavesNothing(t *testing.T) {
	w := newWorld(t)
	lb := w.balancer("web")
	g := w.group("g")
	l := w.listener(*lb.LoadBalancerArn, 80, forward(g))
	must(w.rule(l, 1, g, "/x"))(t)
	w.eventually("the port is open", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.hosts["127.0.0.1:80"] != "" })
	must(w.s.DeleteLoadBalancer(w.ctx, &elbv2api.DeleteLoadBalancerInput{LoadBalancerArn: lb.LoadBalancerArn}))(t)
	must(w.s.DeleteTargetGroup(w.ctx, &elbv2api.DeleteTargetGroupInput{TargetGroupArn: &g}))(t)
	snap := w.store.Snapshot()
	left := 0
	for range elbv2.Listeners.List(snap, "") {
		left++
	}
	for range elbv2.Rules.List(snap, "") {
		left++
	}
	for range ec2.Interfaces.List(snap, "") {
		left++
	}
	if left > 0 {
		t.Errorf("%d rows are left", left)
	}
	w.eventually("the port is closed", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.hosts["127.0.0.1:80"] == "" })
}

func TestATakenPortIsTold(t *testing.T) {
	w := newWorld(t, func(c *elbv2.Config) { c.HostPort = func(p int) int { return p + 8000 } })
	w.taken["127.0.0.1:8080"] = true
	lb := w.balancer("web")
	if !strings.HasSuffix(*lb.DNSName, ".elb.localhost:8080") {
		t.Errorf("DNS name %s", *lb.DNSName)
	}
	l := w.listener(*lb.LoadBalancerArn, 80, notFound)
	w.eventually("the fault is known", func() bool { return strings.Contains(w.s.Fault(l), "address already in use") })
}
