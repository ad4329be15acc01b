package ecs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/cloudwatch"
	"github.com/slipway-dev/slipway/service/elbv2"
)

// shifting makes a service with n tasks whose traffic is moved by a strategy.
func (w *world) shifting(n int32, c ecsapi.DeploymentConfiguration) {
	w.define("good")
	c.DeploymentCircuitBreaker = &ecsapi.DeploymentCircuitBreaker{Enable: new(true), Rollback: new(true)}
	must(w.CreateService(w.ctx, &ecsapi.CreateServiceInput{
		ServiceName: new("web"), Cluster: new("c"), TaskDefinition: new("web"), DesiredCount: &n,
		NetworkConfiguration: &ecsapi.NetworkConfiguration{AwsvpcConfiguration: &ecsapi.AwsVpcConfiguration{
			Subnets: []string{"subnet-a", "subnet-b", "subnet-c"}, SecurityGroups: []string{"sg-1"},
		}},
		LoadBalancers: []ecsapi.LoadBalancer{{
			TargetGroupArn: new(groupARN), ContainerName: new("web"), ContainerPort: new(int32(80)),
			AdvancedConfiguration: &ecsapi.AdvancedConfiguration{
				AlternateTargetGroupArn: new(alternateARN), ProductionListenerRule: new("rule"), TestListenerRule: new("test-rule"),
				RoleArn: new("arn:aws:iam::000000000000:role/ecs"),
			},
		}},
		DeploymentConfiguration: &c,
	}))
}

// traffic is the share of a rule's requests that each target group gets, and
// served is false when a group that gets some has no healthy target.
func (w *world) traffic(rule string) (share string, served bool) {
	snap := w.store.Snapshot()
	u := must(elbv2.Rules.Get(snap, rule))
	served = true
	var parts []string
	if u.Actions[0].ForwardConfig == nil {
		return "untouched", true // a rolling service leaves its rules alone
	}
	for _, t := range u.Actions[0].ForwardConfig.TargetGroups {
		healthy := slices.ContainsFunc(elbv2.GroupTargets(snap, *t.TargetGroupArn), func(t elbv2.Target) bool { return t.State == elbv2.Healthy })
		if *t.Weight > 0 {
			served = served && healthy
			parts = append(parts, fmt.Sprintf("%s %d", strings.Split(*t.TargetGroupArn, "/")[1], *t.Weight))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", "), served
}

// watch lets time pass and tells each change of the deployment: its stage and
// where the production and the test traffic go. It fails when traffic goes
// where nothing is healthy.
func (w *world) watch(d time.Duration) []string {
	var out []string
	last := ""
	for end := time.Now().Add(d); time.Now().Before(end); {
		w.let(time.Second)
		rec := w.deployment()
		production, served := w.traffic("rule")
		test, _ := w.traffic("test-rule")
		if !served {
			w.Errorf("traffic goes where nothing is healthy: %s, %s", rec.Status, production)
		}
		now := fmt.Sprintf("%s %s: %s (test %s)", rec.Status, rec.LifecycleStage, production, test)
		if now != last {
			out, last = append(out, now), now
		}
	}
	return out
}

// deployment is the newest service deployment.
func (w *world) deployment() ecsapi.ServiceDeployment {
	list := must(w.ListServiceDeployments(w.ctx, &ecsapi.ListServiceDeploymentsInput{Cluster: new("c"), Service: new("web")})).ServiceDeployments
	return must(w.DescribeServiceDeployments(w.ctx, &ecsapi.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{*list[0].ServiceDeploymentArn}})).ServiceDeployments[0]
}

func (w *world) expect(got []string, want string) {
	w.Helper()
	if g := strings.Join(got, "\n"); strings.TrimSpace(want) != g {
		w.Errorf("got:\n%s\nwant:\n%s", g, strings.TrimSpace(want))
	}
}

func TestABlueGreenDeploymentShiftsAllAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.shifting(3, ecsapi.DeploymentConfiguration{Strategy: "BLUE_GREEN", BakeTimeInMinutes: new(int32(2))})
		w.let(20 * time.Second)
		if d := w.deployment(); d.Status != "SUCCESSFUL" {
			t.Fatalf("the first deployment is %s %s", d.Status, d.LifecycleStage)
		}
		w.deploy("good")
		w.expect(w.watch(3*time.Minute), `
IN_PROGRESS SCALE_UP: web 100 (test web 100)
IN_PROGRESS BAKE_TIME: web2 100 (test web2 100)
IN_PROGRESS CLEAN_UP: web2 100 (test web2 100)
SUCCESSFUL : web2 100 (test web2 100)`)
		if w.most > 6 {
			t.Errorf("%d tasks at once", w.most)
		}
		w.deploy("good") // and back to the first group
		w.watch(3 * time.Minute)
		if share, _ := w.traffic("rule"); share != "web 100" {
			t.Errorf("after the second update: %s", share)
		}
		if svc := w.service(); len(svc.Deployments) != 1 || *svc.RunningCount != 3 || svc.CurrentServiceDeployment != nil || len(svc.CurrentServiceRevisions) != 1 {
			t.Errorf("%d deployments, %d running, current %v", len(svc.Deployments), *svc.RunningCount, svc.CurrentServiceDeployment)
		}
		if w.undrained > 0 {
			t.Errorf("%d tasks were stopped before their targets had drained", w.undrained)
		}
	})
}

func TestACanaryDeploymentShiftsTwice(t *testing.T) {
	inWorld(t, func(w *world) {
		w.shifting(2, ecsapi.DeploymentConfiguration{
			Strategy: "CANARY", BakeTimeInMinutes: new(int32(1)),
			CanaryConfiguration: &ecsapi.CanaryConfiguration{CanaryPercent: new(2.5), CanaryBakeTimeInMinutes: new(int32(3))},
		})
		w.let(20 * time.Second)
		w.deploy("good")
		w.expect(w.watch(6*time.Minute), `
IN_PROGRESS SCALE_UP: web 100 (test web 100)
IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT: web 975, web2 25 (test web2 100)
IN_PROGRESS BAKE_TIME: web2 100 (test web2 100)
IN_PROGRESS CLEAN_UP: web2 100 (test web2 100)
SUCCESSFUL : web2 100 (test web2 100)`)
	})
}

func TestALinearDeploymentShiftsInSteps(t *testing.T) {
	inWorld(t, func(w *world) {
		w.shifting(2, ecsapi.DeploymentConfiguration{
			Strategy: "LINEAR", LinearConfiguration: &ecsapi.LinearConfiguration{StepPercent: new(float64(40)), StepBakeTimeInMinutes: new(int32(1))},
		})
		w.let(20 * time.Second)
		w.deploy("good")
		w.expect(w.watch(4*time.Minute), `
IN_PROGRESS SCALE_UP: web 100 (test web 100)
IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT: web 60, web2 40 (test web2 100)
IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT: web 20, web2 80 (test web2 100)
IN_PROGRESS CLEAN_UP: web2 100 (test web2 100)
SUCCESSFUL : web2 100 (test web2 100)`)
	})
}

func TestAGreenRevisionThatFailsGetsNoTraffic(t *testing.T) {
	for _, image := range []string{"crash", "sick"} {
		t.Run(image, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.shifting(2, ecsapi.DeploymentConfiguration{Strategy: "BLUE_GREEN", BakeTimeInMinutes: new(int32(1))})
				w.let(20 * time.Second)
				before := must(w.ListTasks(w.ctx, &ecsapi.ListTasksInput{Cluster: new("c")})).TaskArns
				w.deploy(image)
				got := w.watch(3 * time.Minute)
				if last := got[len(got)-1]; last != "ROLLBACK_SUCCESSFUL : web 100 (test web 100)" {
					t.Errorf("it ended as %s\n%s", last, w.transcript())
				}
				if slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "web2") }) {
					t.Errorf("the broken revision got traffic: %v", got)
				}
				d := w.deployment()
				if d.DeploymentCircuitBreaker.Status != "TRIGGERED" || *d.DeploymentCircuitBreaker.FailureCount < 3 || *d.DeploymentCircuitBreaker.Threshold != 3 ||
					*d.StatusReason != "Service deployment rolled back because the circuit breaker threshold was exceeded." {
					t.Errorf("%s %d of %d: %s", d.DeploymentCircuitBreaker.Status, *d.DeploymentCircuitBreaker.FailureCount, *d.DeploymentCircuitBreaker.Threshold, *d.StatusReason)
				}
				if after := must(w.ListTasks(w.ctx, &ecsapi.ListTasksInput{Cluster: new("c")})).TaskArns; !slices.Equal(before, after) {
					t.Errorf("the tasks that worked were replaced: %v, then %v", before, after)
				}
			})
		})
	}
}

func TestAUserRollsACanaryBack(t *testing.T) {
	inWorld(t, func(w *world) {
		w.shifting(2, ecsapi.DeploymentConfiguration{Strategy: "CANARY"})
		w.let(20 * time.Second)
		w.deploy("good")
		w.watch(time.Minute)
		if share, _ := w.traffic("rule"); share != "web 95, web2 5" {
			t.Fatalf("traffic %s", share)
		}
		ref := w.deployment().ServiceDeploymentArn
		must(w.StopServiceDeployment(w.ctx, &ecsapi.StopServiceDeploymentInput{ServiceDeploymentArn: ref}))
		w.expect(w.watch(time.Minute), `
ROLLBACK_IN_PROGRESS RECONCILE_SERVICE: web 100 (test web 100)
ROLLBACK_SUCCESSFUL : web 100 (test web 100)`)
		if svc := w.service(); *svc.RunningCount != 2 || !strings.HasSuffix(*svc.TaskDefinition, ":1") {
			t.Errorf("%d running of %s", *svc.RunningCount, *svc.TaskDefinition)
		}
		if _, err := w.StopServiceDeployment(w.ctx, &ecsapi.StopServiceDeploymentInput{ServiceDeploymentArn: ref}); code(err) != "ConflictException" {
			t.Errorf("to stop it again: %v", err)
		}
	})
}

func TestANewUpdateTakesThePlaceOfOneInProgress(t *testing.T) {
	inWorld(t, func(w *world) {
		w.shifting(2, ecsapi.DeploymentConfiguration{Strategy: "CANARY"})
		w.let(20 * time.Second)
		w.deploy("good")
		w.watch(time.Minute)
		superseded := w.deployment().ServiceDeploymentArn
		w.deploy("good")
		got := w.watch(12 * time.Minute)
		if got[0] != "IN_PROGRESS RECONCILE_SERVICE: web 100 (test web 100)" || got[len(got)-1] != "SUCCESSFUL : web2 100 (test web2 100)" {
			t.Errorf("%s", strings.Join(got, "\n"))
		}
		out := must(w.DescribeServiceDeployments(w.ctx, &ecsapi.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{*superseded}}))
		if s := out.ServiceDeployments[0].Status; s != "STOPPED" {
			t.Errorf("the one before is %s", s)
		}
	})
}

// ring sets the state of the alarm "errors", which takes five minutes to judge.
func (w *world) ring(state cloudwatchapi.StateValue) {
	w.update(func(tx *store.Tx) error {
		cloudwatch.Alarms.Put(tx, cloudwatch.Alarm{Scope: here, Name: "errors", Period: 60, Periods: 5, State: state})
		return nil
	})
}

func TestAnAlarmRollsADeploymentBack(t *testing.T) {
	alarms := &ecsapi.DeploymentAlarms{AlarmNames: []string{"errors"}, Enable: new(true), Rollback: new(true)}
	for _, c := range []ecsapi.DeploymentConfiguration{
		{Strategy: "ROLLING", Alarms: alarms}, // watched as long as the alarm takes
		{Strategy: "BLUE_GREEN", BakeTimeInMinutes: new(int32(5)), Alarms: alarms},
	} {
		t.Run(string(c.Strategy), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.ring("OK")
				w.shifting(2, c)
				w.let(20 * time.Second)
				w.deploy("good")
				w.watch(2 * time.Minute)
				if d := w.deployment(); d.Status != "IN_PROGRESS" || d.LifecycleStage != "BAKE_TIME" {
					t.Fatalf("after two minutes it is %s %s", d.Status, d.LifecycleStage)
				}
				w.ring("ALARM")
				w.watch(2 * time.Minute)
				d := w.deployment()
				if d.Status != "ROLLBACK_SUCCESSFUL" || d.Alarms.Status != "TRIGGERED" || !slices.Equal(d.Alarms.TriggeredAlarmNames, []string{"errors"}) {
					t.Errorf("%s, alarms %s %v", d.Status, d.Alarms.Status, d.Alarms.TriggeredAlarmNames)
				}
				if svc := w.service(); *svc.RunningCount != 2 || !strings.HasSuffix(*svc.TaskDefinition, ":1") {
					t.Errorf("%d running of %s\n%s", *svc.RunningCount, *svc.TaskDefinition, w.transcript())
				}
				if !strings.Contains(w.transcript(), "deployment failed: alarm detected.") {
					t.Errorf("no word of the alarm in\n%s", w.transcript())
				}
				w.deploy("good") // the alarm is still on: it is not listened to
				w.watch(10 * time.Minute)
				if d := w.deployment(); d.Status != "SUCCESSFUL" {
					t.Errorf("the next deployment is %s", d.Status)
				}
			})
		})
	}
}

func TestADeploymentPausesUntilItIsContinued(t *testing.T) {
	inWorld(t, func(w *world) {
		w.shifting(2, ecsapi.DeploymentConfiguration{
			Strategy: "BLUE_GREEN",
			LifecycleHooks: []ecsapi.DeploymentLifecycleHook{{
				TargetType: "PAUSE", LifecycleStages: []ecsapi.DeploymentLifecycleHookStage{"POST_TEST_TRAFFIC_SHIFT"},
				TimeoutConfiguration: &ecsapi.DeploymentLifecycleHookTimeoutConfiguration{TimeoutInMinutes: new(int32(10)), Action: "ROLLBACK"},
			}},
		})
		w.let(20 * time.Second)
		if d := w.deployment(); len(d.LifecycleHookDetails) == 1 { // of the first deployment as well
			must(w.ContinueServiceDeployment(w.ctx, &ecsapi.ContinueServiceDeploymentInput{ServiceDeploymentArn: d.ServiceDeploymentArn, HookId: d.LifecycleHookDetails[0].HookId, Action: "CONTINUE"}))
		}
		w.deploy("good")
		w.watch(time.Minute)
		d := w.deployment()
		if share, _ := w.traffic("test-rule"); d.LifecycleStage != "POST_TEST_TRAFFIC_SHIFT" || len(d.LifecycleHookDetails) != 1 || share != "web2 100" {
			t.Fatalf("%s, hooks %v, test traffic %s", d.LifecycleStage, d.LifecycleHookDetails, share)
		}
		must(w.ContinueServiceDeployment(w.ctx, &ecsapi.ContinueServiceDeploymentInput{ServiceDeploymentArn: d.ServiceDeploymentArn, HookId: d.LifecycleHookDetails[0].HookId, Action: "CONTINUE"}))
		w.watch(time.Minute)
		if d := w.deployment(); d.Status != "SUCCESSFUL" {
			t.Errorf("continued: %s", d.Status)
		}
		w.deploy("good")
		w.watch(12 * time.Minute)
		if d := w.deployment(); d.Status != "ROLLBACK_SUCCESSFUL" || *d.StatusReason != "Service deployment rolled back because a lifecycle hook timed out." {
			t.Errorf("nobody continued: %s %s", d.Status, *d.StatusReason)
		}
	})
}

func TestAnAbortedDeploymentStaysAsItIs(t *testing.T) {
	inWorld(t, func(w *world) {
		w.shifting(2, ecsapi.DeploymentConfiguration{Strategy: "CANARY", CanaryConfiguration: &ecsapi.CanaryConfiguration{CanaryPercent: new(float64(20))}})
		w.let(20 * time.Second)
		w.deploy("good")
		w.watch(time.Minute)
		must(w.StopServiceDeployment(w.ctx, &ecsapi.StopServiceDeploymentInput{ServiceDeploymentArn: w.deployment().ServiceDeploymentArn, StopType: "ABORT"}))
		w.expect(w.watch(20*time.Minute), "STOPPED PRODUCTION_TRAFFIC_SHIFT: web 80, web2 20 (test web2 100)")
		w.deploy("good")
		w.watch(12 * time.Minute)
		if d := w.deployment(); d.Status != "SUCCESSFUL" {
			t.Errorf("the next deployment is %s", d.Status)
		}
	})
}
