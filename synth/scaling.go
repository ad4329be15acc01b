package synth

import "github.com/slipway-dev/slipway/manifest"

// scaling renders how the number of a service's tasks follows its load: a target tracking policy for each average that is to be kept.
func (r *renderer) scaling(s *manifest.Service) {
	if !s.Scales() {
		return
	}
	id := manifest.Camel(s.Name)
	r.add(id+"Scaling", "AWS::ApplicationAutoScaling::ScalableTarget", Object{
		{"ServiceNamespace", "ecs"},
		{"ScalableDimension", "ecs:service:DesiredCount"},
		{"ResourceId", sub("service/${Cluster}/${" + id + "Service.Name}")},
		{"MinCapacity", s.Min},
		{"MaxCapacity", s.Max},
	})
	if s.Scaling.CPU > 0 {
		r.tracking(s, "Cpu", s.Scaling.CPU, Object{{"PredefinedMetricType", "ECSServiceAverageCPUUtilization"}})
	}
	if s.Scaling.Memory > 0 {
		r.tracking(s, "Memory", s.Scaling.Memory, Object{{"PredefinedMetricType", "ECSServiceAverageMemoryUtilization"}})
	}
	if s.Scaling.Requests > 0 {
		r.tracking(s, "Requests", s.Scaling.Requests, Object{
			{"PredefinedMetricType", "ALBRequestCountPerTarget"},
			{"ResourceLabel", sub("${LoadBalancer.LoadBalancerFullName}/${" + id + "TargetGroup.TargetGroupFullName}")},
		})
	}
}

func (r *renderer) tracking(s *manifest.Service, name string, target int, metric Object) {
	id := manifest.Camel(s.Name)
	r.add(id+name+"Policy", "AWS::ApplicationAutoScaling::ScalingPolicy", Object{
		{"PolicyName", name},
		{"PolicyType", "TargetTrackingScaling"},
		{"ScalingTargetId", ref(id + "Scaling")},
		{"TargetTrackingScalingPolicyConfiguration", Object{
			{"TargetValue", target},
			{"PredefinedMetricSpecification", metric},
			{"ScaleOutCooldown", s.Scaling.Out.Seconds()},
			{"ScaleInCooldown", s.Scaling.In.Seconds()},
		}},
	})
}
