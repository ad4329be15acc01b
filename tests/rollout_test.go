package tests

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	scalingapi "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/tests/rig"
)

var updates = flag.Int("updates", 3, "how often each strategy updates all three services while requests are sent; 10 for the long version")

// Three services are updated back to back in every way there is, scaled out
// and in, while 32 connections send requests the whole time. None fails.
func TestUpdatesLoseNoRequest(t *testing.T) {
	w := newWorld(t)
	// A faster clock shortens bake times, health checks and drains alike.
	w.must(append(w.StartArgs(), "--speed", "20")...)
	w.must("up")
	bakes := int32(1) // three seconds at this speed
	for _, story := range []struct {
		name   string
		config *ecsapi.DeploymentConfiguration
	}{
		{"rolling", &ecsapi.DeploymentConfiguration{Strategy: "ROLLING"}},
		{"blue-green", &ecsapi.DeploymentConfiguration{Strategy: "BLUE_GREEN", BakeTimeInMinutes: new(int32(0))}},
		{"canary", &ecsapi.DeploymentConfiguration{
			Strategy: "CANARY", BakeTimeInMinutes: new(int32(0)),
			CanaryConfiguration: &ecsapi.CanaryConfiguration{CanaryPercent: new(float64(10)), CanaryBakeTimeInMinutes: &bakes},
		}},
		{"linear", &ecsapi.DeploymentConfiguration{
			Strategy: "LINEAR", BakeTimeInMinutes: new(int32(0)),
			LinearConfiguration: &ecsapi.LinearConfiguration{StepPercent: new(float64(50)), StepBakeTimeInMinutes: &bakes},
		}},
	} {
		t.Run(story.name, func(t *testing.T) {
			w := world{t, w.Engine}
			_, stop := w.load(32/len(services)+1, 10*time.Millisecond, services...)
			began := time.Now()
			for round := range *updates {
				for _, s := range services {
					in := &ecsapi.UpdateServiceInput{
						Cluster: new("microservices-cluster-dev"), Service: new(s + "-service-dev"), ForceNewDeployment: new(true), DeploymentConfiguration: story.config,
					}
					if story.name != "rolling" && round == 0 {
						in.LoadBalancers = w.shiftable(s)
					}
					call[ecsapi.UpdateServiceInput, ecsapi.UpdateServiceOutput](w, "ecs", "UpdateService", in)
				}
				for _, s := range services {
					w.deployed(s, "SUCCESSFUL")
				}
			}
			took := time.Since(began)
			w.lost(stop(), fmt.Sprintf("%d updates %s in %s", *updates*len(services), story.name, took.Round(10*time.Millisecond)))
		})
	}
	t.Run("scaling", func(t *testing.T) {
		w := world{t, w.Engine}
		w.scaleByHand()
		_, stop := w.load(32/len(services)+1, 10*time.Millisecond, services...)
		for range *updates {
			for _, n := range []int32{6, 2} {
				for _, s := range services {
					call[ecsapi.UpdateServiceInput, ecsapi.UpdateServiceOutput](w, "ecs", "UpdateService", &ecsapi.UpdateServiceInput{
						Cluster: new("microservices-cluster-dev"), Service: new(s + "-service-dev"), DesiredCount: &n,
					})
				}
				w.eventually(time.Minute, fmt.Sprintf("%d tasks of each service", n), func() (bool, error) {
					return !slices.ContainsFunc(services, func(s string) bool { return *w.describe(s).RunningCount != n || len(w.tasks(s)) != int(n) }), nil
				})
			}
		}
		w.lost(stop(), fmt.Sprintf("%d times from 6 tasks to 18 and back", *updates))
	})
}

// scaleByHand suspends auto scaling, which would take idle tasks away again.
func (w world) scaleByHand() {
	w.Helper()
	for _, s := range services {
		call[scalingapi.RegisterScalableTargetInput, scalingapi.RegisterScalableTargetOutput](w, "application-autoscaling", "RegisterScalableTarget", &scalingapi.RegisterScalableTargetInput{
			ServiceNamespace: "ecs", ResourceId: new("service/microservices-cluster-dev/" + s + "-service-dev"), ScalableDimension: "ecs:service:DesiredCount",
			SuspendedState: &scalingapi.SuspendedState{DynamicScalingInSuspended: new(true), DynamicScalingOutSuspended: new(true)},
		})
	}
}

// lost fails the story when a request has failed.
func (w world) lost(r rig.Result, what string) {
	w.Helper()
	if f := r.Failures(); len(f) > 0 {
		w.Errorf("%d of %d requests failed, the first: %s, the last: %s", len(f), len(r), f[0], f[len(f)-1])
	}
	w.Logf("%s; %d requests meanwhile, %d failed, the slowest took %s", what, len(r), len(r.Failures()), r.Slowest().Round(time.Millisecond))
}

// deployed waits for the end of a service's deployment, which has to be as
// wanted.
func (w world) deployed(service, want string) ecsapi.ServiceDeployment {
	w.Helper()
	var d ecsapi.ServiceDeployment
	w.eventually(time.Minute, service+" is deployed", func() (bool, error) {
		d = w.deployment(service)
		return d.FinishedAt != nil, fmt.Errorf("%s %s", d.Status, d.LifecycleStage)
	})
	if string(d.Status) != want {
		w.Fatalf("the deployment of %s ended %s: %s", service, d.Status, val(d.StatusReason))
	}
	return d
}

// deployment is a service's newest service deployment.
func (w world) deployment(service string) ecsapi.ServiceDeployment {
	w.Helper()
	list := call[ecsapi.ListServiceDeploymentsInput, ecsapi.ListServiceDeploymentsOutput](w, "ecs", "ListServiceDeployments", &ecsapi.ListServiceDeploymentsInput{
		Cluster: new("microservices-cluster-dev"), Service: new(service + "-service-dev"),
	})
	out := call[ecsapi.DescribeServiceDeploymentsInput, ecsapi.DescribeServiceDeploymentsOutput](w, "ecs", "DescribeServiceDeployments", &ecsapi.DescribeServiceDeploymentsInput{
		ServiceDeploymentArns: []string{*list.ServiceDeployments[0].ServiceDeploymentArn},
	})
	return out.ServiceDeployments[0]
}

// shiftable are a service's load balancers with what it takes to shift
// traffic: a second target group, and the rule that the service has.
func (w world) shiftable(service string) []ecsapi.LoadBalancer {
	w.Helper()
	lb := w.describe(service).LoadBalancers[0]
	if lb.AdvancedConfiguration != nil {
		return []ecsapi.LoadBalancer{lb}
	}
	groups := call[elbv2api.DescribeTargetGroupsInput, elbv2api.DescribeTargetGroupsOutput](w, "elbv2", "DescribeTargetGroups", &elbv2api.DescribeTargetGroupsInput{
		TargetGroupArns: []string{*lb.TargetGroupArn},
	})
	g := groups.TargetGroups[0]
	second := call[elbv2api.CreateTargetGroupInput, elbv2api.CreateTargetGroupOutput](w, "elbv2", "CreateTargetGroup", &elbv2api.CreateTargetGroupInput{
		Name: new(service + "-green"), Port: g.Port, Protocol: g.Protocol, VpcId: g.VpcId, TargetType: "ip", HealthCheckPath: g.HealthCheckPath,
		HealthCheckIntervalSeconds: g.HealthCheckIntervalSeconds, HealthCheckTimeoutSeconds: g.HealthCheckTimeoutSeconds, HealthyThresholdCount: g.HealthyThresholdCount,
	})
	listeners := call[elbv2api.DescribeListenersInput, elbv2api.DescribeListenersOutput](w, "elbv2", "DescribeListeners", &elbv2api.DescribeListenersInput{LoadBalancerArn: &g.LoadBalancerArns[0]})
	rules := call[elbv2api.DescribeRulesInput, elbv2api.DescribeRulesOutput](w, "elbv2", "DescribeRules", &elbv2api.DescribeRulesInput{ListenerArn: listeners.Listeners[0].ListenerArn})
	for _, r := range rules.Rules {
		if val(r.Actions[0].TargetGroupArn) == *lb.TargetGroupArn {
			lb.AdvancedConfiguration = &ecsapi.AdvancedConfiguration{
				AlternateTargetGroupArn: second.TargetGroups[0].TargetGroupArn, ProductionListenerRule: r.RuleArn,
				RoleArn: new("arn:aws:iam::000000000000:role/ecs-shifts-traffic"),
			}
			return []ecsapi.LoadBalancer{lb}
		}
	}
	w.Fatalf("no rule forwards to %s", *lb.TargetGroupArn)
	return nil
}
