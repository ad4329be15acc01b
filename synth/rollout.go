package synth

import (
	"fmt"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/manifest"
)

// rollout renders how a new version replaces the old one. What a strategy does not use is left out, as ECS refuses it.
func rollout(o manifest.Rollout) Object {
	out := Object{
		{"MinimumHealthyPercent", unless(o.Minimum, 100)},
		{"MaximumPercent", unless(o.Maximum, 200)},
		{"DeploymentCircuitBreaker", Object{{"Enable", o.Rollback}, {"Rollback", o.Rollback}}},
	}
	if len(o.Alarms) > 0 {
		out = append(out, Field{"Alarms", Object{{"AlarmNames", o.Alarms}, {"Enable", true}, {"Rollback", true}}})
	}
	switch o.Strategy {
	case manifest.BlueGreen:
		out = append(out, Field{"Strategy", "BLUE_GREEN"})
	case manifest.Linear:
		out = append(out, Field{"Strategy", "LINEAR"}, Field{"LinearConfiguration", Object{
			{"StepPercent", o.Step()}, {"StepBakeTimeInMinutes", minutes(o.Pause)},
		}})
	case manifest.Canary:
		out = append(out, Field{"Strategy", "CANARY"}, Field{"CanaryConfiguration", Object{
			{"CanaryPercent", o.Step()}, {"CanaryBakeTimeInMinutes", minutes(o.Pause)},
		}})
	default:
		return out
	}
	return append(out, Field{"BakeTimeInMinutes", minutes(o.Bake)})
}

func minutes(d manifest.Duration) int { return int(time.Duration(d) / time.Minute) }

// shifting renders what ECS moves requests with: the target group of the other version, the rules whose weights it sets, and the role that
// lets it ("Load balancer resources for blue/green deployments" in the ECS developer guide).
func (r *renderer) shifting(s *manifest.Service) Field {
	id := manifest.Camel(s.Name)
	o := Object{
		{"AlternateTargetGroupArn", ref(id + "OtherTargetGroup")},
		{"ProductionListenerRule", ref(id + "Rule")},
	}
	if s.Rollout.TestPort != 0 {
		o = append(o, Field{"TestListenerRule", ref(id + "TestRule")})
	}
	return Field{"AdvancedConfiguration", append(o, Field{"RoleArn", attribute(shiftingRole, "Arn")})}
}

const shiftingRole = "DeploymentRole"

// shiftingRoles renders the role by which ECS moves requests, if a service needs it.
func (r *renderer) shiftingRoles() {
	var rules, groups []any
	for _, s := range r.m.Services {
		if !s.Public() || !s.Rollout.Shifts() {
			continue
		}
		id := manifest.Camel(s.Name)
		rules, groups = append(rules, ref(id+"Rule")), append(groups, ref(id+"TargetGroup"), ref(id+"OtherTargetGroup"))
		if s.Rollout.TestPort != 0 {
			rules = append(rules, ref(id+"TestRule"))
		}
	}
	if len(rules) == 0 {
		return
	}
	r.roleFor("ecs.amazonaws.com", shiftingRole, "deployment", []Object{
		// The Describe actions know no resource.
		allow([]string{
			"elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTargetGroups",
			"elasticloadbalancing:DescribeTargetHealth",
		}, "*"),
		allow([]string{"elasticloadbalancing:ModifyRule"}, rules),
		allow([]string{"elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"}, groups),
	})
}

// testPorts lists the ports on which new versions can be tried, each once.
func (r *renderer) testPorts() []int {
	var ports []int
	for _, s := range r.m.Services {
		if p := s.Rollout.TestPort; p != 0 && !slices.Contains(ports, p) {
			ports = append(ports, p)
		}
	}
	return ports
}

func testListener(port int) string { return fmt.Sprintf("TestListener%d", port) }
