package ecs

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/ec2"
	"github.com/slipway-dev/slipway/service/elbv2"
)

func TestAServiceComesUpAndIsSteady(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create("good", 3)
		w.let(10 * time.Second)
		svc := w.service()
		if *svc.RunningCount != 3 || *svc.PendingCount != 0 || svc.Deployments[0].RolloutState != "COMPLETED" {
			t.Errorf("%d running, %d pending, %s", *svc.RunningCount, *svc.PendingCount, svc.Deployments[0].RolloutState)
		}
		var zones []string
		for row := range Tasks.List(w.store.Snapshot(), "") {
			zones = append(zones, row.Zone)
			if row.Provider != "FARGATE_SPOT" {
				t.Errorf("task on %q", row.Provider)
			}
		}
		slices.Sort(zones)
		if !slices.Equal(zones, []string{"us-east-1a", "us-east-1b", "us-east-1c"}) {
			t.Errorf("zones %v", zones)
		}
		want := `(service web) has started 3 tasks: (task task-1) (task task-2) (task task-3).
(service web) registered 1 targets in (target-group GROUP)
(service web) registered 1 targets in (target-group GROUP)
(service web) registered 1 targets in (target-group GROUP)
(service web) (deployment deployment-1) deployment completed.
(service web) has reached a steady state.
`
		if got := w.transcript(); got != want {
			t.Errorf("events:\n%s\nwant:\n%s", got, want)
		}
	})
}

func TestAnUpdateKeepsServing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create("good", 4)
		w.let(10 * time.Second)
		w.deploy("good")
		w.let(30 * time.Second)
		svc := w.service()
		if len(svc.Deployments) != 1 || svc.Deployments[0].RolloutState != "COMPLETED" || *svc.RunningCount != 4 {
			t.Errorf("after the update: %d deployments, %d running", len(svc.Deployments), *svc.RunningCount)
		}
		if w.lowest < 4 || w.most > 8 {
			t.Errorf("between %d healthy and %d live tasks, want at least 4 and at most 8", w.lowest, w.most)
		}
		if w.undrained > 0 {
			t.Errorf("%d tasks were stopped before their targets had drained", w.undrained)
		}
	})
}

func TestADeadTaskIsReplaced(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create("good", 2)
		w.let(10 * time.Second)
		victim := must(w.ListTasks(w.ctx, &ecsapi.ListTasksInput{Cluster: new("c")})).TaskArns[0]
		w.update(func(tx *store.Tx) error {
			st, err := agent.Statuses.Get(tx, victim)
			st.LastStatus, st.StopCode, st.StoppedReason, st.StoppedAt = agent.Stopped, "EssentialContainerExited", "Essential container in task exited", time.Now()
			agent.Statuses.Put(tx, st)
			return err
		})
		w.let(10 * time.Second)
		if svc := w.service(); *svc.RunningCount != 2 {
			t.Errorf("%d running", *svc.RunningCount)
		}
		out := must(w.DescribeTasks(w.ctx, &ecsapi.DescribeTasksInput{Cluster: new("c"), Tasks: []string{victim}})).Tasks[0]
		if *out.LastStatus != "STOPPED" || out.StopCode != "EssentialContainerExited" || *out.StoppedReason != "Essential container in task exited" {
			t.Errorf("the dead task: %s %s %s", *out.LastStatus, out.StopCode, *out.StoppedReason)
		}
		if n := len(slices.Collect(ec2.Interfaces.List(w.store.Snapshot(), ""))); n != 2 {
			t.Errorf("%d interfaces, want 2", n)
		}
	})
}

func TestManyTasksThatDieAtOnceAreReplacedAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create("good", 12)
		w.let(10 * time.Second)
		w.update(func(tx *store.Tx) error {
			for st := range agent.Statuses.List(tx, "") {
				st.LastStatus, st.StopCode, st.StoppedReason, st.StoppedAt = agent.Stopped, "EssentialContainerExited", "Essential container in task exited", time.Now()
				agent.Statuses.Put(tx, st)
			}
			return nil
		})
		w.let(5 * time.Second)
		if svc := w.service(); *svc.RunningCount != 12 {
			t.Errorf("%d running after 5 s, want 12", *svc.RunningCount)
		}
	})
}

func TestARevisionThatCannotRunIsRolledBack(t *testing.T) {
	for _, image := range []string{"crash", "sick"} {
		t.Run(image, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.create("good", 2)
				w.let(10 * time.Second)
				before := must(w.ListTasks(w.ctx, &ecsapi.ListTasksInput{Cluster: new("c")})).TaskArns
				w.deploy(image)
				w.let(2 * time.Minute)
				svc := w.service()
				d := svc.Deployments[0]
				after := must(w.ListTasks(w.ctx, &ecsapi.ListTasksInput{Cluster: new("c")})).TaskArns
				if !slices.Equal(before, after) {
					t.Errorf("the tasks that worked were replaced: %v, then %v", before, after)
				}
				if d.RolloutState != "COMPLETED" || *d.TaskDefinition != here.ARN("ecs", "task-definition/web:1") || *svc.RunningCount != 2 {
					t.Errorf("after the rollback: %s %s, %d running\n%s", d.RolloutState, *d.TaskDefinition, *svc.RunningCount, w.transcript())
				}
				if w.lowest < 2 {
					t.Errorf("%d healthy tasks meanwhile, want 2", w.lowest)
				}
				for _, line := range []string{"deployment failed: tasks failed to start.", "rolling back to deployment deployment-1.", "has reached a steady state."} {
					if !strings.Contains(w.transcript(), line) {
						t.Errorf("no event %q in\n%s", line, w.transcript())
					}
				}
			})
		})
	}
}

func TestAFirstDeploymentThatFailsStalls(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create("crash", 2)
		w.let(time.Minute)
		d := w.service().Deployments[0]
		if d.RolloutState != "FAILED" || *d.FailedTasks < 3 {
			t.Errorf("%s after %d failed tasks", d.RolloutState, *d.FailedTasks)
		}
		n := len(slices.Collect(Tasks.List(w.store.Snapshot(), "")))
		w.let(10 * time.Minute)
		if more := len(slices.Collect(Tasks.List(w.store.Snapshot(), ""))); more > n {
			t.Errorf("a failed deployment started %d more tasks", more-n)
		}
		w.deploy("good")
		w.let(time.Minute)
		svc := w.service()
		if len(svc.Deployments) != 1 || svc.Deployments[0].RolloutState != "COMPLETED" || *svc.RunningCount != 2 {
			t.Errorf("after an update: %d deployments, %s, %d running", len(svc.Deployments), svc.Deployments[0].RolloutState, *svc.RunningCount)
		}
	})
}

func TestDeletingAServiceDrainsIt(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create("good", 3)
		w.let(10 * time.Second)
		must(w.DeleteService(w.ctx, &ecsapi.DeleteServiceInput{Cluster: new("c"), Service: new("web"), Force: new(true)}))
		w.let(time.Second)
		if s := *w.service().Status; s != "DRAINING" {
			t.Errorf("status %s", s)
		}
		w.let(20 * time.Second)
		if s := *w.service().Status; s != "INACTIVE" {
			t.Errorf("status %s", s)
		}
		if w.undrained > 0 {
			t.Errorf("%d tasks were stopped before their targets had drained", w.undrained)
		}
		must(w.DeleteCluster(w.ctx, &ecsapi.DeleteClusterInput{Cluster: new("c")}))
		w.let(2 * time.Hour)
		if n := len(slices.Collect(Tasks.List(w.store.Snapshot(), ""))); n != 0 {
			t.Errorf("%d tasks are remembered after two hours", n)
		}
	})
}

func TestScalingInStopsInTheFullestZone(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create("good", 6)
		w.let(10 * time.Second)
		must(w.UpdateService(w.ctx, &ecsapi.UpdateServiceInput{Cluster: new("c"), Service: new("web"), DesiredCount: new(int32(3))}))
		w.let(20 * time.Second)
		zones := map[string]int{}
		for row := range Tasks.List(w.store.Snapshot(), "") {
			if row.DesiredStatus == "RUNNING" {
				zones[row.Zone]++
			}
		}
		if len(zones) != 3 {
			t.Errorf("tasks per zone: %v", zones)
		}
	})
}

// A task that dies again and again is said so once; the tasks that took its
// place are told each time.
func TestAComplaintIsNotRepeated(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create("sick", 2)
		must(w.UpdateService(w.ctx, &ecsapi.UpdateServiceInput{Cluster: new("c"), Service: new("web"), DeploymentConfiguration: &ecsapi.DeploymentConfiguration{
			DeploymentCircuitBreaker: &ecsapi.DeploymentCircuitBreaker{Enable: new(false), Rollback: new(false)},
		}}))
		w.let(20 * time.Minute)
		events := w.transcript()
		if n := strings.Count(events, "is unable to consistently start tasks successfully."); n != 1 {
			t.Errorf("%d complaints in\n%s", n, events)
		}
		if n := strings.Count(events, "Amazon ECS replaced"); n < 2 {
			t.Errorf("%d replacements told in\n%s", n, events)
		}
	})
}

// A rule is pointed at a new group before the service is, as Terraform does:
// the tasks of the old group run until others serve in the new one.
func TestAGroupWithoutRequestsJudgesNobody(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create("good", 3)
		w.let(10 * time.Second)
		w.update(func(tx *store.Tx) error {
			for rule := range elbv2.Rules.List(tx, "") {
				rule.Actions = []elbv2api.Action{{Type: "forward", TargetGroupArn: new(alternateARN)}}
				elbv2.Rules.Put(tx, rule)
			}
			for target := range elbv2.Targets.List(tx, "") {
				target.State = elbv2.Unused
				elbv2.Targets.Put(tx, target)
			}
			return nil
		})
		must(w.UpdateService(w.ctx, &ecsapi.UpdateServiceInput{
			Cluster: new("c"), Service: new("web"),
			LoadBalancers: []ecsapi.LoadBalancer{{TargetGroupArn: new(alternateARN), ContainerName: new("web"), ContainerPort: new(int32(80))}},
		}))
		w.let(1500 * time.Millisecond) // the new ones are not healthy yet
		if w.most != 6 {
			t.Errorf("%d tasks live while the new ones come up, want the old three as well", w.most)
		}
		w.let(30 * time.Second)
		if svc := w.service(); *svc.RunningCount != 3 || svc.Deployments[0].RolloutState != "COMPLETED" || len(elbv2.GroupTargets(w.store.Snapshot(), groupARN)) > 0 {
			t.Errorf("%d running, %s", *svc.RunningCount, svc.Deployments[0].RolloutState)
		}
	})
}
