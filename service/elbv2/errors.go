package elbv2

import (
	"net/http"
	"strings"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// The service's errors, in AWS's words (API reference of Elastic Load
// Balancing v2, "Errors" of each action).

func fault(code, format string, args ...any) error {
	return awsapi.Errorf(code, http.StatusBadRequest, format, args...)
}

func errValidation(format string, args ...any) error {
	return fault("ValidationError", format, args...)
}

func errConfiguration(format string, args ...any) error {
	return fault("InvalidConfigurationRequest", format, args...)
}

func errTarget(format string, args ...any) error        { return fault("InvalidTarget", format, args...) }
func errTooMany(code, format string, args ...any) error { return fault(code, format, args...) }

func errBalancerNotFound(name string) error {
	if name == "" {
		return fault("LoadBalancerNotFound", "One or more load balancers not found")
	}
	return fault("LoadBalancerNotFound", "Load balancers '[%s]' not found", name)
}

func errListenerNotFound() error { return fault("ListenerNotFound", "One or more listeners not found") }
func errRuleNotFound() error     { return fault("RuleNotFound", "One or more rules not found") }
func errGroupNotFound() error {
	return fault("TargetGroupNotFound", "One or more target groups not found")
}

func errPriorityInUse(p int) error {
	return fault("PriorityInUse", "Priority '%d' is currently in use", p)
}

func errGroupInUse(id string) error {
	return fault("ResourceInUse", "Target group '%s' is currently in use by a listener or a rule", id)
}

func errUnsupportedType(kind string) error {
	return fault("OperationNotPermitted", "Load balancers of type '%s' are not supported by this engine: only 'application' is", kind)
}

// checkARN refuses what is not an ARN of the wanted kind, as AWS does.
func checkARN(id, prefix, noun string) error {
	a, err := arn.Parse(id)
	if err != nil || a.Service != "elasticloadbalancing" || !strings.HasPrefix(a.Resource, prefix) {
		return errValidation("'%s' is not a valid %s ARN", id, noun)
	}
	return nil
}
