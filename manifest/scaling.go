package manifest

import "strings"

// Scaling is what auto scaling goes by: averages that it keeps by changing the number of tasks between min and max. There is none when
// those are the same, or when nothing is named.
type Scaling struct {
	CPU      int      `yaml:"cpu" default:"70" min:"0" max:"100" doc:"Average CPU to keep, in percent of what the tasks have; 0: not looked at."`
	Memory   int      `yaml:"memory" default:"0" min:"0" max:"100" doc:"Average memory to keep, in percent of what the tasks have; 0: not looked at."`
	Requests int      `yaml:"requests" default:"0" min:"0" max:"10000000" doc:"Requests a minute to keep for each task; 0: not looked at."`
	Out      Duration `yaml:"out" default:"60s" range:"0s..1h" doc:"Time after tasks were added in which only a larger need adds more."`
	In       Duration `yaml:"in" default:"60s" range:"0s..1h" doc:"Time after tasks were removed in which no more are."`
}

// Scales tells whether auto scaling changes the number of the service's tasks.
func (s *Service) Scales() bool {
	return s.Max > s.Min && s.Scaling != (Scaling{Out: s.Scaling.Out, In: s.Scaling.In})
}

// scaling checks what auto scaling goes by.
func (c checker) scaling(s *Service, at string) {
	switch {
	case s.Scaling.Requests == 0:
	case !s.Public():
		c.wrong(at+".scaling.requests", "%s has no paths at the load balancer, which counts the requests", s.Name)
	case s.Rollout.Shifts():
		c.wrong(at+".scaling.requests", "requests are counted for one target group, and the strategy %s moves them between two; use cpu", s.Rollout.Strategy)
	}
}

// Monitoring is what watches the platform.
type Monitoring struct {
	Dashboard bool     `yaml:"dashboard" default:"true" doc:"A CloudWatch dashboard of the services and the load balancer."`
	Alarms    bool     `yaml:"alarms" default:"true" doc:"CloudWatch alarms: unhealthy tasks, failing requests, busy tasks, too few tasks."`
	Notify    []string `yaml:"notify" example:"arn:aws:sns:us-east-1:123456789012:on-call" doc:"SNS topics, by ARN, that hear of alarms and of their end."`
}

// monitoring checks who is notified.
func (c checker) monitoring() {
	for _, topic := range c.m.Monitoring.Notify {
		if parts := strings.SplitN(topic, ":", 6); len(parts) != 6 || parts[0] != "arn" || parts[2] != "sns" || parts[5] == "" {
			c.wrong("monitoring.notify", "%q is not the ARN of an SNS topic, arn:aws:sns:<region>:<account>:<name>", topic)
		}
	}
	c.distinct("monitoring.notify", c.m.Monitoring.Notify)
}
