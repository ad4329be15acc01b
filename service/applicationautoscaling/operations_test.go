package applicationautoscaling_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	api "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/elbv2"
)

// The pair of alarms of a target tracking policy, as it looks in CloudWatch,
// and what becomes of it when the policy changes and goes.
func TestThePairOfAlarms(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.register(1, 10)
		out := w.put(tracking())
		if len(out.Alarms) != 2 || !strings.HasPrefix(*out.PolicyARN, "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:") ||
			!strings.HasSuffix(*out.PolicyARN, ":resource/ecs/service/c/web:policyName/cpu") {
			t.Errorf("%+v", out)
		}
		for i, a := range must(w.cw.DescribeAlarms(w.ctx, &cloudwatchapi.DescribeAlarmsInput{})).MetricAlarms {
			comparison, threshold, periods := a.ComparisonOperator, *a.Threshold, *a.EvaluationPeriods
			want := []any{cloudwatchapi.ComparisonOperator("GreaterThanThreshold"), 70.0, int32(3)}
			if i == 1 {
				want = []any{cloudwatchapi.ComparisonOperator("LessThanThreshold"), 63.0, int32(15)}
			}
			if !slices.Equal([]any{comparison, threshold, periods}, want) || *a.Period != 60 || a.Statistic != "Average" || *a.Namespace != "AWS/ECS" || *a.MetricName != "CPUUtilization" ||
				*a.AlarmDescription != "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy "+*out.PolicyARN+"." || !slices.Equal(a.AlarmActions, []string{*out.PolicyARN}) {
				t.Errorf("%+v", a)
			}
		}
		names := w.fullAlarms()
		in := tracking()
		in.TargetTrackingScalingPolicyConfiguration.TargetValue = new(50.0)
		if again := w.put(in); *again.PolicyARN != *out.PolicyARN || !slices.Equal(w.fullAlarms(), names) {
			t.Errorf("%+v %q", again, w.fullAlarms())
		}
		in.TargetTrackingScalingPolicyConfiguration.DisableScaleIn = new(true)
		if w.put(in); !slices.Equal(w.fullAlarms(), names[:1]) {
			t.Errorf("without scaling in: %q", w.fullAlarms())
		}
		if _, err := w.s.DeleteScalingPolicy(w.ctx, &api.DeleteScalingPolicyInput{PolicyName: in.PolicyName, ServiceNamespace: "ecs", ResourceId: in.ResourceId, ScalableDimension: in.ScalableDimension}); err != nil {
			t.Error(err)
		}
		if got := w.alarms(); len(got) > 0 {
			t.Errorf("left: %q", got)
		}
	})
}

// Other metrics: requests by target, one's own, an expression.
func TestOtherMetrics(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.register(1, 10)
		w.balancer()
		for name, want := range map[string]string{"requests": "AWS/ApplicationELB RequestCountPerTarget Sum", "backlog": "App Backlog Average", "math": "  "} {
			in := tracking()
			in.PolicyName = &name
			c := in.TargetTrackingScalingPolicyConfiguration
			switch name {
			case "requests":
				c.PredefinedMetricSpecification = &api.PredefinedMetricSpecification{PredefinedMetricType: "ALBRequestCountPerTarget", ResourceLabel: new("app/lb/0123456789abcdef/targetgroup/web/0123456789abcdef")}
			case "backlog":
				c.PredefinedMetricSpecification, c.CustomizedMetricSpecification = nil, &api.CustomizedMetricSpecification{Namespace: new("App"), MetricName: new("Backlog"), Statistic: "Average"}
			case "math":
				metric := func(id, name string) api.TargetTrackingMetricDataQuery {
					return api.TargetTrackingMetricDataQuery{Id: &id, ReturnData: new(false), MetricStat: &api.TargetTrackingMetricStat{Stat: new("Sum"), Metric: &api.TargetTrackingMetric{Namespace: new("App"), MetricName: &name}}}
				}
				c.PredefinedMetricSpecification, c.CustomizedMetricSpecification = nil, &api.CustomizedMetricSpecification{
					Metrics: []api.TargetTrackingMetricDataQuery{metric("queue", "Queue"), metric("tasks", "Tasks"), {Id: new("each"), Expression: new("queue / tasks")}},
				}
			}
			out := w.put(in)
			a := must(w.cw.DescribeAlarms(w.ctx, &cloudwatchapi.DescribeAlarmsInput{AlarmNames: []string{*out.Alarms[0].AlarmName}})).MetricAlarms[0]
			var parts []string
			for _, p := range []*string{a.Namespace, a.MetricName, (*string)(&a.Statistic)} {
				if p == nil {
					p = new("")
				}
				parts = append(parts, *p)
			}
			if got := strings.Join(parts, " "); got != want || name == "math" && len(a.Metrics) != 3 {
				t.Errorf("%s: %q %+v", name, got, a.Metrics)
			}
		}
		in := tracking()
		in.PolicyName = new("broken")
		in.TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification = nil
		in.TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification = &api.CustomizedMetricSpecification{Metrics: []api.TargetTrackingMetricDataQuery{{Id: new("e"), Expression: new("nothing / 2")}}}
		before := len(w.alarms())
		if _, err := w.s.PutScalingPolicy(w.ctx, in); err == nil || !strings.HasPrefix(code(err), "ValidationException: ") {
			t.Error(err)
		}
		if d := must(w.s.DescribeScalingPolicies(w.ctx, &api.DescribeScalingPoliciesInput{ServiceNamespace: "ecs", PolicyNames: []string{"broken"}})); len(d.ScalingPolicies) > 0 || len(w.alarms()) != before {
			t.Errorf("a policy that was refused is there: %+v %q", d, w.alarms())
		}
	})
}

// balancer makes a load balancer that sends to a target group.
func (w *world) balancer() {
	w.update(func(tx *store.Tx) error {
		const at = "arn:aws:elasticloadbalancing:us-east-1:123456789012:"
		elbv2.Listeners.Put(tx, elbv2.Listener{Scope: here, ARN: "listener", LoadBalancerARN: at + "loadbalancer/app/lb/0123456789abcdef"})
		elbv2.Rules.Put(tx, elbv2.Rule{Scope: here, ARN: "rule", ListenerARN: "listener", Actions: []elbv2api.Action{{Type: "forward", TargetGroupArn: new(at + "targetgroup/web/0123456789abcdef")}}})
		return nil
	})
}

func TestRefusals(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		put := func(change func(*api.PutScalingPolicyInput)) error {
			in := tracking()
			change(in)
			_, err := w.s.PutScalingPolicy(w.ctx, in)
			return err
		}
		register := func(change func(*api.RegisterScalableTargetInput)) error {
			in := &api.RegisterScalableTargetInput{ServiceNamespace: "ecs", ResourceId: new(resource), ScalableDimension: "ecs:service:DesiredCount", MinCapacity: new(int32(1)), MaxCapacity: new(int32(5))}
			change(in)
			_, err := w.s.RegisterScalableTarget(w.ctx, in)
			return err
		}
		const of = " for service namespace: ecs, resource ID: service/c/web, scalable dimension: ecs:service:DesiredCount"
		expect := func(err error, want string) {
			t.Helper()
			if code(err) != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
		expect(put(func(*api.PutScalingPolicyInput) {}), "ObjectNotFoundException: No scalable target registered"+of)
		expect(register(func(in *api.RegisterScalableTargetInput) { in.ResourceId = new("service/c/none") }), "ValidationException: ECS service doesn't exist: service/c/none")
		expect(register(func(in *api.RegisterScalableTargetInput) { in.ResourceId = new("table/t") }), "ValidationException: Unsupported service namespace, resource type or scalable dimension")
		expect(register(func(in *api.RegisterScalableTargetInput) { in.MaxCapacity = new(int32(0)) }), "ValidationException: Maximum capacity cannot be less than minimum capacity")
		expect(register(func(in *api.RegisterScalableTargetInput) { in.MaxCapacity = nil }), "ValidationException: MinCapacity and MaxCapacity must be specified when a scalable target is registered")
		expect(register(func(in *api.RegisterScalableTargetInput) { in.ServiceNamespace = "dynamodb" }), "ValidationException: Service namespace dynamodb is not supported by this engine yet: it scales services of ecs.")
		w.register(1, 5)
		expect(put(func(in *api.PutScalingPolicyInput) {
			in.TargetTrackingScalingPolicyConfiguration.TargetValue = new(0.0)
		}), "ValidationException: The target value must be a positive number.")
		expect(put(func(in *api.PutScalingPolicyInput) {
			in.TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification.PredefinedMetricType = "RDSReaderAverageCPUUtilization"
		}), "ValidationException: Metric type RDSReaderAverageCPUUtilization is not supported for service namespace ecs.")
		expect(put(func(in *api.PutScalingPolicyInput) { in.PolicyType = "PredictiveScaling" }), "ValidationException: Policy type PredictiveScaling is not supported by this engine yet.")
		w.put(tracking())
		expect(put(func(in *api.PutScalingPolicyInput) { in.PolicyName = new("cpu2") }), "ValidationException: Only one TargetTrackingScaling policy for a given metric specification is allowed.")
		for name, steps := range map[string][]api.StepAdjustment{
			"The ranges of the step adjustments can't overlap or have a gap.": {
				{MetricIntervalUpperBound: new(0.0), ScalingAdjustment: new(int32(1))}, {MetricIntervalLowerBound: new(5.0), ScalingAdjustment: new(int32(2))},
			},
			"A step adjustment cannot have a negative lower bound and a positive upper bound.": {{MetricIntervalLowerBound: new(-1.0), MetricIntervalUpperBound: new(1.0), ScalingAdjustment: new(int32(1))}},
			"At least one step adjustment must be specified.":                                  nil,
		} {
			in := step("s", 1, 1)
			in.StepScalingPolicyConfiguration.StepAdjustments = steps
			_, err := w.s.PutScalingPolicy(w.ctx, in)
			expect(err, "ValidationException: "+name)
		}
		_, err := w.s.GetPredictiveScalingForecast(w.ctx, &api.GetPredictiveScalingForecastInput{PolicyName: new("none"), ServiceNamespace: "ecs", ResourceId: new(resource), ScalableDimension: "ecs:service:DesiredCount"})
		expect(err, "ObjectNotFoundException: No scaling policy found"+of+", policy name: none")
		_, err = w.s.DeregisterScalableTarget(w.ctx, &api.DeregisterScalableTargetInput{ServiceNamespace: "ecs", ResourceId: new("service/c/none"), ScalableDimension: "ecs:service:DesiredCount"})
		expect(err, "ObjectNotFoundException: "+strings.ReplaceAll("No scalable target registered"+of, "c/web", "c/none"))
		_, err = w.s.PutScheduledAction(w.ctx, &api.PutScheduledActionInput{
			ScheduledActionName: new("a"), ServiceNamespace: "ecs", ResourceId: new(resource), ScalableDimension: "ecs:service:DesiredCount", Schedule: new("rate(1 minute)"),
			Timezone: new("Mars/Olympus"), ScalableTargetAction: &api.ScalableTargetAction{MinCapacity: new(int32(1))},
		})
		expect(err, "ValidationException: The time zone Mars/Olympus is not valid.")
	})
}

func TestResources(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		types := w.s.Resources()
		ctx := awsapi.WithToken(cfn.With(w.ctx, cfn.Request{StackID: "stack", StackName: "Tap", LogicalID: "Web", Token: "1"}), "1")
		props := map[string]any{
			"MinCapacity": 3, "MaxCapacity": "10", "ResourceId": resource, "ScalableDimension": "ecs:service:DesiredCount", "ServiceNamespace": "ecs",
			"ScheduledActions": []any{map[string]any{"ScheduledActionName": "night", "Schedule": "cron(0 22 * * ? *)", "ScalableTargetAction": map[string]any{"MinCapacity": 1}}},
		}
		target, err := types[0].Create(ctx, props)
		if err != nil || target.ID != "service/c/web|ecs:service:DesiredCount|ecs" || w.desired() != 3 {
			t.Fatalf("%+v %v, %d tasks", target, err, w.desired())
		}
		if again, err := types[0].Create(ctx, props); err != nil || again.ID != target.ID {
			t.Errorf("after a crash: %+v %v", again, err)
		}
		if _, err := types[0].Create(w.ctx, props); err == nil || !strings.Contains(err.Error(), "already exists") {
			t.Errorf("another's target was taken: %v", err)
		}
		policyProps := map[string]any{
			"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling", "ScalingTargetId": target.ID,
			"TargetTrackingScalingPolicyConfiguration": map[string]any{
				"TargetValue": 70, "ScaleInCooldown": 60, "ScaleOutCooldown": 60,
				"PredefinedMetricSpecification": map[string]any{"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
			},
		}
		policy, err := types[1].Create(ctx, policyProps)
		if err != nil || !strings.HasSuffix(policy.ID, ":policyName/cpu") || len(w.alarms()) != 2 {
			t.Fatalf("%+v %v %q", policy, err, w.alarms())
		}
		names := w.fullAlarms()
		if again, err := types[1].Create(ctx, policyProps); err != nil || again.ID != policy.ID || !slices.Equal(w.fullAlarms(), names) {
			t.Errorf("after a crash: %+v %v %q", again, err, w.fullAlarms())
		}
		delete(props, "ScheduledActions")
		props["MinCapacity"] = 4
		if target, err = types[0].Update(ctx, target, props); err != nil || w.desired() != 4 {
			t.Errorf("%v, %d tasks", err, w.desired())
		}
		if out := must(w.s.DescribeScheduledActions(w.ctx, &api.DescribeScheduledActionsInput{ServiceNamespace: "ecs"})); len(out.ScheduledActions) > 0 {
			t.Errorf("left: %+v", out)
		}
		for range 2 {
			for i, in := range []cfn.Instance{target, policy} {
				if err := types[i].Delete(ctx, in); err != nil {
					t.Error(err)
				}
			}
		}
		if got := w.alarms(); len(got) > 0 {
			t.Errorf("left: %q", got)
		}
		if _, err := types[1].Create(w.ctx, map[string]any{"PolicyName": "x", "PolicyType": "StepScaling"}); err == nil ||
			!strings.Contains(err.Error(), "Either ScalingTargetId or all three of [ResourceId, ScalableDimension, ServiceNamespace] must be specified") {
			t.Error(err)
		}
	})
}

// The AWS command line reads what it is answered.
func TestTheAWSCLI(t *testing.T) {
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Fatal("the AWS CLI is not installed; install it with: apt-get install awscli")
	}
	t.Parallel()
	w := newWorld(t, 1)
	server := httptest.NewServer(awsapi.NewMux(awsapi.Config{DefaultScope: here, AnyAuth: true}, w.s.API(), w.cw.API()))
	defer server.Close()
	defer w.stop()
	expect := func(want string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), path, append([]string{"--endpoint-url", server.URL, "--region", "us-east-1", "--output", "text", "application-autoscaling"}, args...)...)
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null")
		out, _ := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("aws application-autoscaling %s: %s, want %s", strings.Join(args, " "), got, want)
		}
	}
	one := []string{"--service-namespace", "ecs", "--resource-id", resource, "--scalable-dimension", "ecs:service:DesiredCount"}
	with := func(op string, more ...string) []string { return slices.Concat([]string{op}, one, more) }
	register := with("register-scalable-target", "--min-capacity", "3", "--max-capacity", "9", "--tags", "team=core")
	arn := "arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/"
	expect(arn, register...)
	target := must(w.s.DescribeScalableTargets(w.ctx, &api.DescribeScalableTargetsInput{ServiceNamespace: "ecs"})).ScalableTargets[0].ScalableTargetARN
	expect("core", "list-tags-for-resource", "--resource-arn", *target)
	expect("policyName/cpu", with("put-scaling-policy", "--policy-name", "cpu", "--policy-type", "TargetTrackingScaling", "--target-tracking-scaling-policy-configuration",
		`{"TargetValue":70,"PredefinedMetricSpecification":{"PredefinedMetricType":"ECSServiceAverageCPUUtilization"}}`)...)
	expect("TargetTracking-service/c/web-AlarmHigh-", "describe-scaling-policies", "--service-namespace", "ecs")
	expect("", with("put-scheduled-action", "--scheduled-action-name", "night", "--schedule", "cron(0 22 * * ? *)", "--scalable-target-action", "MinCapacity=1")...)
	expect("minimum capacity was set to 3", with("describe-scaling-activities")...)
	expect("(ObjectNotFoundException)", with("delete-scaling-policy", "--policy-name", "none")...)
}
