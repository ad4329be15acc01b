package cli

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
)

// past answers ListServiceDeployments and DescribeServiceRevisions: payment's
// deployments, newest first, each of the revision with its number.
func (c *cloud) past(all ...ecsapi.ServiceDeployment) {
	c.rollouts = all
	handle(c, c.ecs, "ListServiceDeployments", func(in *ecsapi.ListServiceDeploymentsInput) (*ecsapi.ListServiceDeploymentsOutput, error) {
		out := &ecsapi.ListServiceDeploymentsOutput{}
		for _, d := range all {
			if *in.Service == short(*d.ServiceArn) && (len(in.Status) == 0 || slices.Contains(in.Status, d.Status)) {
				out.ServiceDeployments = append(out.ServiceDeployments, ecsapi.ServiceDeploymentBrief{ServiceDeploymentArn: d.ServiceDeploymentArn, Status: d.Status})
			}
		}
		return out, nil
	})
	handle(c, c.ecs, "DescribeServiceRevisions", func(in *ecsapi.DescribeServiceRevisionsInput) (*ecsapi.DescribeServiceRevisionsOutput, error) {
		out := &ecsapi.DescribeServiceRevisionsOutput{}
		for _, arn := range in.ServiceRevisionArns {
			out.ServiceRevisions = append(out.ServiceRevisions, ecsapi.ServiceRevision{ServiceRevisionArn: &arn, TaskDefinition: new("td/payment-service-dev:" + short(arn))})
		}
		return out, nil
	})
}

// deployed is a deployment of payment that ended, or runs.
func deployed(id, revision, status string, ago time.Duration) ecsapi.ServiceDeployment {
	began := time.Now().Add(-ago)
	d := ecsapi.ServiceDeployment{
		ServiceDeploymentArn: new(deploymentARN + id), ServiceArn: new(serviceARN + "payment-service-dev"), Status: ecsapi.ServiceDeploymentStatus(status),
		CreatedAt: &began, StartedAt: &began, TargetServiceRevision: &ecsapi.ServiceRevisionSummary{Arn: new("rev/" + revision)},
	}
	if status != "IN_PROGRESS" {
		d.FinishedAt = new(began.Add(4200 * time.Millisecond))
	}
	return d
}

// TestRollbackOfRunningDeployment: it is stopped with ROLLBACK and followed to
// its end.
func TestRollbackOfRunningDeployment(t *testing.T) {
	for _, args := range [][]string{{"rollback", "payment"}, {"rollback"}} {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud(t)
			c.stack("UPDATE_COMPLETE")
			running := deployed("5five", "8", "IN_PROGRESS", time.Second)
			c.past(running, deployed("4four", "7", "SUCCESSFUL", time.Hour))
			back := rolling("ROLLING", "ROLLBACK_IN_PROGRESS", "")
			over := rolling("ROLLING", "ROLLBACK_SUCCESSFUL", "")
			back.ServiceDeploymentArn, over.ServiceDeploymentArn = running.ServiceDeploymentArn, running.ServiceDeploymentArn
			c.play(
				moment{revision: "8", running: 1, oldest: 2, rollout: "IN_PROGRESS", current: &running},
				moment{after: 100 * time.Millisecond, revision: "7", running: 2, healthy: 2, rollout: "IN_PROGRESS", current: back},
				moment{after: 900 * time.Millisecond, revision: "7", running: 2, healthy: 2, rollout: "COMPLETED", current: over},
			)
			handle(c, c.ecs, "StopServiceDeployment", func(in *ecsapi.StopServiceDeploymentInput) (*ecsapi.StopServiceDeploymentOutput, error) {
				if in.StopType != "ROLLBACK" || *in.ServiceDeploymentArn != *running.ServiceDeploymentArn {
					t.Errorf("%s %s", in.StopType, *in.ServiceDeploymentArn)
				}
				return &ecsapi.StopServiceDeploymentOutput{}, nil
			})
			if code := c.run(t.Context(), args...); code != exitOK {
				t.Fatalf("exit code %d: %s", code, c.err.String())
			}
			c.want(&c.out, "payment  revision 7  rolling back  2 desired, 2 running, 2 healthy", "payment rolled back to revision payment-service-dev:7 1s")
			if c.calls["StopServiceDeployment"] != 1 {
				t.Error("it is not stopped once")
			}
		})
	}
}

// TestRollbackToRevisionBefore: the newest other revision that was deployed
// with success is deployed again, a copy where the stack has deregistered it.
func TestRollbackToRevisionBefore(t *testing.T) {
	for _, tc := range []struct {
		args           []string
		status, wanted string
		says           []string
	}{
		{[]string{"rollback", "payment"}, "ACTIVE", "payment-service-dev:6", []string{"returned to revision payment-service-dev:6 ", "still describes payment-service-dev:8", "drift", "slipway rollback payment --to 8"}},
		{[]string{"rollback", "payment"}, "INACTIVE", "payment-service-dev:9", []string{"returned to revision payment-service-dev:6, registered again as payment-service-dev:9"}},
		{[]string{"rollback", "payment", "--to", "5"}, "ACTIVE", "payment-service-dev:5", []string{"returned to revision payment-service-dev:5"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud(t)
			c.past(
				deployed("5five", "8", "SUCCESSFUL", time.Minute), deployed("4four", "7", "ROLLBACK_SUCCESSFUL", time.Hour),
				deployed("3three", "6", "SUCCESSFUL", 2*time.Hour), deployed("2two", "5", "SUCCESSFUL", 3*time.Hour),
			)
			c.play(moment{revision: "8", running: 2, healthy: 2, rollout: "COMPLETED"})
			handle(c, c.ecs, "DescribeTaskDefinition", func(in *ecsapi.DescribeTaskDefinitionInput) (*ecsapi.DescribeTaskDefinitionOutput, error) {
				return &ecsapi.DescribeTaskDefinitionOutput{TaskDefinition: &ecsapi.TaskDefinition{
					Status: ecsapi.TaskDefinitionStatus(tc.status), Family: new("payment-service-dev"), Cpu: new("512"),
					ContainerDefinitions: []ecsapi.ContainerDefinition{{Name: new("payment-container"), Image: new("x")}},
				}}, nil
			})
			handle(c, c.ecs, "RegisterTaskDefinition", func(in *ecsapi.RegisterTaskDefinitionInput) (*ecsapi.RegisterTaskDefinitionOutput, error) {
				if *in.Family != "payment-service-dev" || *in.Cpu != "512" || len(in.ContainerDefinitions) != 1 {
					t.Errorf("%+v", in)
				}
				return &ecsapi.RegisterTaskDefinitionOutput{TaskDefinition: &ecsapi.TaskDefinition{TaskDefinitionArn: new("td/payment-service-dev:9")}}, nil
			})
			handle(c, c.ecs, "UpdateService", func(in *ecsapi.UpdateServiceInput) (*ecsapi.UpdateServiceOutput, error) {
				if *in.TaskDefinition != tc.wanted {
					t.Errorf("%v deploys %s, want %s", tc.args, *in.TaskDefinition, tc.wanted)
				}
				return &ecsapi.UpdateServiceOutput{Service: &ecsapi.Service{Deployments: []ecsapi.Deployment{{Id: new("ecs-svc/8")}}}}, nil
			})
			if code := c.run(t.Context(), tc.args...); code != exitOK {
				t.Fatalf("exit code %d: %s", code, c.err.String())
			}
			c.want(&c.out, tc.says...)
		})
	}
}

// TestRollbackOfNothing: what cannot be taken back is said, with what can.
func TestRollbackOfNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		args  []string
		stack cfnapi.StackStatus
		code  int
		says  string
	}{
		"nothing runs":   {[]string{"rollback"}, "UPDATE_COMPLETE", exitUsage, "slipway rollback SERVICE"},
		"first creation": {[]string{"rollback"}, "CREATE_IN_PROGRESS", exitFailed, "slipway down"},
		"nothing before": {[]string{"rollback", "payment"}, "UPDATE_COMPLETE", exitFailed, "nothing was deployed with success before revision payment-service-dev:8"},
		"there already":  {[]string{"rollback", "payment", "--to", "8"}, "UPDATE_COMPLETE", exitUsage, "it is at revision payment-service-dev:8 already"},
		"of what":        {[]string{"rollback", "--to", "8"}, "UPDATE_COMPLETE", exitUsage, "name the service"},
		"no platform":    {[]string{"rollback"}, "", exitFailed, "slipway up"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.stack(tc.stack)
			c.past(deployed("5five", "8", "SUCCESSFUL", time.Minute))
			c.play(moment{revision: "8", running: 2, healthy: 2, rollout: "COMPLETED", current: new(deployed("5five", "8", "SUCCESSFUL", time.Minute))})
			if code := c.run(t.Context(), tc.args...); code != tc.code {
				t.Errorf("exit code %d, want %d: %s", code, tc.code, c.err.String())
			}
			c.want(&c.err, tc.says)
		})
	}
}

// TestCancelledDeployment: while the stack is updated, the whole update is
// taken back.
func TestCancelledDeployment(t *testing.T) {
	for last, code := range map[cfnapi.StackStatus]int{"UPDATE_ROLLBACK_COMPLETE": exitOK, "UPDATE_COMPLETE": exitFailed, "UPDATE_ROLLBACK_FAILED": exitFailed} {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud(t)
			c.stack("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", last)
			c.stackEvents()
			c.past()
			handle(c, c.cfn, "CancelUpdateStack", func(in *cfnapi.CancelUpdateStackInput) (*cfnapi.CancelUpdateStackOutput, error) {
				if *in.StackName != stackARN {
					t.Error(*in.StackName)
				}
				return &cfnapi.CancelUpdateStackOutput{}, nil
			})
			if got := c.run(t.Context(), "rollback"); got != code || c.calls["CancelUpdateStack"] != 1 {
				t.Errorf("%s: exit code %d, want %d: %s", last, got, code, c.err.String())
			}
			if code == exitOK {
				c.want(&c.out, "deployment cancelled: what ran before runs on")
			}
		})
	}
}
