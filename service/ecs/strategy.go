package ecs

import (
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/elbv2"
)

// deploymentConfiguration fills in ECS's defaults (API reference,
// DeploymentConfiguration) and refuses what cannot be.
func deploymentConfiguration(in *ecsapi.DeploymentConfiguration) (ecsapi.DeploymentConfiguration, error) {
	c := value(in)
	c.MinimumHealthyPercent = orDefault(c.MinimumHealthyPercent, 100)
	c.MaximumPercent = orDefault(c.MaximumPercent, 200)
	if c.DeploymentCircuitBreaker == nil {
		c.DeploymentCircuitBreaker = &ecsapi.DeploymentCircuitBreaker{Enable: new(false), Rollback: new(false)}
	}
	if c.Strategy == "" {
		c.Strategy = "ROLLING"
	}
	switch c.Strategy {
	case "LINEAR":
		l := value(c.LinearConfiguration)
		c.LinearConfiguration = &ecsapi.LinearConfiguration{StepPercent: orPercent(l.StepPercent, 10), StepBakeTimeInMinutes: orDefault(l.StepBakeTimeInMinutes, 6)}
	case "CANARY":
		l := value(c.CanaryConfiguration)
		c.CanaryConfiguration = &ecsapi.CanaryConfiguration{CanaryPercent: orPercent(l.CanaryPercent, 5), CanaryBakeTimeInMinutes: orDefault(l.CanaryBakeTimeInMinutes, 10)}
	}
	if err := checkHooks(c); err != nil {
		return c, err
	}
	return c, firstError(checkBounds(c), checkSteps(c), checkBreaker(*c.DeploymentCircuitBreaker))
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func orPercent(p *float64, def float64) *float64 {
	if p == nil {
		return &def
	}
	return p
}

func checkBounds(c ecsapi.DeploymentConfiguration) error {
	switch {
	case *c.MaximumPercent < 100 || *c.MaximumPercent > 1000000:
		return errInvalid("maximumPercent must be at least 100.")
	case *c.MinimumHealthyPercent < 0 || *c.MinimumHealthyPercent > 100:
		return errInvalid("minimumHealthyPercent must be between 0 and 100.")
	case *c.MinimumHealthyPercent == 100 && *c.MaximumPercent == 100 && c.Strategy == "ROLLING":
		return errInvalid("Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.")
	case c.Alarms != nil && value(c.Alarms.Enable) && len(c.Alarms.AlarmNames) == 0:
		return errInvalid("alarmNames cannot be empty when deployment alarms are enabled.")
	}
	return nil
}

func checkSteps(c ecsapi.DeploymentConfiguration) error {
	switch {
	case c.LinearConfiguration != nil && c.Strategy != "LINEAR":
		return errInvalid("linearConfiguration is only valid when the deployment strategy is LINEAR.")
	case c.CanaryConfiguration != nil && c.Strategy != "CANARY":
		return errInvalid("canaryConfiguration is only valid when the deployment strategy is CANARY.")
	}
	if l := c.LinearConfiguration; l != nil {
		if p := *l.StepPercent; p < 3 || p > 100 {
			return errInvalid("stepPercent must be between 3.0 and 100.0.")
		}
		if !bakes(l.StepBakeTimeInMinutes) {
			return errInvalid("stepBakeTimeInMinutes must be between 0 and 1440.")
		}
	}
	if l := c.CanaryConfiguration; l != nil {
		if p := *l.CanaryPercent; p < 0.1 || p > 100 {
			return errInvalid("canaryPercent must be between 0.1 and 100.0.")
		}
		if !bakes(l.CanaryBakeTimeInMinutes) {
			return errInvalid("canaryBakeTimeInMinutes must be between 0 and 1440.")
		}
	}
	if c.BakeTimeInMinutes != nil && !bakes(c.BakeTimeInMinutes) {
		return errInvalid("bakeTimeInMinutes must be between 0 and 1440.")
	}
	return nil
}

func bakes(minutes *int32) bool { return *minutes >= 0 && *minutes <= 1440 }

func checkBreaker(b ecsapi.DeploymentCircuitBreaker) error {
	t := b.ThresholdConfiguration
	if t == nil {
		return nil
	}
	switch n := value(t.Value); {
	case n < 1:
		return errInvalid("The value of the deployment circuit breaker threshold must be at least 1.")
	case t.Type != "COUNT" && n > 100:
		return errInvalid("The value of the deployment circuit breaker threshold must be at most 100 for type %s.", t.Type)
	}
	return nil
}

// checkHooks takes the hooks that pause a deployment; there are no Lambda
// functions here to call.
func checkHooks(c ecsapi.DeploymentConfiguration) error {
	for _, h := range c.LifecycleHooks {
		switch {
		case c.Strategy == "ROLLING":
			return errInvalid("lifecycleHooks are not supported by the deployment strategy ROLLING.")
		case h.TargetType != "PAUSE":
			return errUnsupported(notYet("A lifecycle hook that calls a Lambda function"))
		case len(h.LifecycleStages) == 0:
			return errInvalid("lifecycleStages of a lifecycle hook cannot be empty.")
		}
	}
	return nil
}

// checkShift refuses a strategy that moves traffic where nothing says how.
func checkShift(r store.Reader, c ecsapi.DeploymentConfiguration, rev Revision) error {
	shifts := c.Strategy != "ROLLING"
	if (c.Strategy == "LINEAR" || c.Strategy == "CANARY") && len(rev.LoadBalancers) == 0 {
		return errInvalid("The deployment strategy %s requires a load balancer.", c.Strategy)
	}
	for _, lb := range rev.LoadBalancers {
		a := lb.AdvancedConfiguration
		switch {
		case a == nil && shifts:
			return errInvalid("advancedConfiguration of load balancers is required when the deployment strategy is %s.", c.Strategy)
		case a == nil:
			continue
		case value(a.RoleArn) == "":
			return errInvalid("roleArn is required in advancedConfiguration.")
		case value(a.AlternateTargetGroupArn) == "" || value(a.AlternateTargetGroupArn) == value(lb.TargetGroupArn):
			return errInvalid("alternateTargetGroupArn must name a second target group.")
		}
		group, err := elbv2.TargetGroups.Get(r, *a.AlternateTargetGroupArn)
		if err != nil || group.TargetType != "ip" {
			return errInvalid("The target group %s does not exist or is not of target type ip.", *a.AlternateTargetGroupArn)
		}
		for _, ref := range []*string{a.ProductionListenerRule, a.TestListenerRule} {
			if _, err := elbv2.Rules.Get(r, value(ref)); ref != nil && err != nil {
				return errInvalid("The listener rule %s does not exist.", *ref)
			}
		}
		if a.ProductionListenerRule == nil {
			return errInvalid("productionListenerRule is required in advancedConfiguration.")
		}
	}
	return nil
}
