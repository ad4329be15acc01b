package cli

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/api/elbv2api"
)

func TestWhy(t *testing.T) {
	for name, args := range map[string][]string{"why": {"why"}, "why-json": {"why", "payment", "--json"}} {
		synctest.Test(t, func(t *testing.T) {
			c := sick(t)
			if code := c.run(t.Context(), args...); code != exitFailed {
				t.Errorf("exit code %d: %s", code, c.err.String())
			}
			golden(t, name, c.out.String())
		})
	}
}

// TestComplaints: only what was said since the service was steady counts, each
// kind once.
func TestComplaints(t *testing.T) {
	s := serviceReport{Name: "payment", State: "ACTIVE", Deployments: []deploymentReport{{Rollout: "IN_PROGRESS"}}}
	for _, text := range []string{
		"was unable to place a task. Reason: Capacity is unavailable at this time.",
		"is unable to consistently start tasks successfully.",
		"was unable to place a task. Reason: another, older one.",
		"was unable to stop or start tasks during a deployment because of the service deployment configuration.",
		"has reached a steady state.",
		"was unable to place a task. Reason: long gone.",
	} {
		s.events = append(s.events, happening{Message: text})
	}
	var got []string
	for _, r := range complaints(s) {
		got = append(got, r.Kind+": "+r.Text)
	}
	want := "placement: no place for a task: Capacity is unavailable at this time.|" +
		"throttled: tasks fail again and again: each start waits longer than the one before, up to 15 minutes|" +
		"bounds: the bounds of the deployment leave no room to start or stop a task"
	if strings.Join(got, "|") != want {
		t.Errorf("got %s", strings.Join(got, "\n"))
	}
}

// TestTop: averages are the newest, sums those of the last whole minute.
func TestTop(t *testing.T) {
	for name, args := range map[string][]string{"top": {"top", "--once"}, "top-json": {"top", "payment", "--json"}} {
		synctest.Test(t, func(t *testing.T) {
			c := sick(t)
			handle(c, c.elb, "DescribeTargetGroups", func(*elbv2api.DescribeTargetGroupsInput) (*elbv2api.DescribeTargetGroupsOutput, error) {
				return &elbv2api.DescribeTargetGroupsOutput{TargetGroups: []elbv2api.TargetGroup{{
					TargetGroupArn: new(groupOne), LoadBalancerArns: []string{"arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/shop/1"},
				}}}, nil
			})
			values := map[string][]float64{ // newest first
				"CPUUtilization Average": {12.5, 90}, "CPUUtilization Maximum": {93, 90}, "MemoryUtilization Average": {30}, "MemoryUtilization Maximum": {71},
				"MemoryUtilized Average": {100}, "RequestCount Sum": {5, 600, 1}, "HTTPCode_Target_5XX_Count Sum": {1, 3, 1}, "TargetResponseTime p99": {0.0123, 1},
			}
			handle(c, c.metrics, "GetMetricData", func(in *cloudwatchapi.GetMetricDataInput) (*cloudwatchapi.GetMetricDataOutput, error) {
				out := &cloudwatchapi.GetMetricDataOutput{}
				for _, q := range in.MetricDataQueries {
					m := q.MetricStat.Metric
					if *m.Namespace == "AWS/ApplicationELB" && (*m.Dimensions[0].Value != "targetgroup/one/0123456789abcdef" || *m.Dimensions[1].Value != "app/shop/1") {
						t.Errorf("dimensions %s %s", *m.Dimensions[0].Value, *m.Dimensions[1].Value)
					}
					r := cloudwatchapi.MetricDataResult{Id: q.Id, Label: q.Id, StatusCode: "Complete"}
					for i, v := range values[*m.MetricName+" "+*q.MetricStat.Stat] {
						r.Timestamps, r.Values = append(r.Timestamps, time.Now().Add(-20*time.Second-time.Duration(i)*time.Minute)), append(r.Values, v)
					}
					out.MetricDataResults = append(out.MetricDataResults, r)
				}
				return out, nil
			})
			if code := c.run(t.Context(), args...); code != exitOK {
				t.Errorf("%s: exit code %d: %s", name, code, c.err.String())
			}
			golden(t, name, c.out.String())
		})
	}
}
