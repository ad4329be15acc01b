package synth

import (
	"fmt"

	"github.com/slipway-dev/slipway/manifest"
)

// When alarms go off.
const (
	busy    = 90 // percent of CPU or memory
	failing = 5  // percent of requests that end with a 5xx
	lasting = 5  // minutes
)

// metric is a CloudWatch metric.
type metric struct {
	namespace, name, statistic string
	dimensions                 []Object
}

func dimension(name string, value any) Object { return Object{{"Name", name}, {"Value", value}} }

// alarms render what somebody should look at. They have no names of their own, so that they can be replaced.
func (r *renderer) alarms() {
	if !r.m.Monitoring.Alarms {
		return
	}
	public := false
	for i := range r.m.Services {
		s := &r.m.Services[i]
		r.serviceAlarms(s)
		public = public || s.Public()
	}
	if public {
		r.failingRequests()
	}
}

func (r *renderer) serviceAlarms(s *manifest.Service) {
	id := manifest.Camel(s.Name)
	of := []Object{dimension("ClusterName", r.names.Cluster()), dimension("ServiceName", r.names.Service(s.Name))}
	r.alarm(id+"CpuHigh", metric{"AWS/ECS", "CPUUtilization", "Average", of}, ">", busy)
	r.alarm(id+"MemoryHigh", metric{"AWS/ECS", "MemoryUtilization", "Average", of}, ">", busy)
	if r.m.Cluster.Insights && s.Min > 0 {
		r.alarm(id+"TooFew", metric{"ECS/ContainerInsights", "RunningTaskCount", "Minimum", of}, "<", s.Min)
	}
	if !s.Public() {
		return
	}
	groups := map[string]string{"Unhealthy": id + "TargetGroup"}
	order := []string{"Unhealthy"}
	if s.Rollout.Shifts() {
		groups["OtherUnhealthy"], order = id+"OtherTargetGroup", append(order, "OtherUnhealthy")
	}
	for _, name := range order {
		r.alarm(id+name, metric{"AWS/ApplicationELB", "UnHealthyHostCount", "Maximum", []Object{
			dimension("LoadBalancer", sub("${LoadBalancer.LoadBalancerFullName}")), dimension("TargetGroup", sub("${"+groups[name]+".TargetGroupFullName}")),
		}}, ">", 0)
	}
}

// alarm renders an alarm that goes off when all of the last minutes are on one side of a threshold.
func (r *renderer) alarm(id string, m metric, side string, threshold int) {
	r.add(id, "AWS::CloudWatch::Alarm", append(Object{
		{"Namespace", m.namespace},
		{"MetricName", m.name},
		{"Dimensions", m.dimensions},
		{"Statistic", m.statistic},
		{"Period", 60},
	}, r.judged(side, threshold)...))
}

// judged is what metrics and expressions have in common.
func (r *renderer) judged(side string, threshold int) Object {
	comparison := "GreaterThanThreshold"
	if side == "<" {
		comparison = "LessThanThreshold"
	}
	notify := r.m.Monitoring.Notify
	return Object{
		{"EvaluationPeriods", lasting},
		{"Threshold", threshold},
		{"ComparisonOperator", comparison},
		{"AlarmActions", listOrNil(notify)},
		{"OKActions", listOrNil(notify)},
	}
}

// failingRequests renders the alarm on the share of requests that end with a 5xx, of the services or of the load balancer itself.
func (r *renderer) failingRequests() {
	queries := []Object{{{"Id", "share"}, {"Expression", "100*(FILL(own,0)+FILL(theirs,0))/all"}}}
	for _, m := range []struct{ id, name string }{{"own", "HTTPCode_ELB_5XX_Count"}, {"theirs", "HTTPCode_Target_5XX_Count"}, {"all", "RequestCount"}} {
		queries = append(queries, Object{{"Id", m.id}, {"ReturnData", false}, {"MetricStat", Object{
			{"Metric", Object{
				{"Namespace", "AWS/ApplicationELB"},
				{"MetricName", m.name},
				{"Dimensions", []Object{dimension("LoadBalancer", sub("${LoadBalancer.LoadBalancerFullName}"))}},
			}},
			{"Period", 60},
			{"Stat", "Sum"},
		}}})
	}
	r.add("RequestsFail", "AWS::CloudWatch::Alarm", append(Object{
		{"AlarmDescription", fmt.Sprintf("More than %d %% of the requests end with a 5xx", failing)},
		{"Metrics", queries},
		{"TreatMissingData", "notBreaching"},
	}, r.judged(">", failing)...))
}
