package applicationautoscaling_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	api "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/applicationautoscaling"
	"github.com/slipway-dev/slipway/service/cloudwatch"
	"github.com/slipway-dev/slipway/service/ecs"
)

// CPU is burned: the service scales from two tasks to ten, and back to two
// when it is idle. The activities tell every step and its alarm.
func TestCPUIsBurned(t *testing.T) {
	for _, speed := range []float64{1, 20} {
		inWorld(t, speed, func(w *world) {
			minute := time.Duration(float64(time.Minute) / speed)
			w.register(2, 10)
			w.put(tracking())
			w.load.Store(130)
			time.Sleep(20 * minute)
			if n := w.desired(); n != 2 {
				w.Errorf("at 65 %% it has %d tasks", n)
			}
			w.load.Store(690)
			began := time.Now()
			for w.desired() < 10 && time.Since(began) < 60*minute {
				time.Sleep(minute / 4)
			}
			if took := time.Since(began); w.desired() != 10 || took < 3*minute {
				w.Errorf("%d tasks after %s", w.desired(), took)
			}
			w.load.Store(20)
			began = time.Now()
			for w.desired() > 2 && time.Since(began) < 90*minute {
				time.Sleep(minute / 4)
			}
			// Fifteen periods below, of which the first may be the one in which
			// the load fell, and seven cooldowns.
			if took := time.Since(began); w.desired() != 2 || took < 21*minute || took > 40*minute {
				w.Errorf("%d tasks after %s", w.desired(), took)
			}
			time.Sleep(10 * minute)
			checkBurned(w)
		})
	}
}

func checkBurned(w *world) {
	told := w.activities(true)
	var counts []string
	for _, a := range told {
		words := strings.Fields(a)
		if words[1] == "Setting" {
			counts = append(counts, words[5])
		}
		want := "-AlarmHigh-"
		if strings.Contains(strings.Join(counts, " "), "10.") && !strings.Contains(a, "count to 10.") && !strings.Contains(a, "AtMax") {
			want = "-AlarmLow-"
		}
		if !strings.Contains(a, "monitor alarm TargetTracking-service/c/web"+want) || !strings.HasSuffix(strings.TrimSuffix(a, " AlreadyAtMinCapacity"), "in state ALARM triggered policy cpu") && !strings.Contains(a, "AtMax") {
			w.Errorf("%s, want it by %s", a, want)
		}
	}
	if got := strings.Join(counts, " "); got != "3. 5. 8. 10. 9. 8. 7. 6. 5. 4. 3. 2." {
		w.Errorf("desired counts: %s", got)
	}
	if last := told[len(told)-1]; !strings.HasSuffix(last, "AlreadyAtMinCapacity") {
		w.Errorf("the last activity is %s", last)
	}
	if n := len(slices.DeleteFunc(slices.Clone(told), func(s string) bool { return !strings.HasSuffix(s, "AlreadyAtMinCapacity") })); n != 1 {
		w.Errorf("it tells %d times that it is at its minimum", n)
	}
}

// What an alarm calls twice is done once, whatever the cooldown, also by an
// engine that was killed between the scaling and the alarm's own note.
func TestARepeatedCallIsAnsweredOnce(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.register(1, 10)
		policy := *w.put(step("grow", 0, 1)).PolicyARN
		w.load.Store(180)
		time.Sleep(3 * time.Minute)
		w.alarm("busy", policy, "GreaterThanThreshold", 50)
		time.Sleep(30 * time.Second)
		if w.desired() != 3 {
			t.Fatalf("%d tasks", w.desired())
		}
		a := must(cloudwatch.Alarms.Get(w.db.Snapshot(), here.Key("busy")))
		w.stop()
		for range 3 {
			if err := w.s.Act(w.ctx, policy, a); err != nil {
				t.Error(err)
			}
		}
		if w.desired() != 3 {
			t.Errorf("%d tasks after the call was repeated", w.desired())
		}
		time.Sleep(time.Minute)
		if err := w.s.Act(w.ctx, policy, a); err != nil || w.desired() != 4 {
			t.Errorf("%d tasks after a minute in ALARM: %v", w.desired(), err)
		}
	})
}

func step(name string, cooldown, by int32) *api.PutScalingPolicyInput {
	in := tracking()
	in.PolicyName, in.PolicyType, in.TargetTrackingScalingPolicyConfiguration = &name, "StepScaling", nil
	in.StepScalingPolicyConfiguration = &api.StepScalingPolicyConfiguration{
		AdjustmentType: "ChangeInCapacity", Cooldown: &cooldown, StepAdjustments: []api.StepAdjustment{{MetricIntervalLowerBound: new(0.0), ScalingAdjustment: &by}},
	}
	return in
}

// alarm makes an alarm on the service's CPU that calls a policy.
func (w *world) alarm(name, action string, comparison cloudwatchapi.ComparisonOperator, threshold float64) {
	w.Helper()
	if _, err := w.cw.PutMetricAlarm(w.ctx, &cloudwatchapi.PutMetricAlarmInput{
		AlarmName: &name, Namespace: new("AWS/ECS"), MetricName: new("CPUUtilization"), Statistic: "Average", Period: new(int32(60)),
		Dimensions:        []cloudwatchapi.Dimension{{Name: new("ClusterName"), Value: new("c")}, {Name: new("ServiceName"), Value: new("web")}},
		EvaluationPeriods: new(int32(1)), Threshold: &threshold, ComparisonOperator: comparison, AlarmActions: []string{action},
	}); err != nil {
		w.Fatal(err)
	}
}

// An alarm in whose history the outcome stands: the policy it names is there,
// or is not.
func TestAlarmsTellWhatTheyCalled(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.register(1, 10)
		policy := *w.put(step("grow", 300, 2)).PolicyARN
		w.alarm("busy", policy, "GreaterThanThreshold", 50)
		w.alarm("lost", strings.Replace(policy, "policyName/grow", "policyName/none", 1), "GreaterThanThreshold", 50)
		w.load.Store(300)
		time.Sleep(4 * time.Minute)
		for name, want := range map[string]string{
			"busy": "Successfully executed action " + policy, "lost": "Failed to execute action arn:aws:autoscaling:",
		} {
			out := must(w.cw.DescribeAlarmHistory(w.ctx, &cloudwatchapi.DescribeAlarmHistoryInput{AlarmName: &name, HistoryItemType: "Action"}))
			if len(out.AlarmHistoryItems) != 1 || !strings.HasPrefix(*out.AlarmHistoryItems[0].HistorySummary, want) {
				t.Errorf("%s: %+v", name, out.AlarmHistoryItems)
			}
		}
		d := must(w.s.DescribeScalingPolicies(w.ctx, &api.DescribeScalingPoliciesInput{ServiceNamespace: "ecs"}))
		if len(d.ScalingPolicies) != 1 || len(d.ScalingPolicies[0].Alarms) != 1 || *d.ScalingPolicies[0].Alarms[0].AlarmName != "busy" {
			t.Errorf("%+v", d.ScalingPolicies)
		}
		if w.desired() != 4 {
			t.Errorf("%d tasks", w.desired())
		}
	})
}

// Nothing is done without data, in a deployment only outwards, and not at all
// when scaling is suspended.
func TestWhenNothingIsDone(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.service(8)
		w.register(2, 10)
		w.put(tracking())
		w.load.Store(40)
		w.deploying(true)
		time.Sleep(25 * time.Minute)
		if w.desired() != 8 {
			t.Errorf("scaled in to %d during a deployment", w.desired())
		}
		w.deploying(false)
		time.Sleep(90 * time.Second)
		if n := w.desired(); n > 7 || n < 6 {
			t.Errorf("%d tasks after the deployment", n)
		}
		w.load.Store(-1)
		time.Sleep(6 * time.Minute)
		before := w.desired()
		time.Sleep(20 * time.Minute)
		if w.desired() != before {
			t.Errorf("scaled in from %d to %d without data", before, w.desired())
		}
		if _, err := w.s.RegisterScalableTarget(w.ctx, &api.RegisterScalableTargetInput{
			ServiceNamespace: "ecs", ResourceId: new(resource), ScalableDimension: "ecs:service:DesiredCount",
			SuspendedState: &api.SuspendedState{DynamicScalingOutSuspended: new(true)},
		}); err != nil {
			t.Fatal(err)
		}
		w.load.Store(2000)
		time.Sleep(10 * time.Minute)
		if w.desired() != before {
			t.Errorf("scaled from %d to %d though suspended", before, w.desired())
		}
		if told := w.activities(true); !slices.ContainsFunc(told, func(s string) bool { return strings.HasSuffix(s, "TargetServicePutResourceAsUnscalable") }) {
			t.Errorf("it does not tell why it did not scale in the deployment: %q", told)
		}
	})
}

func (w *world) deploying(on bool) {
	w.change(func(row *ecs.ServiceRow) {
		if row.Deployments[0].RolloutState = "COMPLETED"; on {
			row.Deployments[0].RolloutState = "IN_PROGRESS"
		}
	})
}

// Bounds move the count at once, scheduled actions move the bounds.
func TestBoundsAndSchedules(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.register(4, 10)
		if w.desired() != 4 {
			t.Errorf("%d tasks", w.desired())
		}
		time.Sleep(time.Minute)
		for name, in := range map[string]*api.PutScheduledActionInput{
			"morning": {Schedule: new("cron(0 8 ? * MON-FRI *)"), Timezone: new("Europe/Berlin"), ScalableTargetAction: &api.ScalableTargetAction{MinCapacity: new(int32(6)), MaxCapacity: new(int32(20))}},
			"evening": {Schedule: new("cron(0 20 * * ? *)"), Timezone: new("Europe/Berlin"), ScalableTargetAction: &api.ScalableTargetAction{MinCapacity: new(int32(1)), MaxCapacity: new(int32(3))}},
			"crossed": {Schedule: new("at(2000-01-03T12:00:00)"), ScalableTargetAction: &api.ScalableTargetAction{MaxCapacity: new(int32(2))}},
		} {
			in.ScheduledActionName, in.ServiceNamespace, in.ResourceId, in.ScalableDimension = &name, "ecs", new(resource), "ecs:service:DesiredCount"
			if _, err := w.s.PutScheduledAction(w.ctx, in); err != nil {
				t.Fatal(name, err)
			}
		}
		// The bubble's clock begins on Saturday, 1 January 2000, at midnight UTC.
		for _, tc := range []struct {
			until string
			want  int
		}{
			{"2000-01-01T18:59:00Z", 4},
			{"2000-01-01T19:01:00Z", 3},
			{"2000-01-03T06:59:00Z", 3},
			{"2000-01-03T07:01:00Z", 6},
			{"2000-01-03T12:01:00Z", 6},
			{"2000-01-03T19:01:00Z", 3},
			{"2000-01-04T07:01:00Z", 6},
		} {
			time.Sleep(time.Until(must(time.Parse(time.RFC3339, tc.until))))
			if w.desired() != tc.want {
				t.Errorf("at %s there are %d tasks, want %d", tc.until, w.desired(), tc.want)
			}
		}
		time.Sleep(time.Minute)
		want := []string{
			"Successful: Setting desired count to 4. minimum capacity was set to 4",
			"Successful: Setting min capacity to 1 and max capacity to 3 scheduled action name evening was triggered",
			"Successful: Setting desired count to 3. maximum capacity was set to 3",
			"Successful: Setting min capacity to 1 and max capacity to 3 scheduled action name evening was triggered",
			"Successful: Setting min capacity to 6 and max capacity to 20 scheduled action name morning was triggered",
			"Successful: Setting desired count to 6. minimum capacity was set to 6",
			"Failed: Setting max capacity to 2 scheduled action name crossed was triggered",
		}
		if got := w.activities(false); !slices.Equal(got[:len(want)], want) {
			t.Errorf("activities:\n%s", strings.Join(got, "\n"))
		}
	})
}

// At clock speed 60 an hour's wait takes a minute.
func TestSchedulesAtSpeed(t *testing.T) {
	inWorld(t, 60, func(w *world) {
		w.register(1, 10)
		if _, err := w.s.PutScheduledAction(w.ctx, &api.PutScheduledActionInput{
			ScheduledActionName: new("hourly"), ServiceNamespace: "ecs", ResourceId: new(resource), ScalableDimension: "ecs:service:DesiredCount",
			Schedule: new("rate(1 hour)"), ScalableTargetAction: &api.ScalableTargetAction{MinCapacity: new(int32(5))},
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		before := w.desired()
		time.Sleep(2 * time.Second)
		if before != 2 || w.desired() != 5 {
			t.Errorf("%d tasks before, %d after", before, w.desired())
		}
	})
}

// A service that is deleted takes its target, policies and alarms with it.
func TestADeletedServiceTakesItsTargetAlong(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.register(1, 10)
		w.put(tracking())
		w.change(func(row *ecs.ServiceRow) { row.Status = "DRAINING" })
		time.Sleep(time.Second)
		snap := w.db.Snapshot()
		out := must(w.s.DescribeScalableTargets(w.ctx, &api.DescribeScalableTargetsInput{ServiceNamespace: "ecs"}))
		if len(out.ScalableTargets) != 0 || len(w.alarms()) != 0 || snap.Revision() == 0 {
			t.Errorf("left: %+v %v", out.ScalableTargets, w.alarms())
		}
	})
}

// What an operation could not finish, the loop does: alarms that a policy says
// it has come to be, those of one that is gone go.
func TestTheLoopFinishesWhatWasBegun(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.register(1, 10)
		w.put(tracking())
		names := w.alarms()
		w.stop()
		if _, err := w.cw.DeleteAlarms(w.ctx, &cloudwatchapi.DeleteAlarmsInput{AlarmNames: w.fullAlarms()[:1]}); err != nil {
			t.Fatal(err)
		}
		w.mark(false)
		w.start(1)
		time.Sleep(time.Second)
		if !slices.Equal(w.alarms(), names) {
			t.Errorf("alarms %q, want %q", w.alarms(), names)
		}
		w.stop()
		w.mark(true)
		w.start(1)
		time.Sleep(time.Second)
		if got := w.alarms(); len(got) > 0 {
			t.Errorf("left: %q", got)
		}
	})
}

// mark leaves the policies as an engine does that is killed in an operation.
func (w *world) mark(gone bool) {
	w.update(func(tx *store.Tx) error {
		for p := range applicationautoscaling.Policies.List(tx, "") {
			p.Pending, p.Gone = true, gone
			applicationautoscaling.Policies.Put(tx, p)
		}
		return nil
	})
}

func (w *world) fullAlarms() (names []string) {
	for _, a := range must(w.cw.DescribeAlarms(w.ctx, &cloudwatchapi.DescribeAlarmsInput{})).MetricAlarms {
		names = append(names, *a.AlarmName)
	}
	return names
}
