package synth

import (
	"slices"

	"github.com/slipway-dev/slipway/manifest"
)

// service renders all that belongs to one service: its log, roles and task definition, its private name, its target group, and the ECS
// service that keeps its tasks running.
func (r *renderer) service(s *manifest.Service) {
	id := manifest.Camel(s.Name)
	r.member(s)
	r.task(s)
	r.discovery(s)
	// What a task needs as long as it runs but nothing refers to: the packet filter's rules, which must outlive the draining of the tasks,
	// with them the way to the registry and the logs (see groups), and the rule that ties the target group to the load balancer (ECS refuses a target group
	// without one).
	needs := slices.Clone(r.among)
	properties := Object{
		{"ServiceName", r.names.Service(s.Name)},
		{"Cluster", ref("Cluster")},
		{"TaskDefinition", ref(id + "TaskDefinition")},
		{"DesiredCount", s.Desired},
		{"CapacityProviderStrategy", r.strategy()},
		{"NetworkConfiguration", Object{{"AwsvpcConfiguration", Object{
			{"AssignPublicIp", "DISABLED"}, {"Subnets", refs(r.private)}, {"SecurityGroups", []any{ref("TaskSecurityGroup")}},
		}}}},
		{"DeploymentConfiguration", rollout(s.Rollout)},
		{"EnableExecuteCommand", s.Exec},
		{"EnableECSManagedTags", true},
		{"PropagateTags", "SERVICE"},
		{"ServiceRegistries", []Object{{{"RegistryArn", attribute(id+"Discovery", "Arn")}}}},
	}
	if s.Public() {
		needs = append(needs, albToTask(r.entrance(s).port))
		rule := r.target(s)
		in := r.entrance(s)
		balancer := Object{{"ContainerName", in.container}, {"ContainerPort", in.port}, {"TargetGroupArn", ref(id + "TargetGroup")}}
		if s.Rollout.Shifts() {
			balancer = append(balancer, r.shifting(s)) // names the rule
		} else {
			needs = append(needs, rule)
		}
		properties = append(
			properties,
			Field{"LoadBalancers", []Object{balancer}},
			Field{"HealthCheckGracePeriodSeconds", s.Grace.Seconds()},
		)
	}
	r.add(id+"Service", "AWS::ECS::Service", properties, needs...)
}

// discovery renders the private name, which resolves to the addresses of the service's tasks.
func (r *renderer) discovery(s *manifest.Service) {
	r.add(manifest.Camel(s.Name)+"Discovery", "AWS::ServiceDiscovery::Service", Object{
		{"Name", s.DNS},
		{"NamespaceId", attribute("Namespace", "Id")},
		{"DnsConfig", Object{{"DnsRecords", []Object{{{"Type", "A"}, {"TTL", 60}}}}}},
		{"HealthCheckCustomConfig", Object{{"FailureThreshold", 1}}},
	})
}
