package cloudwatch_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/service/cloudwatch"
)

// The AWS CLIs of this machine, by their protocols: JSON or the query
// protocol, by version.
func TestTheAWSCLI(t *testing.T) {
	tried := map[string]bool{}
	for _, path := range []string{"aws", "/usr/bin/aws", "/usr/local/bin/aws"} {
		version, err := exec.Command(path, "--version").Output()
		if err != nil || tried[string(version)] {
			continue
		}
		tried[string(version)] = true
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			t.Logf("with %s", version)
			w := newWorld(t, 1)
			server := httptest.NewServer(awsapi.NewMux(awsapi.Config{DefaultScope: scope, AnyAuth: true}, w.s.API()))
			defer server.Close()
			run := func(args ...string) string {
				t.Helper()
				cmd := exec.CommandContext(t.Context(), path, append([]string{"--endpoint-url", server.URL, "--region", "us-east-1", "--output", "text", "cloudwatch"}, args...)...)
				cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null")
				out, _ := cmd.CombinedOutput()
				return string(out)
			}
			expect := func(want string, args ...string) {
				t.Helper()
				if got := strings.TrimSpace(run(args...)); !strings.Contains(got, want) || want == "" && got != "" {
					t.Errorf("aws cloudwatch %s: %s, want %s", strings.Join(args, " "), got, want)
				}
			}
			at := time.Now().UTC().Truncate(time.Hour)
			span := []string{"--start-time", at.Format(time.RFC3339), "--end-time", at.Add(time.Hour).Format(time.RFC3339)}
			expect("", "put-metric-data", "--namespace", "App", "--metric-name", "CPU", "--value", "5", "--dimensions", "Host=a", "--timestamp", at.Format(time.RFC3339))
			expect("METRICS\tCPU\tApp", "list-metrics", "--namespace", "App", "--recently-active", "PT3H")
			expect("DATAPOINTS\t5", append([]string{"get-metric-statistics", "--namespace", "App", "--metric-name", "CPU", "--dimensions", "Name=Host,Value=a", "--period", "60", "--statistics", "Average"}, span...)...)
			expect("VALUES\t10", append([]string{"get-metric-data", "--metric-data-queries", `[{"Id":"e","Expression":"m*2"},{"Id":"m","ReturnData":false,"MetricStat":{"Metric":{"Namespace":"App","MetricName":"CPU","Dimensions":[{"Name":"Host","Value":"a"}]},"Period":60,"Stat":"Sum"}}]`}, span...)...)
			expect("", "put-metric-alarm", "--alarm-name", "a", "--namespace", "App", "--metric-name", "CPU", "--statistic", "Average", "--period", "60",
				"--evaluation-periods", "1", "--threshold", "1", "--comparison-operator", "GreaterThanThreshold")
			expect("", "set-alarm-state", "--alarm-name", "a", "--state-value", "ALARM", "--state-reason", "because")
			expect("ALARM\tbecause", "describe-alarms", "--query", "MetricAlarms[0].[StateValue,StateReason]")
			expect("Alarm updated from INSUFFICIENT_DATA to ALARM", "describe-alarm-history", "--alarm-name", "a")
			expect("(ResourceNotFound) when calling the DeleteAlarms operation", "delete-alarms", "--alarm-names", "none")
			expect("InvalidParameterInput", "put-dashboard", "--dashboard-name", "d", "--dashboard-body", "{}")
			expect("", "put-dashboard", "--dashboard-name", "d", "--dashboard-body", `{"widgets":[{"type":"text","properties":{"markdown":"hi"}}]}`)
			expect("arn:aws:cloudwatch::123456789012:dashboard/d", "list-dashboards")
			expect("", "tag-resource", "--resource-arn", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a", "--tags", "Key=team,Value=core")
			expect("team\tcore", "list-tags-for-resource", "--resource-arn", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a")
		})
	}
	if len(tried) == 0 {
		t.Fatal("the AWS CLI is not installed; install it with: apt-get install awscli")
	}
}

func TestResources(t *testing.T) {
	w := newWorld(t, 1)
	types := w.s.Resources()
	props := map[string]any{
		"Namespace": "App", "MetricName": "CPU", "Statistic": "Average", "Period": "60", "EvaluationPeriods": "1", "Threshold": "80",
		"ComparisonOperator": "GreaterThanThreshold", "Dimensions": []any{map[string]any{"Name": "Host", "Value": "a"}},
	}
	ctx := awsapi.WithToken(cfn.With(w.ctx, cfn.Request{
		StackID: "stack", StackName: "Tap", LogicalID: "High", Token: "1", Tags: map[string]string{cfn.TagStackID: "stack", cfn.TagLogicalID: "High"},
	}), "1")
	alarm, err := types[0].Create(ctx, props)
	if err != nil || !strings.HasPrefix(alarm.ID, "Tap-High-") || !strings.Contains(string(alarm.State), `"Arn":"arn:aws:cloudwatch:us-east-1:123456789012:alarm:Tap-High-`) {
		t.Fatalf("%+v %v", alarm, err)
	}
	if again, err := types[0].Create(ctx, props); err != nil || again.ID != alarm.ID {
		t.Errorf("after a crash: %+v %v", again, err)
	}
	props["Threshold"] = 90
	if alarm, err = types[0].Update(ctx, alarm, props); err != nil {
		t.Error(err)
	}
	a, err := cloudwatch.Alarms.Get(w.db.Snapshot(), scope.Key(alarm.ID))
	if err != nil || a.Threshold != 90 || a.Tags[cfn.TagStackID] != "stack" {
		t.Errorf("%+v %v", a, err)
	}
	if _, err := types[0].Create(w.ctx, map[string]any{
		"AlarmName": alarm.ID, "Namespace": "App", "MetricName": "CPU", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold",
	}); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("another's alarm was taken: %v", err)
	}
	composite, err := types[1].Create(ctx, map[string]any{"AlarmName": "any", "AlarmRule": fmt.Sprintf("ALARM(%s)", alarm.ID)})
	if err != nil {
		t.Fatal(err)
	}
	board, err := types[2].Create(ctx, map[string]any{"DashboardName": "d", "DashboardBody": `{"widgets":[]}`})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for i, it := range []cfn.Instance{alarm, composite, board} {
			if err := types[i].Delete(ctx, it); err != nil {
				t.Error(err)
			}
		}
	}
	out, err := w.s.DescribeAlarms(w.ctx, &cloudwatchapi.DescribeAlarmsInput{})
	if err != nil || len(out.MetricAlarms) != 0 {
		t.Errorf("%+v %v", out, err)
	}
}
