package ecs

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
)

// zonesOf counts the service's tasks that shall run by zone.
func (w *world) zonesOf() map[string]int {
	zones := map[string]int{}
	for t := range Tasks.List(w.store.Snapshot(), "") {
		if t.DesiredStatus == "RUNNING" {
			zones[t.Zone]++
		}
	}
	return zones
}

func TestASpotTaskIsReplacedBeforeItGoes(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create("good", 2)
		w.let(10 * time.Second)
		before := must(w.ListTasks(w.ctx, &ecsapi.ListTasksInput{Cluster: new("c")})).TaskArns
		warned := must(w.InterruptSpot(here, "c", "web", "", 0))
		if !slices.Equal(warned, before) {
			t.Fatalf("warned %v, of %v", warned, before)
		}
		told := must(w.DescribeTasks(w.ctx, &ecsapi.DescribeTasksInput{Cluster: new("c"), Tasks: before[:1]})).Tasks[0]
		if *told.DesiredStatus != "STOPPED" || *told.LastStatus != "RUNNING" || told.StopCode != "TerminationNotice" || *told.StoppedReason != "Your Spot Task was interrupted." {
			t.Errorf("warned: %s %s %s %q", *told.DesiredStatus, *told.LastStatus, told.StopCode, *told.StoppedReason)
		}
		w.let(20 * time.Second)
		if w.lowest < 2 {
			t.Errorf("%d healthy tasks meanwhile, want 2", w.lowest)
		}
		gone := must(w.DescribeTasks(w.ctx, &ecsapi.DescribeTasksInput{Cluster: new("c"), Tasks: before[:1]})).Tasks[0]
		if *gone.LastStatus != "STOPPED" || gone.StopCode != "SpotInterruption" {
			t.Errorf("in the end: %s %s", *gone.LastStatus, gone.StopCode)
		}
		if svc := w.service(); *svc.RunningCount != 2 || svc.Deployments[0].RolloutState != "COMPLETED" || *svc.Deployments[0].FailedTasks != 0 {
			t.Errorf("%d running, %s, %d failed", *svc.RunningCount, svc.Deployments[0].RolloutState, *svc.Deployments[0].FailedTasks)
		}
		if w.undrained > 0 {
			t.Errorf("%d tasks were signaled before their targets had drained", w.undrained)
		}
	})
}

func TestASpotTaskGoesWhenItsTimeIsUp(t *testing.T) {
	inWorld(t, func(w *world) {
		w.capacity = Capacity{CPU: 256, Memory: 512} // there is no room for another
		w.create("good", 1)
		w.let(10 * time.Second)
		warned := must(w.InterruptSpot(here, "c", "web", "", 1))
		status := func() string {
			return *must(w.DescribeTasks(w.ctx, &ecsapi.DescribeTasksInput{Cluster: new("c"), Tasks: warned})).Tasks[0].LastStatus
		}
		if w.let(80 * time.Second); status() != "RUNNING" {
			t.Errorf("it is %s although nothing serves in its place", status())
		}
		if w.let(30 * time.Second); status() != "STOPPED" {
			t.Errorf("it is %s after two minutes", status())
		}
		w.let(10 * time.Second)
		if svc := w.service(); *svc.RunningCount != 1 {
			t.Errorf("%d run once there is room", *svc.RunningCount)
		}
	})
}

func TestAZoneIsLostAndComesBack(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create("good", 6)
		w.let(10 * time.Second)
		dead := must(w.LoseZone("us-east-1a"))
		if len(dead) != 2 {
			t.Fatalf("%d tasks die, want 2", len(dead))
		}
		w.let(10 * time.Second)
		if z := w.zonesOf(); z["us-east-1a"] != 0 || z["us-east-1b"] != 3 || z["us-east-1c"] != 3 || w.lowest < 4 {
			t.Errorf("without the zone: %v, %d healthy meanwhile", z, w.lowest)
		}
		if svc := w.service(); *svc.RunningCount != 6 || *svc.Deployments[0].FailedTasks != 0 {
			t.Errorf("%d running, %d failed", *svc.RunningCount, *svc.Deployments[0].FailedTasks)
		}
		if err := w.RestoreZone("us-east-1a"); err != nil {
			t.Fatal(err)
		}
		w.let(time.Minute)
		if z := w.zonesOf(); z["us-east-1a"] != 2 || z["us-east-1b"] != 2 || w.lowest < 6 {
			t.Errorf("with the zone again: %v, %d healthy meanwhile", z, w.lowest)
		}
		for _, text := range []string{
			"is not AZ balanced with 3 tasks in us-east-1b, 3 tasks in us-east-1c, 0 tasks in us-east-1a. AZ Rebalancing in progress.",
			"has started 1 tasks in us-east-1a to AZ Rebalance:", "due to AZ rebalancing:",
		} {
			if !strings.Contains(w.transcript(), text) {
				t.Errorf("no %q in\n%s", text, w.transcript())
			}
		}
		if w.undrained > 0 {
			t.Errorf("%d tasks were signaled before their targets had drained", w.undrained)
		}
	})
}

func TestWithoutRebalancingTasksStayWhereTheyAre(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create("good", 6)
		must(w.UpdateService(w.ctx, &ecsapi.UpdateServiceInput{Cluster: new("c"), Service: new("web"), AvailabilityZoneRebalancing: "DISABLED"}))
		w.let(10 * time.Second)
		must(w.LoseZone("us-east-1a"))
		w.let(10 * time.Second)
		if err := w.RestoreZone("us-east-1a"); err != nil {
			t.Fatal(err)
		}
		w.let(time.Minute)
		if z := w.zonesOf(); z["us-east-1a"] != 0 {
			t.Errorf("tasks by zone: %v", z)
		}
	})
}

func TestWhatDoesNotFitIsToldOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.capacity = Capacity{CPU: 1024, Memory: 4096} // four tasks of 256
		w.create("good", 3)
		w.let(10 * time.Second)
		must(w.UpdateService(w.ctx, &ecsapi.UpdateServiceInput{Cluster: new("c"), Service: new("web"), DesiredCount: new(int32(6))}))
		w.let(30 * time.Second)
		if svc := w.service(); *svc.RunningCount != 4 {
			t.Errorf("%d run, four fit", *svc.RunningCount)
		}
		text := "was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different availability zone. Of the machine, 1024 CPU units"
		if n := strings.Count(w.transcript(), text); n != 1 {
			t.Errorf("told %d times:\n%s", n, w.transcript())
		}
		out := must(w.RunTask(w.ctx, &ecsapi.RunTaskInput{
			Cluster: new("c"), TaskDefinition: new("web"), LaunchType: "FARGATE",
			NetworkConfiguration: &ecsapi.NetworkConfiguration{AwsvpcConfiguration: &ecsapi.AwsVpcConfiguration{Subnets: []string{"subnet-a"}}},
		}))
		if len(out.Failures) != 1 || *out.Failures[0].Reason != unavailable || out.Failures[0].Detail == nil {
			t.Errorf("RunTask: %+v", out.Failures)
		}
		must(w.UpdateService(w.ctx, &ecsapi.UpdateServiceInput{Cluster: new("c"), Service: new("web"), DesiredCount: new(int32(1))}))
		w.let(30 * time.Second)
		must(w.UpdateService(w.ctx, &ecsapi.UpdateServiceInput{Cluster: new("c"), Service: new("web"), DesiredCount: new(int32(4))}))
		w.let(30 * time.Second)
		if svc := w.service(); *svc.RunningCount != 4 {
			t.Errorf("%d run after room was made", *svc.RunningCount)
		}
	})
}
