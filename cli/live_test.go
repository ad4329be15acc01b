package cli

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
)

// moment is what the API tells of the payment service from a time on.
type moment struct {
	after                            time.Duration
	revision                         string
	running, healthy, failed, oldest int32 // of the newest deployment; oldest: tasks of the one before
	rollout, reason, event           string
	current                          *ecsapi.ServiceDeployment
}

// play answers for the service by the moments.
func (c *cloud) play(moments ...moment) {
	began := time.Now()
	now := func() moment {
		at := moments[0]
		for _, m := range moments {
			if time.Since(began) >= m.after {
				at = m
			}
		}
		return at
	}
	handle(c, c.ecs, "DescribeServices", func(in *ecsapi.DescribeServicesInput) (*ecsapi.DescribeServicesOutput, error) {
		m := now()
		s := ecsapi.Service{
			ServiceName: new("payment-service-dev"), ServiceArn: new(serviceARN + "payment-service-dev"), Status: new("ACTIVE"), DesiredCount: new(int32(2)),
			RunningCount: new(m.running + m.oldest), TaskDefinition: new("td/payment-service-dev:" + m.revision),
			Deployments: []ecsapi.Deployment{{
				Id: new("ecs-svc/" + m.revision), Status: new("PRIMARY"), TaskDefinition: new("td/payment-service-dev:" + m.revision), DesiredCount: new(int32(2)),
				RunningCount: &m.running, FailedTasks: &m.failed, RolloutState: ecsapi.DeploymentRolloutState(m.rollout), RolloutStateReason: &m.reason,
			}},
		}
		if m.event != "" {
			s.Events = []ecsapi.ServiceEvent{{Id: &m.event, CreatedAt: new(began), Message: new("(service payment-service-dev) " + m.event)}}
		}
		if m.oldest > 0 {
			s.Deployments = append(s.Deployments, ecsapi.Deployment{Id: new("ecs-svc/old"), Status: new("ACTIVE"), RolloutState: "COMPLETED", RunningCount: &m.oldest})
		}
		if m.current != nil {
			s.CurrentServiceDeployment = m.current.ServiceDeploymentArn
		}
		return &ecsapi.DescribeServicesOutput{Services: []ecsapi.Service{s}}, nil
	})
	handle(c, c.ecs, "DescribeServiceDeployments", func(in *ecsapi.DescribeServiceDeploymentsInput) (*ecsapi.DescribeServiceDeploymentsOutput, error) {
		out := &ecsapi.DescribeServiceDeploymentsOutput{}
		all := c.rollouts
		if m := now(); m.current != nil {
			all = append([]ecsapi.ServiceDeployment{*m.current}, all...) // it wins over the one of the past
		}
		for _, arn := range in.ServiceDeploymentArns {
			i := slices.IndexFunc(all, func(d ecsapi.ServiceDeployment) bool { return *d.ServiceDeploymentArn == arn })
			if i >= 0 {
				out.ServiceDeployments = append(out.ServiceDeployments, all[i])
			}
		}
		return out, nil
	})
	handle(c, c.ecs, "ListTasks", func(*ecsapi.ListTasksInput) (*ecsapi.ListTasksOutput, error) {
		return &ecsapi.ListTasksOutput{TaskArns: []string{"x"}}, nil
	})
	handle(c, c.ecs, "DescribeTasks", func(*ecsapi.DescribeTasksInput) (*ecsapi.DescribeTasksOutput, error) {
		m := now()
		out := &ecsapi.DescribeTasksOutput{}
		for i := range m.healthy {
			out.Tasks = append(out.Tasks, taskFor("payment-service-dev", "ecs-svc/"+m.revision, fmt.Sprint(i+1, "aaaaaaaaaaa"), "RUNNING", nil))
		}
		return out, nil
	})
}

const deploymentARN = "arn:aws:ecs:us-east-1:000000000000:service-deployment/shop-cluster-dev/payment-service-dev/"

// rolling is a service deployment at a stage.
func rolling(strategy, status, stage string) *ecsapi.ServiceDeployment {
	return &ecsapi.ServiceDeployment{
		ServiceDeploymentArn: new(deploymentARN + "2"), ServiceArn: new(serviceARN + "payment-service-dev"), Status: ecsapi.ServiceDeploymentStatus(status),
		LifecycleStage: ecsapi.ServiceDeploymentLifecycleStage(stage), DeploymentConfiguration: &ecsapi.DeploymentConfiguration{Strategy: ecsapi.DeploymentStrategy(strategy)},
		TargetServiceRevision: &ecsapi.ServiceRevisionSummary{Arn: new("rev/2"), RequestedProductionTrafficWeight: new(10.0)},
	}
}

// TestLiveDeployment: a canary deployment that goes well, on a terminal and
// elsewhere.
func TestLiveDeployment(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud(t)
			g := &glass{}
			c.terminal, c.glass = terminal, g
			states := []string{}
			for range 24 {
				states = append(states, "UPDATE_IN_PROGRESS")
			}
			c.stack(stackStates(append(states, "UPDATE_COMPLETE")...)...)
			c.stackEvents(
				stackEvent("1", "PaymentTask", "AWS::ECS::TaskDefinition", "td", "UPDATE_IN_PROGRESS", "", 0),
				stackEvent("2", "PaymentTask", "AWS::ECS::TaskDefinition", "td", "UPDATE_COMPLETE", "", 300*time.Millisecond),
				stackEvent("3", "PaymentService", ecsService, serviceARN+"payment-service-dev", "UPDATE_IN_PROGRESS", "", 400*time.Millisecond),
				stackEvent("4", "PaymentService", ecsService, serviceARN+"payment-service-dev", "UPDATE_COMPLETE", "", 2300*time.Millisecond),
			)
			const task = "(task 0123456789abcdef0123456789abcdef)"
			c.play(
				moment{revision: "8", oldest: 2, rollout: "IN_PROGRESS", current: rolling("CANARY", "IN_PROGRESS", "SCALE_UP"), event: "has started 2 tasks: " + task + " " + task + "."},
				moment{after: 900 * time.Millisecond, revision: "8", running: 2, oldest: 2, rollout: "IN_PROGRESS", current: rolling("CANARY", "IN_PROGRESS", "SCALE_UP")},
				moment{after: 1300 * time.Millisecond, revision: "8", running: 2, healthy: 2, oldest: 2, rollout: "IN_PROGRESS", current: rolling("CANARY", "IN_PROGRESS", "PRODUCTION_TRAFFIC_SHIFT")},
				moment{after: 1700 * time.Millisecond, revision: "8", running: 2, healthy: 2, oldest: 2, rollout: "IN_PROGRESS", current: rolling("CANARY", "IN_PROGRESS", "BAKE_TIME")},
				moment{after: 2100 * time.Millisecond, revision: "8", running: 2, healthy: 2, rollout: "COMPLETED", current: rolling("CANARY", "SUCCESSFUL", "CLEAN_UP"), event: "has reached a steady state."},
			)
			if err := c.deployment(c.app()).follow(t.Context(), time.Now(), "platform"); err != nil {
				t.Fatal(err)
			}
			if terminal {
				golden(t, "live-terminal", g.String())
			} else {
				golden(t, "live-plain", g.pictures[len(g.pictures)-1]+"\n")
			}
		})
	}
}

// TestRolledBackDeployment: the circuit breaker takes a revision back; the
// command fails and says so, though the service is steady again.
func TestRolledBackDeployment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		g := &glass{}
		c.glass = g
		states := []string{}
		for range 24 {
			states = append(states, "UPDATE_IN_PROGRESS")
		}
		c.stack(stackStates(append(states, "UPDATE_ROLLBACK_COMPLETE")...)...)
		physical := serviceARN + "payment-service-dev"
		c.stackEvents(
			stackEvent("1", "PaymentService", ecsService, physical, "UPDATE_IN_PROGRESS", "", 0),
			stackEvent("2", "PaymentService", ecsService, physical, "UPDATE_FAILED", "ECS Deployment Circuit Breaker was triggered", 1000*time.Millisecond),
			stackEvent("3", "PaymentService", ecsService, physical, "UPDATE_IN_PROGRESS", "", 1200*time.Millisecond),
			stackEvent("4", "PaymentService", ecsService, physical, "UPDATE_COMPLETE", "", 2240*time.Millisecond),
		)
		c.play(
			moment{revision: "8", oldest: 2, rollout: "IN_PROGRESS"},
			moment{after: 500 * time.Millisecond, revision: "8", oldest: 2, failed: 2, rollout: "IN_PROGRESS"},
			moment{after: 1000 * time.Millisecond, revision: "7", running: 2, healthy: 2, rollout: "IN_PROGRESS", reason: "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.", event: "rolling back to deployment ecs-svc/1."},
			moment{after: 2000 * time.Millisecond, revision: "7", running: 2, healthy: 2, rollout: "COMPLETED", event: "has reached a steady state."},
		)
		err := c.deployment(c.app()).follow(t.Context(), time.Now(), "platform")
		if err == nil {
			t.Fatal("a deployment that was rolled back is told as a success")
		}
		golden(t, "live-rollback", g.pictures[len(g.pictures)-1]+"\n"+err.Error()+"\n")
	})
}
