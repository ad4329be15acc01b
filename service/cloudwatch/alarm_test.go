package cloudwatch_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
)

// An alarm goes through its states, does what it should once, and tells why.
func TestAlarmStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		stop := w.run()
		if _, err := w.s.PutMetricAlarm(w.ctx, cpuHigh("high")); err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.PutCompositeAlarm(w.ctx, &cloudwatchapi.PutCompositeAlarmInput{
			AlarmName: new("any"), AlarmRule: new(`ALARM("high")`), AlarmActions: []string{"arn:aws:sns:us-east-1:123456789012:all"},
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if w.state("high") != "INSUFFICIENT_DATA" || w.state("any") != "OK" {
			t.Error(w.state("high"), w.state("any"))
		}
		for range 5 {
			w.put("CPU", 95)
			time.Sleep(time.Minute)
		}
		if w.state("high") != "ALARM" || w.state("any") != "ALARM" || w.actions() != "ALARM all, ALARM page" {
			t.Error(w.state("high"), w.state("any"), w.actions())
		}
		w.fail = errors.New("nobody listens")
		for range 5 {
			w.put("CPU", 5)
			time.Sleep(time.Minute)
		}
		if w.state("high") != "OK" || w.state("any") != "OK" || w.actions() != "ALARM all, ALARM page, OK calm" {
			t.Error(w.state("high"), w.state("any"), w.actions())
		}
		time.Sleep(10 * time.Minute)
		if w.state("high") != "INSUFFICIENT_DATA" {
			t.Error(w.state("high"))
		}
		out, err := w.s.DescribeAlarmHistory(w.ctx, &cloudwatchapi.DescribeAlarmHistoryInput{AlarmName: new("high"), ScanBy: "TimestampAscending"})
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, h := range out.AlarmHistoryItems {
			told = append(told, *h.HistorySummary)
			if !json.Valid([]byte(*h.HistoryData)) {
				t.Error(*h.HistoryData)
			}
		}
		if got, want := strings.Join(told, "\n"), strings.Join([]string{
			`Alarm "high" created`, "Alarm updated from INSUFFICIENT_DATA to ALARM",
			"Successfully executed action arn:aws:sns:us-east-1:123456789012:page", "Alarm updated from ALARM to OK",
			`Failed to execute action arn:aws:sns:us-east-1:123456789012:calm. Received error: "nobody listens"`,
			"Alarm updated from OK to INSUFFICIENT_DATA",
		}, "\n"); got != want {
			t.Errorf("history:\n%s\nwant:\n%s", got, want)
		}
		d, err := w.s.DescribeAlarms(w.ctx, &cloudwatchapi.DescribeAlarmsInput{AlarmNames: []string{"any"}, AlarmTypes: []cloudwatchapi.AlarmType{"CompositeAlarm"}})
		if err != nil || len(d.CompositeAlarms) != 1 || !strings.HasPrefix(*d.CompositeAlarms[0].StateReason, "arn:aws:cloudwatch:us-east-1:123456789012:alarm:high transitioned to OK at ") {
			t.Errorf("%+v %v", d, err)
		}
		w.m.Close()
		stop()
	})
}

// At clock speed 60 a minute takes a second; the rules are the same. Scaling
// actions repeat while the alarm lasts.
func TestClockSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 60)
		stop := w.run()
		in := cpuHigh("high")
		in.AlarmActions = []string{"arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:x:resource/ecs/service/c/s:policyName/p"}
		in.EvaluationPeriods = new(int32(3))
		if _, err := w.s.PutMetricAlarm(w.ctx, in); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for w.state("high") != "ALARM" && time.Since(began) < 10*time.Second {
			w.put("CPU", 95)
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took < 3*time.Second || took > 6*time.Second {
			t.Errorf("3 minutes took %s at speed 60", took)
		}
		for range 5 {
			w.put("CPU", 95)
			time.Sleep(time.Second)
		}
		if n := len(strings.Split(w.actions(), ", ")); n < 4 || n > 7 {
			t.Errorf("the scaling action ran %d times in 5 minutes", n)
		}
		w.m.Close()
		stop()
	})
}

// An alarm on an expression.
func TestMathAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		stop := w.run()
		m := func(id, name string) cloudwatchapi.MetricDataQuery {
			return cloudwatchapi.MetricDataQuery{Id: new(id), ReturnData: new(false), MetricStat: &cloudwatchapi.MetricStat{
				Metric: &cloudwatchapi.Metric{Namespace: new("App"), MetricName: new(name)}, Period: new(int32(60)), Stat: new("Sum"),
			}}
		}
		in := &cloudwatchapi.PutMetricAlarmInput{
			AlarmName: new("errors"), EvaluationPeriods: new(int32(1)), Threshold: new(5.0), ComparisonOperator: "GreaterThanOrEqualToThreshold", TreatMissingData: new("notBreaching"),
			Metrics: []cloudwatchapi.MetricDataQuery{m("bad", "Errors"), m("all", "Requests"), {Id: new("rate"), Expression: new("100*bad/all")}},
		}
		if _, err := w.s.PutMetricAlarm(w.ctx, in); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if w.state("errors") != "OK" {
			t.Error(w.state("errors"))
		}
		for range 3 {
			w.put("Errors", 6)
			w.put("Requests", 100)
			time.Sleep(time.Minute)
		}
		if w.state("errors") != "ALARM" {
			t.Error(w.state("errors"))
		}
		in.Metrics[2].Expression = new("100*bad/nothing")
		if _, err := w.s.PutMetricAlarm(w.ctx, in); code(err) != "ValidationError" {
			t.Error(err)
		}
		w.m.Close()
		stop()
	})
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, 1)
	for name, change := range map[string]func(*cloudwatchapi.PutMetricAlarmInput){
		"InvalidParameterValue: Period must be 10, 20, 30 or a multiple of 60":                                                            func(in *cloudwatchapi.PutMetricAlarmInput) { in.Period = new(int32(61)) },
		"InvalidParameterValue: Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).":          func(in *cloudwatchapi.PutMetricAlarmInput) { in.EvaluationPeriods = new(int32(2000)) },
		"InvalidParameterValue: The parameter DatapointsToAlarm must be less than or equal to EvaluationPeriods.":                         func(in *cloudwatchapi.PutMetricAlarmInput) { in.DatapointsToAlarm = new(int32(3)) },
		"InvalidParameterValue: Invalid arn syntax: page":                                                                                 func(in *cloudwatchapi.PutMetricAlarmInput) { in.AlarmActions = []string{"page"} },
		"InvalidParameterValue: Anomaly detection is not supported by this engine.":                                                       func(in *cloudwatchapi.PutMetricAlarmInput) { in.ComparisonOperator = "GreaterThanUpperThreshold" },
		"InvalidParameterCombination: The parameters Statistic and ExtendedStatistic are mutually exclusive and you have specified both.": func(in *cloudwatchapi.PutMetricAlarmInput) { in.ExtendedStatistic = new("p90") },
	} {
		in := cpuHigh("x")
		change(in)
		if _, err := w.s.PutMetricAlarm(w.ctx, in); err == nil || err.Error() != name {
			t.Errorf("%v, want %s", err, name)
		}
	}
	put := func(rule string) error {
		_, err := w.s.PutCompositeAlarm(w.ctx, &cloudwatchapi.PutCompositeAlarmInput{AlarmName: new("c"), AlarmRule: new(rule)})
		return err
	}
	for _, rule := range []string{"ALARM(none)", "ALARM(c)", "hello"} {
		if err := put(rule); code(err) != "InvalidParameterValue" {
			t.Errorf("%s: %v", rule, err)
		}
	}
	if _, err := w.s.DeleteAlarms(w.ctx, &cloudwatchapi.DeleteAlarmsInput{AlarmNames: []string{"none"}}); code(err) != "ResourceNotFound" {
		t.Error(err)
	}
	if _, err := w.s.SetAlarmState(w.ctx, &cloudwatchapi.SetAlarmStateInput{AlarmName: new("none"), StateValue: "OK"}); code(err) != "ResourceNotFound" {
		t.Error(err)
	}
}
