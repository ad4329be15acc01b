package synth

import (
	"fmt"
	"slices"

	"github.com/slipway-dev/slipway/manifest"
)

// balancer renders the load balancer, its listeners, and the two security groups on the way from a client to a task.
func (r *renderer) balancer() {
	l := r.m.LoadBalancer
	r.groups()
	subnets, scheme := r.public, any(nil) // AWS takes internet-facing for granted
	if l.Internal {
		subnets, scheme = r.private, "internal"
	}
	var gateway []string
	if !l.Internal { // "VPC has no internet gateway", says AWS otherwise
		gateway = []string{"InternetGatewayAttachment"}
	}
	r.add("LoadBalancer", "AWS::ElasticLoadBalancingV2::LoadBalancer", Object{
		{"Name", r.names.LoadBalancer()},
		{"Scheme", scheme},
		{"Subnets", refs(subnets)},
		{"SecurityGroups", []any{ref("AlbSecurityGroup")}},
		{"LoadBalancerAttributes", []Object{
			{{"Key", "idle_timeout.timeout_seconds"}, {"Value", fmt.Sprint(l.IdleTimeout.Seconds())}},
			{{"Key", "routing.http.drop_invalid_header_fields.enabled"}, {"Value", "true"}},
		}},
		r.tagged("alb"),
	}, gateway...)
	r.listeners()
}

// listeners render where the load balancer listens: for everyone, and for who tries new versions.
func (r *renderer) listeners() {
	l := r.m.LoadBalancer
	for _, port := range r.testPorts() {
		r.listener(testListener(port), port, "HTTP", notFound())
	}
	if l.HTTPS.Certificate == "" {
		r.listener("HttpListener", l.Port, "HTTP", notFound())
		return
	}
	r.listener("HttpListener", l.Port, "HTTP", Object{{"Type", "redirect"}, {"RedirectConfig", Object{
		{"Protocol", "HTTPS"}, {"Port", fmt.Sprint(l.HTTPS.Port)}, {"StatusCode", "HTTP_301"},
	}}})
	r.listener(
		"HttpsListener", l.HTTPS.Port, "HTTPS", notFound(),
		Field{"SslPolicy", l.HTTPS.Policy}, Field{"Certificates", []Object{{{"CertificateArn", l.HTTPS.Certificate}}}},
	)
}

func (r *renderer) listener(id string, port int, protocol string, action Object, more ...Field) {
	properties := Object{
		{"LoadBalancerArn", ref("LoadBalancer")}, {"Port", port}, {"Protocol", protocol}, {"DefaultActions", []Object{action}},
	}
	r.add(id, "AWS::ElasticLoadBalancingV2::Listener", append(properties, more...))
}

// notFound answers what no service's rule takes.
func notFound() Object {
	return Object{{"Type", "fixed-response"}, {"FixedResponseConfig", Object{
		{"StatusCode", "404"}, {"ContentType", "text/plain"}, {"MessageBody", "Not Found"},
	}}}
}

// rulesListener is the listener that the services' rules belong to.
func (r *renderer) rulesListener() string {
	if r.m.LoadBalancer.HTTPS.Certificate != "" {
		return "HttpsListener"
	}
	return "HttpListener"
}

// groups renders the security groups: clients reach the balancer, the balancer reaches the services' entrances, tasks reach each other. Rules
// between the two groups are resources of their own, or the groups would depend on each other in a circle.
func (r *renderer) groups() {
	l := r.m.LoadBalancer
	ports := []int{l.Port}
	if l.HTTPS.Certificate != "" {
		ports = append(ports, l.HTTPS.Port)
	}
	ports = append(ports, r.testPorts()...)
	var in []Object
	for _, cidr := range l.Allow {
		for _, port := range ports {
			in = append(in, Object{
				{"IpProtocol", "tcp"}, {"FromPort", port}, {"ToPort", port}, {"CidrIp", cidr},
			})
		}
	}
	r.add("TaskSecurityGroup", "AWS::EC2::SecurityGroup", Object{
		{"GroupDescription", "Tasks: from the load balancer and from each other"}, {"VpcId", ref("Vpc")}, r.tagged("tasks"),
	})
	r.peers()
	for _, port := range r.servicePorts() {
		r.add(albToTask(port), "AWS::EC2::SecurityGroupIngress", Object{
			{"GroupId", ref("TaskSecurityGroup")},
			{"IpProtocol", "tcp"},
			{"FromPort", port},
			{"ToPort", port},
			{"SourceSecurityGroupId", ref("AlbSecurityGroup")},
		})
	}
	r.add("AlbSecurityGroup", "AWS::EC2::SecurityGroup", Object{
		{"GroupDescription", "Load balancer: from clients to the ports of the services"},
		{"VpcId", ref("Vpc")},
		{"SecurityGroupIngress", in},
		// On which ports is for the tasks' group to say: it has a rule for each, so that those of before serve on while tasks are replaced.
		{"SecurityGroupEgress", []Object{{
			{"IpProtocol", "tcp"}, {"FromPort", 1}, {"ToPort", 65535}, {"DestinationSecurityGroupId", ref("TaskSecurityGroup")},
		}}},
		r.tagged("alb"),
	})
}

// peers renders the rules by which tasks reach each other: all of them on all ports, in a mesh on the ports of the services alone. Services
// wait for these rules, and the rules for the way out, so that not every service has to name it all.
func (r *renderer) peers() {
	rule := func(id string, traffic ...Field) {
		r.among = append(r.among, id)
		r.add(id, "AWS::EC2::SecurityGroupIngress", append(Object{
			{"GroupId", ref("TaskSecurityGroup")}, {"SourceSecurityGroupId", ref("TaskSecurityGroup")},
		}, traffic...), r.outward...)
	}
	if !r.meshed() {
		rule("TaskToTask", Field{"IpProtocol", "-1"})
		return
	}
	for _, ports := range r.meshPorts() {
		rule(fmt.Sprintf("TaskToTask%d", ports[0]), Field{"IpProtocol", "tcp"}, Field{"FromPort", ports[0]}, Field{"ToPort", ports[1]})
	}
	if len(r.among) == 0 { // nobody takes calls
		r.among = r.outward
	}
}

// meshPorts lists the ports on which services take calls as ranges, first and last.
func (r *renderer) meshPorts() [][2]int {
	var ports []int
	for i := range r.m.Services {
		if s := &r.m.Services[i]; s.Port != 0 {
			ports = append(ports, s.Port)
		}
	}
	slices.Sort(ports)
	var out [][2]int
	for _, port := range slices.Compact(ports) {
		if last := len(out) - 1; last >= 0 && out[last][1] == port-1 {
			out[last][1] = port
		} else {
			out = append(out, [2]int{port, port})
		}
	}
	return out
}

// albToTask is the rule that lets the load balancer reach a port of the tasks.
func albToTask(port int) string { return fmt.Sprintf("AlbToTask%d", port) }

// servicePorts lists the ports that the load balancer reaches, each once.
func (r *renderer) servicePorts() []int {
	var ports []int
	for i := range r.m.Services {
		if s := &r.m.Services[i]; s.Public() && !slices.Contains(ports, r.entrance(s).port) {
			ports = append(ports, r.entrance(s).port)
		}
	}
	return ports
}

// target renders a service's target group and the rule that sends its paths there; where deployments shift requests a second group, and
// the rule for who tries the new version. Returns the id of the rule for everyone.
func (r *renderer) target(s *manifest.Service) string {
	id := manifest.Camel(s.Name)
	r.targetGroup(id+"TargetGroup", s)
	forward := Object{{"Type", "forward"}, {"TargetGroupArn", ref(id + "TargetGroup")}}
	if s.Rollout.Shifts() {
		r.targetGroup(id+"OtherTargetGroup", s)
		forward = Object{{"Type", "forward"}, {"ForwardConfig", Object{{"TargetGroups", []Object{
			{{"TargetGroupArn", ref(id + "TargetGroup")}, {"Weight", 100}}, {{"TargetGroupArn", ref(id + "OtherTargetGroup")}, {"Weight", 0}},
		}}}}}
	}
	r.rule(id+"Rule", r.rulesListener(), s, forward)
	if s.Rollout.TestPort != 0 {
		r.rule(id+"TestRule", testListener(s.Rollout.TestPort), s, forward)
	}
	return id + "Rule"
}

func (r *renderer) targetGroup(id string, s *manifest.Service) {
	r.add(id, "AWS::ElasticLoadBalancingV2::TargetGroup", Object{
		{"VpcId", ref("Vpc")},
		{"TargetType", "ip"},
		{"Protocol", "HTTP"},
		{"Port", s.Port}, // of targets that name none; ECS's do
		{"HealthCheckPath", s.Health.Path},
		{"HealthCheckIntervalSeconds", unless(s.Health.Interval.Seconds(), 30)},
		{"HealthCheckTimeoutSeconds", unless(s.Health.Timeout.Seconds(), 5)},
		{"HealthyThresholdCount", s.Health.Healthy},
		{"UnhealthyThresholdCount", s.Health.Unhealthy},
		{"Matcher", matcher(s.Health.Codes)},
		{"TargetGroupAttributes", []Object{{{"Key", "deregistration_delay.timeout_seconds"}, {"Value", fmt.Sprint(s.Drain.Seconds())}}}},
	})
}

func matcher(codes string) any {
	if codes == "200" {
		return nil
	}
	return Object{{"HttpCode", codes}}
}

func (r *renderer) rule(id, listener string, s *manifest.Service, forward Object) {
	r.add(id, "AWS::ElasticLoadBalancingV2::ListenerRule", Object{
		{"ListenerArn", ref(listener)},
		{"Priority", s.Priority},
		{"Conditions", []Object{{{"Field", "path-pattern"}, {"Values", s.Paths}}}},
		{"Actions", []Object{forward}},
	})
}
