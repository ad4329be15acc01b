package eventbridge

import "github.com/slipway-dev/slipway/kernel/awsapi"

func fault(code, format string, args ...any) error { return awsapi.Errorf(code, 400, format, args...) }

func invalid(format string, args ...any) error { return fault("ValidationException", format, args...) }

func errNoRule(name, bus string) error {
	return fault("ResourceNotFoundException", "Rule %s does not exist on EventBus %s.", name, bus)
}

func errNoBus(name string) error {
	return fault("ResourceNotFoundException", "Event bus %s does not exist.", name)
}

func errPattern(err error) error {
	return fault("InvalidEventPatternException", "Event pattern is not valid. Reason: %s", err)
}

var errSchedule = awsapi.Errorf("ValidationException", 400, "Parameter ScheduleExpression is not valid.")
