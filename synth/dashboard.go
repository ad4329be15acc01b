package synth

import "fmt"

// dashboard renders what the services use and the load balancer serves. Services are found by searches, so that one that is added later is
// there as well. Source: "Dashboard body structure and syntax" of the CloudWatch API reference.
func (r *renderer) dashboard() {
	if !r.m.Monitoring.Dashboard {
		return
	}
	widgets := []Object{
		r.search("CPU, percent", "AWS/ECS", "CPUUtilization", "Average"),
		r.search("Memory, percent", "AWS/ECS", "MemoryUtilization", "Average"),
	}
	if r.m.Cluster.Insights {
		widgets = append(widgets, r.search("Tasks that run", "ECS/ContainerInsights", "RunningTaskCount", "Minimum"))
	}
	lb := func(name, statistic string) []any {
		return []any{"AWS/ApplicationELB", name, "LoadBalancer", "${LoadBalancer.LoadBalancerFullName}", Object{{"stat", statistic}}}
	}
	also := func(name, statistic string) []any { return []any{".", name, ".", ".", Object{{"stat", statistic}}} } // of the same
	widgets = append(
		widgets,
		r.widget("Requests", []any{lb("RequestCount", "Sum")}),
		r.widget("Response time, seconds", []any{lb("TargetResponseTime", "p50"), also(".", "p99")}),
		r.widget("Errors", []any{lb("HTTPCode_Target_4XX_Count", "Sum"), also("HTTPCode_Target_5XX_Count", "Sum"), also("HTTPCode_ELB_5XX_Count", "Sum")}),
	)
	if r.meshed() {
		widgets = append(
			widgets,
			r.calls("Calls between services", "RequestCount", "Sum"),
			r.calls("Time they take, milliseconds, p99", "ResponseLatency", "p99"),
			r.calls("TLS errors", "TLSErrors", "Sum"),
		)
	}
	body, err := encode(Object{{"widgets", widgets}})
	if err != nil {
		panic(fmt.Sprintf("synth: dashboard: %v", err)) // texts and numbers alone
	}
	r.add("Dashboard", "AWS::CloudWatch::Dashboard", Object{{"DashboardName", r.names.Dashboard()}, {"DashboardBody", sub(string(body))}})
}

// search is a widget with a line for each service of the cluster.
func (r *renderer) search(title, namespace, name, statistic string) Object {
	return r.found(title, fmt.Sprintf("{%s,ClusterName,ServiceName} ClusterName=%q MetricName=%q", namespace, r.names.Cluster(), name), statistic)
}

// calls is a widget with a line for each pair of services that call each other in the mesh.
func (r *renderer) calls(title, name, statistic string) Object {
	return r.found(title, fmt.Sprintf("{Slipway/Mesh,Mesh,VirtualNode,Backend} Mesh=%q MetricName=%q", r.names.Mesh(), name), statistic)
}

func (r *renderer) found(title, metrics, statistic string) Object {
	return r.widget(title, []any{[]any{Object{{"expression", fmt.Sprintf("SEARCH('%s', '%s', 60)", metrics, statistic)}}}})
}

func (r *renderer) widget(title string, metrics []any) Object {
	return Object{{"type", "metric"}, {"width", 8}, {"properties", Object{
		{"title", title}, {"region", r.m.Region}, {"metrics", metrics},
	}}}
}
