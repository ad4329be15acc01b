package logs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/telemetry/logs/pattern"
)

var (
	errNoGroup      = awsapi.Errorf("ResourceNotFoundException", 400, "The specified log group does not exist.")
	errNoStream     = awsapi.Errorf("ResourceNotFoundException", 400, "The specified log stream does not exist.")
	errGroupExists  = awsapi.Errorf("ResourceAlreadyExistsException", 400, "The specified log group already exists")
	errStreamExists = awsapi.Errorf("ResourceAlreadyExistsException", 400, "The specified log stream already exists")
	errToken        = errInvalid("The specified nextToken is invalid.")
	errReserved     = errInvalid("Log groups starting with AWS/ are reserved for AWS.")
	errOrder        = errInvalid("Log events in a single PutLogEvents request must be in chronological order.")
	errSpan         = errInvalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	errOrderPrefix  = errInvalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	errPrefixAndPat = errInvalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	errPrefixNames  = errInvalid("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.")
	errOneName      = errInvalid("Exactly one of logGroupName and logGroupIdentifier must be given.")
	errTags         = awsapi.Errorf("TooManyTagsException", 400, "The resource has more than 50 tags.")
	errProtected    = errInvalid("The specified log group has deletion protection enabled.")
)

func errInvalid(format string, args ...any) *awsapi.Error {
	return awsapi.Errorf("InvalidParameterException", 400, format, args...)
}

func errKey(groupARN string) error {
	return awsapi.Errorf("AccessDeniedException", 400,
		"The specified KMS key does not exist or is not allowed to be used with Arn '%s'", groupARN)
}

// retentions are the days that PutRetentionPolicy takes.
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func errRetention(days int) error {
	return errInvalid("1 validation error detected: Value '%d' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [%s]",
		days, strings.Trim(strings.Join(strings.Fields(fmt.Sprint(retentions)), ", "), "[]"))
}

func errTooLarge(what string, bytes int) error {
	return errInvalid("%s: %d bytes exceeds limit of %d", what, bytes, maxBatch)
}

func errPattern(err error) error {
	if e, ok := errors.AsType[*pattern.SyntaxError](err); ok {
		return errInvalid("%s", e.Reason)
	}
	return err
}
