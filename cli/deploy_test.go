package cli

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// stackEvents answers DescribeStackEvents with the events whose time has come,
// youngest first.
func (c *cloud) stackEvents(all ...cfnapi.StackEvent) {
	handle(c, c.cfn, "DescribeStackEvents", func(*cfnapi.DescribeStackEventsInput) (*cfnapi.DescribeStackEventsOutput, error) {
		out := &cfnapi.DescribeStackEventsOutput{}
		for _, e := range all {
			if !e.Timestamp.After(time.Now()) {
				out.StackEvents = append([]cfnapi.StackEvent{e}, out.StackEvents...)
			}
		}
		return out, nil
	})
}

func stackEvent(id, logical, kind, physical, status, reason string, after time.Duration) cfnapi.StackEvent {
	return cfnapi.StackEvent{
		EventId: &id, StackId: new(stackARN), StackName: new("Shopdev"), LogicalResourceId: &logical, ResourceType: &kind, PhysicalResourceId: &physical,
		ResourceStatus: cfnapi.ResourceStatus(status), ResourceStatusReason: &reason, Timestamp: new(time.Now().Add(after)),
	}
}

func (c *cloud) deployment(a *app) *deployment {
	p := c.platform(a)
	d, err := a.deployment(p.manifest, p.client)
	if err != nil {
		c.t.Fatal(err)
	}
	return d
}

// TestFailedDeploymentIsExplained: the newest failed task of this deployment,
// its exit code and its last lines, though the rollback deletes the log.
func TestFailedDeploymentIsExplained(t *testing.T) {
	for _, physical := range []string{serviceARN + "payment-service-dev", ""} {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud(t)
			c.stack("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE")
			c.stackEvents(
				stackEvent("0", "OrderService", ecsService, "", "CREATE_FAILED", "of an operation before", -time.Hour),
				stackEvent("1", "PaymentService", ecsService, physical, "UPDATE_IN_PROGRESS", "", 0),
				stackEvent("2", "PaymentService", ecsService, physical, "UPDATE_FAILED", "ECS Deployment Circuit Breaker was triggered", 100*time.Millisecond),
				stackEvent("3", "OrderService", ecsService, "", "UPDATE_FAILED", "Resource update cancelled", 100*time.Millisecond),
				stackEvent("4", "Shopdev", "AWS::CloudFormation::Stack", stackARN, "UPDATE_ROLLBACK_IN_PROGRESS", "", 100*time.Millisecond),
			)
			stopped := func(id string, age time.Duration, code int32) ecsapi.Task {
				return taskFor("payment-service-dev", "ecs-svc/2", id, "STOPPED", func(t *ecsapi.Task) {
					t.DesiredStatus, t.StopCode, t.StoppedReason = new("STOPPED"), "EssentialContainerExited", new("Essential container in task exited")
					t.CreatedAt, t.Containers[0].ExitCode = new(time.Now().Add(-age)), &code
				})
			}
			c.tasks(
				stopped("1old", time.Hour, 9), stopped("2first", 0, 2), stopped("3newest", -50*time.Millisecond, 3),
				taskFor("payment-service-dev", "ecs-svc/2", "4told", "STOPPED", func(t *ecsapi.Task) {
					t.DesiredStatus, t.StopCode, t.StoppedReason = new("STOPPED"), "UserInitiated", new("Task stopped by user")
					t.CreatedAt = new(time.Now().Add(time.Second))
				}),
			)
			c.services()
			gone := time.Now().Add(250 * time.Millisecond)
			handle(c, c.logs, "DescribeLogStreams", func(in *logsapi.DescribeLogStreamsInput) (*logsapi.DescribeLogStreamsOutput, error) {
				if *in.LogGroupName != "/ecs/payment-service-dev" || time.Now().After(gone) {
					return nil, awsapi.Errorf("ResourceNotFoundException", 400, "The specified log group does not exist.")
				}
				return &logsapi.DescribeLogStreamsOutput{LogStreams: []logsapi.LogStream{
					{LogStreamName: new("payment/payment-container/1old")}, {LogStreamName: new("payment/payment-container/3newest")},
				}}, nil
			})
			handle(c, c.logs, "GetLogEvents", func(in *logsapi.GetLogEventsInput) (*logsapi.GetLogEventsOutput, error) {
				if *in.Limit != lastLines {
					t.Errorf("%d lines are asked for", *in.Limit)
				}
				return &logsapi.GetLogEventsOutput{Events: []logsapi.OutputLogEvent{{Message: new("cannot reach the database of " + *in.LogStreamName)}}}, nil
			})
			d := c.deployment(c.app())
			err := d.follow(t.Context(), time.Now(), "platform")
			if err == nil {
				t.Fatal("no error")
			}
			want := `the deployment failed: stack Shopdev is UPDATE_ROLLBACK_COMPLETE: what ran before runs on

PaymentService (AWS::ECS::Service)
  ECS Deployment Circuit Breaker was triggered
  task 3newest (payment-service-dev:7): Essential container in task exited
  container payment-container exited with code 3
  last lines of payment/payment-container/3newest:
    cannot reach the database of payment/payment-container/3newest`
			if err.Error() != want {
				t.Errorf("got\n%s", err)
			}
		})
	}
}

func TestInterruptedDeploymentSaysWhatGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		c.stack("UPDATE_IN_PROGRESS")
		c.stackEvents()
		ctx, cancel := context.WithTimeout(t.Context(), 350*time.Millisecond)
		defer cancel()
		err := c.deployment(c.app()).follow(ctx, time.Now(), "platform")
		coded, ok := errors.AsType[*codedError](err)
		if !ok || coded.code != exitInterrupted || !strings.Contains(err.Error(), "slipway events -f --stack") {
			t.Errorf("%v", err)
		}
	})
}

// TestFirstDeployment: a platform that builds nothing is created as a whole;
// of one that failed before, the remains are deleted first.
func TestFirstDeployment(t *testing.T) {
	for _, before := range []cfnapi.StackStatus{"", "ROLLBACK_COMPLETE"} {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud(t)
			state := before
			handle(c, c.cfn, "DescribeStacks", func(in *cfnapi.DescribeStacksInput) (*cfnapi.DescribeStacksOutput, error) {
				if state == "" {
					return nil, awsapi.Errorf("ValidationError", 400, "Stack with id Shopdev does not exist")
				}
				return &cfnapi.DescribeStacksOutput{Stacks: []cfnapi.Stack{{
					StackName: new("Shopdev"), StackId: new(stackARN), StackStatus: state, CreationTime: new(time.Now()),
					Outputs: []cfnapi.Output{{OutputKey: new("ClusterName"), OutputValue: new("shop-cluster-dev")}},
				}}}, nil
			})
			handle(c, c.cfn, "DeleteStack", func(*cfnapi.DeleteStackInput) (*cfnapi.DeleteStackOutput, error) {
				state = ""
				return &cfnapi.DeleteStackOutput{}, nil
			})
			handle(c, c.cfn, "CreateStack", func(in *cfnapi.CreateStackInput) (*cfnapi.CreateStackOutput, error) {
				if !strings.Contains(*in.TemplateBody, `"PaymentService"`) || *in.StackName != "Shopdev" || len(in.Tags) == 0 {
					t.Errorf("stack %s of %d bytes, %d tags", *in.StackName, len(*in.TemplateBody), len(in.Tags))
				}
				state = "CREATE_COMPLETE"
				return &cfnapi.CreateStackOutput{StackId: new(stackARN)}, nil
			})
			c.stackEvents()
			if code := c.run(t.Context(), "deploy"); code != exitOK {
				t.Fatalf("exit code %d: %s", code, c.err.String())
			}
			if deleted := c.calls["DeleteStack"] == 1; deleted != (before != "") || c.calls["CreateStack"] != 1 {
				t.Errorf("calls %v", c.calls)
			}
		})
	}
}

// TestNothingToDeploy: an update without changes is a success.
func TestNothingToDeploy(t *testing.T) {
	c := newCloud(t)
	c.stack("UPDATE_COMPLETE")
	handle(c, c.cfn, "GetTemplate", func(*cfnapi.GetTemplateInput) (*cfnapi.GetTemplateOutput, error) {
		return &cfnapi.GetTemplateOutput{TemplateBody: new("{}")}, nil
	})
	handle(c, c.cfn, "UpdateStack", func(*cfnapi.UpdateStackInput) (*cfnapi.UpdateStackOutput, error) {
		return nil, awsapi.Errorf("ValidationError", 400, "No updates are to be performed.")
	})
	if code := c.run(t.Context(), "deploy"); code != exitOK {
		t.Fatalf("exit code %d: %s", code, c.err.String())
	}
	c.want(&c.out, "nothing to change")
}

func TestExtended(t *testing.T) {
	have := `{"Description":"d","Resources":{"A":{"Type":"X","Properties":{"old":1}},"Vpc":{"Type":"V"}},"Outputs":{"EcrRepoA":{"Value":1}}}`
	want := `{"Resources":{"A":{"Type":"X"},"B":{"Type":"X"}},"Outputs":{"EcrRepoA":{"Value":2},"EcrRepoB":{"Value":3}},"Description":"new"}`
	body, added, err := extended([]byte(have), []byte(want))
	if err != nil || added != 1 {
		t.Fatalf("%d %v", added, err)
	}
	if got := string(body); got != `{"Description":"d","Outputs":{"EcrRepoA":{"Value":1},"EcrRepoB":{"Value":3}},"Resources":{"A":{"Properties":{"old":1},"Type":"X"},"B":{"Type":"X"},"Vpc":{"Type":"V"}}}` {
		t.Error(got)
	}
	if _, added, err := extended([]byte("Resources: {}\n"), []byte(want)); added != 0 || err != nil {
		t.Errorf("a template in YAML: %d %v", added, err)
	}
}

func stackStates(words ...string) (out []cfnapi.StackStatus) {
	for _, w := range words {
		out = append(out, cfnapi.StackStatus(w))
	}
	return out
}
