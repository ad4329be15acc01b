package applicationautoscaling

import (
	"regexp"
	"strings"

	api "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/elbv2"
)

// period is that of a target tracking policy's alarms, in seconds.
const period = 60

// label is a resource label: the end of a load balancer's ARN and the end of
// the ARN of one of its target groups.
var label = regexp.MustCompile(`^(app/[^/]+/[^/]+)/(targetgroup/[^/]+/[^/]+)$`)

// checkLabel wants a target group that the load balancer sends to.
func checkLabel(r store.Reader, k Scaled, text string) error {
	m := label.FindStringSubmatch(text)
	if m == nil {
		return errValidation("Resource label %s is not of the form app/<load-balancer-name>/<load-balancer-id>/targetgroup/<target-group-name>/<target-group-id>.", text)
	}
	group := k.Scope.ARN("elasticloadbalancing", m[2])
	for rule := range elbv2.Rules.By(r, "group", group) {
		if l, err := elbv2.Listeners.Get(r, rule.ListenerARN); err == nil && strings.HasSuffix(l.LoadBalancerARN, ":loadbalancer/"+m[1]) {
			return nil
		}
	}
	return errValidation("Resource label %s names no target group that is attached to the load balancer.", text)
}

// metric puts what a target tracking policy follows into an alarm.
func metric(in *cloudwatchapi.PutMetricAlarmInput, k Scaled, c *api.TargetTrackingScalingPolicyConfiguration) {
	in.Period = new(int32(period))
	if m := c.CustomizedMetricSpecification; m != nil {
		customized(in, m)
		return
	}
	cluster, name := k.service()
	in.Namespace, in.Statistic = new("AWS/ECS"), cloudwatchapi.StatisticAverage
	in.Dimensions = []cloudwatchapi.Dimension{{Name: new("ClusterName"), Value: &cluster}, {Name: new("ServiceName"), Value: &name}}
	switch m := c.PredefinedMetricSpecification; m.PredefinedMetricType {
	case api.MetricTypeECSServiceAverageCPUUtilization:
		in.MetricName = new("CPUUtilization")
	case api.MetricTypeECSServiceAverageMemoryUtilization:
		in.MetricName = new("MemoryUtilization")
	default:
		parts := label.FindStringSubmatch(*m.ResourceLabel)
		in.Namespace, in.MetricName, in.Statistic = new("AWS/ApplicationELB"), new("RequestCountPerTarget"), cloudwatchapi.StatisticSum
		in.Dimensions = []cloudwatchapi.Dimension{{Name: new("TargetGroup"), Value: &parts[2]}, {Name: new("LoadBalancer"), Value: &parts[1]}}
	}
}

func customized(in *cloudwatchapi.PutMetricAlarmInput, m *api.CustomizedMetricSpecification) {
	if len(m.Metrics) == 0 {
		in.Namespace, in.MetricName, in.Statistic, in.Unit = m.Namespace, m.MetricName, cloudwatchapi.Statistic(m.Statistic), cloudwatchapi.StandardUnit(val(m.Unit))
		for _, d := range m.Dimensions {
			in.Dimensions = append(in.Dimensions, cloudwatchapi.Dimension{Name: d.Name, Value: d.Value})
		}
		return
	}
	in.Period = nil
	for _, q := range m.Metrics {
		out := cloudwatchapi.MetricDataQuery{Id: q.Id, Expression: q.Expression, Label: q.Label, ReturnData: q.ReturnData}
		if st := q.MetricStat; st != nil {
			out.MetricStat = &cloudwatchapi.MetricStat{Metric: &cloudwatchapi.Metric{}, Period: new(int32(period)), Stat: st.Stat, Unit: cloudwatchapi.StandardUnit(val(st.Unit))}
			if from := st.Metric; from != nil {
				out.MetricStat.Metric.Namespace, out.MetricStat.Metric.MetricName = from.Namespace, from.MetricName
				for _, d := range from.Dimensions {
					out.MetricStat.Metric.Dimensions = append(out.MetricStat.Metric.Dimensions, cloudwatchapi.Dimension{Name: d.Name, Value: d.Value})
				}
			}
		}
		in.Metrics = append(in.Metrics, out)
	}
}
