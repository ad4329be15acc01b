package applicationautoscaling

import (
	"github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

var (
	errUnknownKind  = errValidation("Unsupported service namespace, resource type or scalable dimension")
	errNoBounds     = errValidation("MinCapacity and MaxCapacity must be specified when a scalable target is registered")
	errCrossed      = errValidation("Maximum capacity cannot be less than minimum capacity")
	errNegative     = errValidation("Minimum capacity cannot be less than 0")
	errNeedsID      = errValidation("Resource ID must be specified when a scalable dimension is specified")
	errPredictive   = errValidation("Policy type PredictiveScaling is not supported by this engine yet.")
	errOneMetric    = errValidation("Only one TargetTrackingScaling policy for a given metric specification is allowed.")
	errNotFoundCode = &awsapi.Error{Code: "ObjectNotFoundException"}
	errNoTagged     = awsapi.Errorf("ResourceNotFoundException", 400, "The specified resource does not exist.")
	errTags         = awsapi.Errorf("TooManyTagsException", 400, "A scalable target can have at most 50 tags.")
)

func errValidation(format string, args ...any) *awsapi.Error {
	return awsapi.Errorf("ValidationException", 400, format, args...)
}

func errLimit(what string, most int) *awsapi.Error {
	return awsapi.Errorf("LimitExceededException", 400, "Limit Exceeded: at most %d %s for a scalable target.", most, what)
}

func errNotFound(what string, k Scaled) *awsapi.Error {
	return awsapi.Errorf("ObjectNotFoundException", 400, "No %s for service namespace: %s, resource ID: %s, scalable dimension: %s",
		what, k.Namespace, k.ResourceID, k.Dimension)
}

func errNoTarget(k Scaled) *awsapi.Error { return errNotFound("scalable target registered", k) }

func errNoPolicy(k Scaled, name string) *awsapi.Error {
	e := errNotFound("scaling policy found", k)
	e.Message += ", policy name: " + name
	return e
}

func errNoAction(k Scaled, name string) *awsapi.Error {
	e := errNotFound("scheduled action found", k)
	e.Message += ", scheduled action name: " + name
	return e
}

func errNamespace(ns applicationautoscalingapi.ServiceNamespace) *awsapi.Error {
	return errValidation("Service namespace %s is not supported by this engine yet: it scales services of ecs.", ns)
}
