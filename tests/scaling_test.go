package tests

import (
	"context"
	"strings"
	"testing"
	"time"

	scalingapi "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

// CPU is burned in one service: it goes from two tasks to ten, and back to two
// when it is left alone, by the rules of AWS at clock speed 30. No request
// fails, the other services stay, and the activities and the alarms' history
// tell why.
func TestCPUIsBurned(t *testing.T) {
	w := newWorld(t)
	// The checks of two seconds and less that the speed would make of the usual
	// ones, the sidecars' among them, burn CPU themselves.
	if err := w.Manifest(
		"mesh: {enabled: true}", "mesh: {enabled: false}",
		"cpu: 512", "cpu: 256", "memory: 1024", "memory: 512", "scaling: {cpu: 70", "scaling: {cpu: 10",
		"interval: 10s, timeout: 5s", "interval: 60s, timeout: 50s", "  check: {command: [/app, healthcheck]}\n", "  env: {BURN: \"on\"}\n",
	); err != nil {
		t.Fatal(err)
	}
	w.must(append(w.StartArgs(), "--speed", "30")...)
	w.must(w.UpArgs()...)
	w.quiet()

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	loaded := make(chan rig.Result, 1)
	began := time.Now()
	go func() {
		loaded <- rig.Load{Addr: w.Balancer(), URL: strings.Replace(w.url("payment"), "/health", "/burn?for=8ms", 1), Conns: 4, Every: 80 * time.Millisecond}.Run(ctx)
	}()
	w.eventually(3*time.Minute, "ten tasks of payment serve", func() (bool, error) { return len(w.pids("payment")) == 10 && w.healthy("payment") == 10, nil })
	t.Logf("2 to 10 tasks serving: %s", time.Since(began).Round(100*time.Millisecond))
	stop()
	result := <-loaded
	for _, f := range result.Failures() {
		t.Errorf("a request failed: %s", f)
	}
	began = time.Now()
	w.eventually(4*time.Minute, "two tasks of payment are left", func() (bool, error) { return len(w.pids("payment")) == 2, nil })
	t.Logf("10 to 2 tasks: %s; %d requests, the slowest took %s", time.Since(began).Round(100*time.Millisecond), len(result), result.Slowest().Round(time.Millisecond))
	for _, other := range []string{"order", "notification"} {
		if n := len(w.pids(other)); n != 2 {
			t.Errorf("%s has %d tasks", other, n)
		}
		if told := w.scaled(other); len(told) > 0 {
			t.Errorf("%s was scaled: %q", other, told)
		}
	}
	w.tellsWhy()
}

// quiet waits until what the start has burned is over: the low alarms say so.
func (w world) quiet() {
	w.Helper()
	w.eventually(3*time.Minute, "the services are idle", func() (bool, error) {
		out := call[cloudwatchapi.DescribeAlarmsInput, cloudwatchapi.DescribeAlarmsOutput](w, "cloudwatch", "DescribeAlarms",
			&cloudwatchapi.DescribeAlarmsInput{AlarmNamePrefix: new("TargetTracking-")})
		low, high := 0, 0
		for _, a := range out.MetricAlarms {
			switch {
			case strings.Contains(*a.AlarmName, "-AlarmLow-") && a.StateValue == "ALARM":
				low++
			case strings.Contains(*a.AlarmName, "-AlarmHigh-") && a.StateValue == "OK":
				high++
			}
		}
		counts := 0
		for _, s := range services {
			counts += len(w.pids(s))
		}
		return low == 3 && high == 3 && counts == 6, nil
	})
}

// scaled is how the desired count of a service was changed, and by which
// alarm, oldest first.
func (w world) scaled(service string) (told []string) {
	w.Helper()
	out := call[scalingapi.DescribeScalingActivitiesInput, scalingapi.DescribeScalingActivitiesOutput](w, "application-autoscaling", "DescribeScalingActivities",
		&scalingapi.DescribeScalingActivitiesInput{ServiceNamespace: "ecs", ResourceId: new("service/microservices-cluster-dev/" + service + "-service-dev")})
	for _, a := range out.ScalingActivities {
		told = append([]string{strings.TrimSuffix(strings.TrimPrefix(*a.Description, "Setting desired count to "), ".") + " by " + *a.Cause}, told...)
	}
	return told
}

// tellsWhy checks that the activities and the history of the alarms explain
// what has happened to payment.
func (w world) tellsWhy() {
	w.Helper()
	told := w.scaled("payment")
	var counts []string
	reached := false
	for _, a := range told {
		n, cause, _ := strings.Cut(a, " by ")
		counts = append(counts, n)
		want := "-AlarmHigh-"
		if reached {
			want = "-AlarmLow-"
		}
		says(w, cause, "monitor alarm TargetTracking-service/microservices-cluster-dev/payment-service-dev"+want, "in state ALARM triggered policy Cpu")
		reached = reached || n == "10"
	}
	if got := strings.Join(counts, " "); !strings.HasSuffix(got, "10 9 8 7 6 5 4 3 2") {
		w.Errorf("desired counts of payment: %s", got)
	}
	w.Logf("desired counts of payment: %s", strings.Join(counts, " "))
	alarms := call[cloudwatchapi.DescribeAlarmsInput, cloudwatchapi.DescribeAlarmsOutput](w, "cloudwatch", "DescribeAlarms",
		&cloudwatchapi.DescribeAlarmsInput{AlarmNamePrefix: new("TargetTracking-service/microservices-cluster-dev/payment-service-dev-")})
	if len(alarms.MetricAlarms) != 2 {
		w.Errorf("%d alarms of payment, want 2", len(alarms.MetricAlarms))
	}
	for _, a := range alarms.MetricAlarms {
		out := call[cloudwatchapi.DescribeAlarmHistoryInput, cloudwatchapi.DescribeAlarmHistoryOutput](w, "cloudwatch", "DescribeAlarmHistory",
			&cloudwatchapi.DescribeAlarmHistoryInput{AlarmName: a.AlarmName})
		var history strings.Builder
		for _, h := range out.AlarmHistoryItems {
			history.WriteString(*h.HistorySummary + "\n")
		}
		says(w, history.String(), "Alarm updated from OK to ALARM", "Successfully executed action arn:aws:autoscaling:")
	}
}
