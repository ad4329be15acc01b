package cli

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	scalingapi "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
)

// eventful is a payment service with a past.
func eventful(t *testing.T) *cloud {
	c := newCloud(t)
	c.stack("UPDATE_COMPLETE")
	canary := rolling("CANARY", "IN_PROGRESS", "PRODUCTION_TRAFFIC_SHIFT")
	canary.ServiceDeploymentArn, canary.CreatedAt, canary.StartedAt = new(deploymentARN+"5five0123456789"), new(time.Now().Add(-3*time.Second)), new(time.Now().Add(-2*time.Second))
	canary.DeploymentCircuitBreaker = &ecsapi.ServiceDeploymentCircuitBreaker{FailureCount: new(int32(1)), Threshold: new(int32(3))}
	canary.TargetServiceRevision.Arn = new("rev/8")
	back := deployed("4four0123456789", "7", "ROLLBACK_SUCCESSFUL", time.Hour)
	back.Rollback = &ecsapi.Rollback{Reason: new("Service deployment rolled back because the circuit breaker threshold was exceeded.")}
	c.past(*canary, back, deployed("3three0123456789", "6", "SUCCESSFUL", 50*time.Hour))
	c.play(moment{revision: "8", running: 2, healthy: 1, failed: 1, oldest: 2, rollout: "IN_PROGRESS", event: "has started 2 tasks: (task 1)."})
	return c
}

func TestDeployments(t *testing.T) {
	for name, args := range map[string][]string{
		"deployments": {"deployments"}, "deployments-json": {"deployments", "payment", "-n", "2", "--json"},
		"deployment": {"deployments", "5five"}, "deployment-json": {"deployments", "4four", "--json"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := eventful(t)
			if code := c.run(t.Context(), args...); code != exitOK {
				t.Errorf("%s: exit code %d: %s", name, code, c.err.String())
			}
			golden(t, name, c.out.String())
		})
	}
}

// TestDeploymentsAreWatched: elsewhere than on a terminal the table is printed
// when it has changed, not when time passes.
func TestDeploymentsAreWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := eventful(t)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if code := c.run(ctx, "deployments", "-w", "--json"); code != exitOK {
			t.Errorf("exit code %d: %s", code, c.err.String())
		}
		if n := len(c.out.String()); n == 0 || c.calls["DescribeServiceDeployments"] < 5 {
			t.Errorf("%d bytes after %d calls", n, c.calls["DescribeServiceDeployments"])
		}
		if lines := countLines(c.out.String()); lines != 1 {
			t.Errorf("%d lines", lines)
		}
	})
}

func countLines(s string) (n int) {
	for _, r := range s {
		if r == '\n' {
			n++
		}
	}
	return n
}

// TestScaleKnowsTheBounds of auto scaling, and moves them when told.
func TestScaleKnowsTheBounds(t *testing.T) {
	for _, tc := range []struct {
		args  []string
		code  int
		says  string
		moved bool
	}{
		{[]string{"scale", "payment", "2"}, exitOK, "", false},
		{[]string{"scale", "payment", "9"}, exitUsage, "auto scaling keeps payment between 2 and 4 tasks and would go back there from 9; move the bounds too: slipway scale payment 9 --max 9", false},
		{[]string{"scale", "payment", "1"}, exitUsage, "--min 1", false},
		{[]string{"scale", "payment", "2", "--min", "1", "--max", "6"}, exitOK, "", true},
		{[]string{"scale", "order", "2", "--max", "6"}, exitUsage, "order has no auto scaling", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud(t)
			c.play(moment{revision: "8", running: 2, healthy: 2, rollout: "COMPLETED"})
			handle(c, c.scaling, "DescribeScalableTargets", func(in *scalingapi.DescribeScalableTargetsInput) (*scalingapi.DescribeScalableTargetsOutput, error) {
				out := &scalingapi.DescribeScalableTargetsOutput{}
				if in.ResourceIds[0] == "service/shop-cluster-dev/payment-service-dev" {
					out.ScalableTargets = append(out.ScalableTargets, scalingapi.ScalableTarget{
						ServiceNamespace: "ecs", ScalableDimension: "ecs:service:DesiredCount", ResourceId: &in.ResourceIds[0],
						MinCapacity: new(int32(2)), MaxCapacity: new(int32(4)), RoleARN: new("arn:aws:iam::000000000000:role/x"), CreationTime: new(time.Now()),
					})
				}
				return out, nil
			})
			handle(c, c.scaling, "RegisterScalableTarget", func(in *scalingapi.RegisterScalableTargetInput) (*scalingapi.RegisterScalableTargetOutput, error) {
				if *in.MinCapacity != 1 || *in.MaxCapacity != 6 {
					t.Errorf("%d to %d", *in.MinCapacity, *in.MaxCapacity)
				}
				return &scalingapi.RegisterScalableTargetOutput{}, nil
			})
			handle(c, c.ecs, "UpdateService", func(*ecsapi.UpdateServiceInput) (*ecsapi.UpdateServiceOutput, error) {
				return &ecsapi.UpdateServiceOutput{Service: &ecsapi.Service{Deployments: []ecsapi.Deployment{{Id: new("ecs-svc/8")}}}}, nil
			})
			if code := c.run(t.Context(), tc.args...); code != tc.code || (c.calls["RegisterScalableTarget"] > 0) != tc.moved {
				t.Errorf("%v: exit code %d, want %d: %s", tc.args, code, tc.code, c.err.String())
			}
			c.want(&c.err, tc.says)
		})
	}
}
