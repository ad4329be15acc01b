package iam

import (
	"strings"

	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// The statuses come from the model.

func noSuch(k Kind, name string) error {
	return awsapi.Errorf("NoSuchEntity", 0, "The %s with name %s cannot be found.", k, name)
}

func noSuchInline(k Kind, name string) error {
	return awsapi.Errorf("NoSuchEntity", 0, "The %s policy with name %s cannot be found.", k, name)
}

func noSuchPolicy(arn string) error {
	return awsapi.Errorf("NoSuchEntity", 0, "Policy %s was not found.", arn)
}

func notAttachable(arn string) error {
	return awsapi.Errorf("NoSuchEntity", 0, "Policy %s does not exist or is not attachable.", arn)
}

func notAttached(arn string) error {
	return awsapi.Errorf("NoSuchEntity", 0, "Policy %s was not found.", arn)
}

func noSuchVersion(arn, id string) error {
	return awsapi.Errorf("NoSuchEntity", 0, "Policy %s version %s does not exist or is not attachable.", arn, id)
}

func noSuchProfile(name string) error {
	return awsapi.Errorf("NoSuchEntity", 0, "Instance Profile %s cannot be found.", name)
}

func noSuchKey(id string) error {
	return awsapi.Errorf("NoSuchEntity", 0, "The Access Key with id %s cannot be found.", id)
}

func exists(k Kind, name string) error {
	word := strings.ToUpper(string(k[:1])) + string(k[1:])
	return awsapi.Errorf("EntityAlreadyExists", 0, "%s with name %s already exists.", word, name)
}

func policyExists(name string) error {
	return awsapi.Errorf("EntityAlreadyExists", 0, "A policy called %s already exists. Duplicate names are not allowed.", name)
}

func profileExists(name string) error {
	return awsapi.Errorf("EntityAlreadyExists", 0, "Instance Profile %s already exists.", name)
}

func conflict(message string) error { return awsapi.Errorf("DeleteConflict", 0, "%s", message) }

func quota(name string, n int) error {
	return awsapi.Errorf("LimitExceeded", 0, "Cannot exceed quota for %s: %d", name, n)
}

func tooBig(limit int, k Kind, name string) error {
	return awsapi.Errorf("LimitExceeded", 0, "Maximum policy size of %d bytes exceeded for %s %s", limit, k, name)
}

func malformed(format string, args ...any) error {
	return awsapi.Errorf("MalformedPolicyDocument", 0, format, args...)
}

func invalid(format string, args ...any) error {
	return awsapi.Errorf("InvalidInput", 0, format, args...)
}

func validation(format string, args ...any) error {
	return awsapi.Errorf("ValidationError", 400, format, args...)
}

// errAWSPolicy answers attempts to change a policy that AWS keeps.
func errAWSPolicy(arn string) error {
	return awsapi.Errorf("AccessDenied", 403, "Cannot change the policy %s: it is managed by AWS.", arn)
}
