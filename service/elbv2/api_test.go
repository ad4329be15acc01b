package elbv2_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/elbv2"
)

// Over the wire, signed: pages, filters and errors as a client sees them.
func TestOverTheWire(t *testing.T) {
	w := newWorld(t)
	mux := awsapi.NewMux(awsapi.Config{DefaultScope: scope, AnyAuth: true}, w.s.API())
	srv := httptest.NewServer(mux)
	defer srv.Close()
	client := awsapi.NewClient(awsapi.ClientConfig{Endpoint: srv.URL, Region: scope.Region, AccessKey: "test", SecretKey: "test"})
	for i := range 5 {
		w.group(fmt.Sprintf("g%d", i))
	}
	var names []string
	in := &elbv2api.DescribeTargetGroupsInput{PageSize: new(int32(2))}
	for {
		out, err := awsapi.Call[elbv2api.DescribeTargetGroupsInput, elbv2api.DescribeTargetGroupsOutput](w.ctx, client, "elbv2", "DescribeTargetGroups", in)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range out.TargetGroups {
			names = append(names, *g.TargetGroupName)
		}
		if in.Marker = out.NextMarker; in.Marker == nil {
			break
		}
	}
	if !slices.Equal(names, []string{"g0", "g1", "g2", "g3", "g4"}) {
		t.Errorf("paged %v", names)
	}
	_, err := awsapi.Call[elbv2api.DescribeTargetGroupsInput, elbv2api.DescribeTargetGroupsOutput](w.ctx, client, "elbv2", "DescribeTargetGroups",
		&elbv2api.DescribeTargetGroupsInput{Names: []string{"nope"}})
	if code(err) != "TargetGroupNotFound" {
		t.Error(err)
	}
}

func TestAttributesHaveTheirDefaults(t *testing.T) {
	w := newWorld(t)
	lb, g := w.balancer("web"), w.group("g")
	got := map[string]string{}
	for _, a := range must(w.s.DescribeLoadBalancerAttributes(w.ctx, &elbv2api.DescribeLoadBalancerAttributesInput{LoadBalancerArn: lb.LoadBalancerArn}))(t).Attributes {
		got[*a.Key] = *a.Value
	}
	for _, a := range must(w.s.DescribeTargetGroupAttributes(w.ctx, &elbv2api.DescribeTargetGroupAttributesInput{TargetGroupArn: &g}))(t).Attributes {
		got[*a.Key] = *a.Value
	}
	for k, v := range map[string]string{"idle_timeout.timeout_seconds": "60", "routing.http2.enabled": "true", "deregistration_delay.timeout_seconds": "300", "stickiness.type": "lb_cookie"} {
		if got[k] != v {
			t.Errorf("%s is %q, want %q", k, got[k], v)
		}
	}
}

func TestSetRulePrioritiesSwaps(t *testing.T) {
	w := newWorld(t)
	lb, g := w.balancer("web"), w.group("g")
	l := w.listener(*lb.LoadBalancerArn, 80, notFound)
	a := must(w.rule(l, 1, g, "/a"))(t).Rules[0].RuleArn
	b := must(w.rule(l, 2, g, "/b"))(t).Rules[0].RuleArn
	must(w.s.SetRulePriorities(w.ctx, &elbv2api.SetRulePrioritiesInput{RulePriorities: []elbv2api.RulePriorityPair{{RuleArn: a, Priority: new(int32(2))}, {RuleArn: b, Priority: new(int32(1))}}}))(t)
	var order []string
	for _, r := range must(w.s.DescribeRules(w.ctx, &elbv2api.DescribeRulesInput{ListenerArn: &l}))(t).Rules {
		order = append(order, *r.Priority+" "+fmt.Sprint(len(r.Conditions)))
	}
	if fmt.Sprint(order) != "[1 1 2 1 default 0]" {
		t.Error(order)
	}
	_, err := w.s.SetRulePriorities(w.ctx, &elbv2api.SetRulePrioritiesInput{RulePriorities: []elbv2api.RulePriorityPair{{RuleArn: a, Priority: new(int32(1))}}})
	if code(err) != "PriorityInUse" {
		t.Error(err)
	}
}

// An HTTPS listener has a certificate of the engine's own authority.
func TestHTTPS(t *testing.T) {
	w := newWorld(t)
	lb := w.balancer("web")
	must(w.s.CreateListener(w.ctx, &elbv2api.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancerArn, Port: new(int32(443)), Protocol: "HTTPS", DefaultActions: notFound, SslPolicy: new("ELBSecurityPolicy-TLS13-1-2-2021-06"),
		Certificates: []elbv2api.Certificate{{CertificateArn: new("arn:aws:acm:us-east-1:123456789012:certificate/1")}},
	}))(t)
	const socket = "127.0.0.1:443"
	w.eventually("listening", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.hosts[socket] != "" })
	pem := must(w.s.Authority())(t)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "web.elb.localhost"}, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	req, _ := http.NewRequestWithContext(w.ctx, "GET", "https://"+w.hosts[socket], nil)
	req.Host = "web.elb.localhost"
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 404 || resp.ProtoMajor != 2 {
		t.Errorf("%s %s", resp.Proto, resp.Status)
	}
}

// A stack's resources are made, made again after a crash without doubling,
// and removed.
func TestCloudFormation(t *testing.T) {
	w := newWorld(t)
	types := map[string]cfn.Type{}
	for _, ty := range w.s.Resources() {
		types[ty.Name()] = ty
	}
	request := func(logical string) context.Context {
		r := cfn.Request{StackID: "arn:aws:cloudformation:us-east-1:123456789012:stack/s/1", StackName: "s", LogicalID: logical, Token: "token-" + logical}
		r.Tags = map[string]string{cfn.TagStackID: r.StackID, cfn.TagLogicalID: logical}
		return awsapi.WithToken(cfn.With(w.ctx, r), r.Token)
	}
	create := func(logical, ty string, properties map[string]any) cfn.Instance {
		t.Helper()
		one := must(types["AWS::ElasticLoadBalancingV2::"+ty].Create(request(logical), properties))(t)
		two := must(types["AWS::ElasticLoadBalancingV2::"+ty].Create(request(logical), properties))(t)
		if one.ID != two.ID {
			t.Errorf("%s made twice: %s and %s", logical, one.ID, two.ID)
		}
		must(types["AWS::ElasticLoadBalancingV2::"+ty].Read(request(logical), one))(t)
		return one
	}
	lb := create("Lb", "LoadBalancer", map[string]any{
		"Subnets": []any{subnet(0), subnet(1)}, "SecurityGroups": []any{sg}, "Scheme": "internet-facing",
		"LoadBalancerAttributes": []any{map[string]any{"Key": "idle_timeout.timeout_seconds", "Value": "30"}},
	})
	g := create("Group", "TargetGroup", map[string]any{
		"Port": "8080", "Protocol": "HTTP", "TargetType": "ip", "VpcId": vpcID, "HealthCheckPath": "/health",
		"TargetGroupAttributes": []any{map[string]any{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}},
	})
	l := create("Listener", "Listener", map[string]any{
		"LoadBalancerArn": lb.ID, "Port": 80, "Protocol": "HTTP",
		"DefaultActions": []any{map[string]any{"Type": "fixed-response", "FixedResponseConfig": map[string]any{"StatusCode": 404, "ContentType": "text/plain"}}},
	})
	rule := create("Rule", "ListenerRule", map[string]any{
		"ListenerArn": l.ID, "Priority": 10, "Actions": []any{map[string]any{"Type": "forward", "TargetGroupArn": g.ID}},
		"Conditions": []any{map[string]any{"Field": "path-pattern", "Values": []any{"/payment/*"}}},
	})
	for logical, x := range map[string]struct {
		ty string
		in cfn.Instance
	}{"Lb": {"LoadBalancer", lb}, "Listener": {"Listener", l}} {
		w.eventually(logical+" settled", func() bool {
			ok, _, err := types["AWS::ElasticLoadBalancingV2::"+x.ty].Settled(request(logical), x.in)
			return ok && err == nil
		})
	}
	if !strings.Contains(string(lb.State), `"LoadBalancerFullName":"app/`) {
		t.Errorf("attributes %s", lb.State)
	}
	for _, x := range []struct {
		ty string
		in cfn.Instance
	}{{"ListenerRule", rule}, {"Listener", l}, {"TargetGroup", g}, {"LoadBalancer", lb}} {
		for range 2 {
			if err := types["AWS::ElasticLoadBalancingV2::"+x.ty].Delete(request("x"), x.in); err != nil {
				t.Errorf("delete %s: %v", x.ty, err)
			}
		}
	}
	for _, table := range []int{count(elbv2.LoadBalancers, w), count(elbv2.Listeners, w), count(elbv2.Rules, w), count(elbv2.TargetGroups, w)} {
		if table != 0 {
			t.Error("rows are left")
		}
	}
}

func count[T any](table *store.Table[T], w *world) (n int) {
	for range table.List(w.store.Snapshot(), "") {
		n++
	}
	return n
}
