package cloudwatch

import (
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

var (
	errStartEnd  = errValue("The parameter StartTime must be less than the parameter EndTime.")
	errTooMany   = awsapi.Errorf("LimitExceeded", 400, "The number of metrics has reached the limit of this engine.")
	errNoTagged  = awsapi.Errorf("ResourceNotFoundException", 404, "The specified resource does not exist.")
	errTags      = errValue("A resource can have at most 50 tags.")
	errOneMetric = errCombination("Exactly one of the parameters MetricName and Metrics must be specified.")
	errReturn    = errValue("Exactly two elements of the metrics list should return data when ThresholdMetricId is given, otherwise exactly one.")
	errSpan      = errValue("Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).")
	errLongSpan  = errValue("Metrics cannot be checked across more than a week (EvaluationPeriods * Period must be <= 604800).")
)

func errValue(format string, args ...any) *awsapi.Error {
	return awsapi.Errorf("InvalidParameterValue", 400, format, args...)
}

func errCombination(format string, args ...any) *awsapi.Error {
	return awsapi.Errorf("InvalidParameterCombination", 400, format, args...)
}

func errMissing(name string) *awsapi.Error {
	return awsapi.Errorf("MissingParameter", 400, "The parameter %s is required.", name)
}

func errBad(value any, parameter string) *awsapi.Error {
	return errValue("The value %v for parameter %s is invalid.", value, parameter)
}

func errBoth(a, b string) *awsapi.Error {
	return errCombination("The parameters %s and %s are mutually exclusive and you have specified both.", a, b)
}

func errNoAlarm(name string) *awsapi.Error {
	return awsapi.Errorf("ResourceNotFound", 404, "Unknown alarm: %s", name)
}

func errNoDashboard(name string) *awsapi.Error {
	return awsapi.Errorf("DashboardNotFoundError", 404, "Dashboard %s does not exist", name)
}

// errRefused answers what this engine does not do, rather than pretending.
func errRefused(what string) *awsapi.Error {
	return errValue("%s is not supported by this engine.", what)
}

func formatError(message string) *awsapi.Error {
	return awsapi.Errorf("InvalidFormat", 400, "%s", message)
}
