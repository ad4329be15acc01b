package manifest

import "time"

// Strategies of a deployment. Source: "Amazon ECS deployments" in the ECS developer guide.
const (
	Rolling   = "rolling"
	BlueGreen = "blue-green"
	Linear    = "linear"
	Canary    = "canary"
)

// Rollout is how a new version of a service replaces the old one.
type Rollout struct {
	Strategy string   `yaml:"strategy" default:"rolling" enum:"rolling|blue-green|linear|canary" doc:"Rolling replaces tasks in turn. The others start the whole new version beside the old one and then move the requests: all at once, in equal steps, or a few first."`
	Minimum  int      `yaml:"minimum" default:"100" min:"0" max:"100" doc:"Healthy tasks kept during a deployment, in percent of the desired number."`
	Maximum  int      `yaml:"maximum" default:"200" min:"100" max:"200" doc:"Tasks that may exist during a deployment, in percent of the desired number."`
	Rollback bool     `yaml:"rollback" default:"true" doc:"Stop a deployment whose tasks fail and go back to the last good one (circuit breaker)."`
	Percent  int      `yaml:"percent" min:"1" max:"100" doc:"Requests that move to the new version in a step of linear (default: 10, at least 3), or first in canary (default: 5)."`
	Pause    Duration `yaml:"pause" default:"1m" range:"0s..24h" doc:"Time between the steps of linear, or after the first of canary; whole minutes."`
	Bake     Duration `yaml:"bake" default:"1m" range:"0s..24h" doc:"Time the old version stays when all requests have moved, to go back at once; whole minutes. Not for rolling."`
	TestPort int      `yaml:"testPort" min:"1" max:"65535" doc:"Port of the load balancer on which the new version can be tried before it gets requests. Not for rolling."`
	Alarms   []string `yaml:"alarms" example:"checkout-errors" doc:"CloudWatch alarms, by name, that end a deployment and take it back."`
}

// Shifts tells whether a deployment moves requests from one target group to another.
func (r Rollout) Shifts() bool { return r.Strategy != Rolling }

// Step is the percentage that linear and canary deployments move at once. The defaults are AWS's.
func (r Rollout) Step() int {
	switch {
	case r.Percent > 0:
		return r.Percent
	case r.Strategy == Canary:
		return 5
	}
	return 10
}

// rollout checks how a service is deployed. The bounds are those of the ECS API's DeploymentConfiguration.
func (c checker) rollout(s *Service, at string) {
	r := s.Rollout
	at += ".rollout"
	if r.Minimum == 100 && r.Maximum == 100 && !r.Shifts() {
		c.wrong(at, "with minimum 100 and maximum 100 no task could ever be replaced")
	}
	for key, span := range map[string]Duration{"pause": r.Pause, "bake": r.Bake} {
		if time.Duration(span)%time.Minute != 0 {
			c.wrong(at+"."+key, "%s is no whole number of minutes", span)
		}
	}
	if (r.Strategy == Linear || r.Strategy == Canary) && !s.Public() {
		c.wrong(at+".strategy", "%s moves requests at the load balancer, and %s has no paths there; blue-green needs none", r.Strategy, s.Name)
	}
	if r.Strategy == Linear && r.Step() < 3 {
		c.wrong(at+".percent", "a step of linear is at least 3 percent")
	}
	if r.Percent > 0 && r.Strategy != Linear && r.Strategy != Canary {
		c.wrong(at+".percent", "only goes with the strategies linear and canary")
	}
	switch {
	case r.TestPort == 0:
	case !r.Shifts() || !s.Public():
		c.wrong(at+".testPort", "only goes with a strategy that moves requests, and with paths")
	case r.TestPort == c.m.LoadBalancer.Port || c.m.LoadBalancer.HTTPS.Certificate != "" && r.TestPort == c.m.LoadBalancer.HTTPS.Port:
		c.wrong(at+".testPort", "%d is where the load balancer listens for everyone", r.TestPort)
	}
	c.distinct(at+".alarms", r.Alarms)
}
