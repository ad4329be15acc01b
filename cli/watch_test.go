package cli

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
)

// TestEvents: services and the stack, merged by time, each once, until ^C.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		c.stack("UPDATE_IN_PROGRESS")
		begin := time.Now()
		c.stackEvents(
			stackEvent("s1", "PaymentService", ecsService, "", "UPDATE_IN_PROGRESS", "", 0),
			stackEvent("s2", "PaymentService", ecsService, "", "UPDATE_COMPLETE", "", 2*time.Second),
		)
		handle(c, c.ecs, "DescribeServices", func(*ecsapi.DescribeServicesInput) (*ecsapi.DescribeServicesOutput, error) {
			s := ecsapi.Service{ServiceName: new("payment-service-dev"), Status: new("ACTIVE")}
			for i := range int(time.Since(begin)/time.Second) + 1 { // youngest first
				s.Events = append([]ecsapi.ServiceEvent{{Id: new(fmt.Sprint("e", i)), CreatedAt: new(begin.Add(time.Duration(i) * time.Second)), Message: new(fmt.Sprint("(service payment-service-dev) step ", i))}}, s.Events...)
			}
			return &ecsapi.DescribeServicesOutput{Services: []ecsapi.Service{s}}, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 3200*time.Millisecond)
		defer cancel()
		if code := c.run(ctx, "events", "-f", "--stack"); code != exitOK {
			t.Errorf("exit code %d: %s", code, c.err.String())
		}
		var got []string
		for line := range strings.Lines(c.out.String()) {
			_, rest, _ := strings.Cut(strings.TrimSpace(line), "  ")
			got = append(got, rest)
		}
		want := "PaymentService  UPDATE_IN_PROGRESS|payment  step 0|payment  step 1|PaymentService  UPDATE_COMPLETE|payment  step 2|payment  step 3"
		if strings.Join(got, "|") != want {
			t.Errorf("got %s", strings.Join(got, "|"))
		}
	})
}

// TestScaleWaits: it returns when the tasks serve, and fails when the
// deployment does or another one takes over.
func TestScaleWaits(t *testing.T) {
	for _, tc := range []struct {
		name, rollout, id string
		code              int
		says              string
	}{
		{"serves", "COMPLETED", "ecs-svc/2", exitOK, ""},
		{"fails", "FAILED", "ecs-svc/2", exitFailed, "the deployment failed: tasks failed to start"},
		{"overtaken", "IN_PROGRESS", "ecs-svc/3", exitFailed, "another deployment"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud(t)
			c.stack("UPDATE_COMPLETE")
			begin := time.Now()
			service := func() ecsapi.Service {
				s := ecsapi.Service{ServiceName: new("payment-service-dev"), Status: new("ACTIVE"), DesiredCount: new(int32(1)), RunningCount: new(int32(0)), Deployments: []ecsapi.Deployment{{
					Id: new("ecs-svc/2"), Status: new("PRIMARY"), RolloutState: "IN_PROGRESS", TaskDefinition: new("td/payment-service-dev:1"),
				}}}
				if time.Since(begin) > time.Second {
					s.RunningCount = new(int32(1))
					d := &s.Deployments[0]
					d.Id, d.RolloutState, d.RolloutStateReason = &tc.id, ecsapi.DeploymentRolloutState(tc.rollout), new("tasks failed to start")
				}
				return s
			}
			handle(c, c.ecs, "DescribeServices", func(*ecsapi.DescribeServicesInput) (*ecsapi.DescribeServicesOutput, error) {
				return &ecsapi.DescribeServicesOutput{Services: []ecsapi.Service{service()}}, nil
			})
			handle(c, c.ecs, "UpdateService", func(in *ecsapi.UpdateServiceInput) (*ecsapi.UpdateServiceOutput, error) {
				if *in.DesiredCount != 1 || *in.Cluster != "shop-cluster-dev" || *in.Service != "payment-service-dev" {
					t.Errorf("%+v", in)
				}
				return &ecsapi.UpdateServiceOutput{Service: new(service())}, nil
			})
			c.tasks(taskFor("payment-service-dev", "ecs-svc/2", "1aaaaaaaaaaa", "RUNNING", nil))
			if code := c.run(t.Context(), "scale", "payment", "1"); code != tc.code {
				t.Errorf("%s: exit code %d: %s", tc.name, code, c.err.String())
			}
			c.want(&c.err, tc.says)
			if took := time.Since(begin); took < time.Second || took > 2*time.Second {
				t.Errorf("%s took %s", tc.name, took)
			}
		})
	}
}

// TestProgressIsPolledGently: services in progress are asked about at most
// four times a second, and when the stack has news.
func TestProgressIsPolledGently(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud(t)
			c.terminal = terminal
			states := make([]cfnapi.StackStatus, 21) // two seconds
			for i := range states {
				states[i] = "UPDATE_IN_PROGRESS"
			}
			c.stack(append(states, "UPDATE_COMPLETE")...)
			c.stackEvents(stackEvent("1", "PaymentService", ecsService, serviceARN+"payment-service-dev", "UPDATE_IN_PROGRESS", "", 0))
			c.services(ecsapi.Service{ServiceName: new("payment-service-dev"), Status: new("ACTIVE"), DesiredCount: new(int32(2))})
			c.tasks()
			if err := c.deployment(c.app()).follow(t.Context(), time.Now(), "platform"); err != nil {
				t.Fatal(err)
			}
			if n := c.calls["DescribeServices"]; n < 5 || n > 10 {
				t.Errorf("terminal %v: asked %d times", terminal, n)
			}
		})
	}
}
