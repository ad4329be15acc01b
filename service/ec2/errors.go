package ec2

import (
	"strings"

	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// Errors in EC2's words. Codes: "Error codes for the Amazon EC2 API"; texts as
// the service was seen to answer.

func fault(code, format string, args ...any) error {
	return awsapi.Errorf(code, 400, format, args...)
}

func errMissingParameter(name string) error {
	return fault("MissingParameter", "The request must contain the parameter %s", name)
}

func errInvalidParameter(format string, args ...any) error {
	return fault("InvalidParameterValue", format, args...)
}

func errCIDR(value, parameter string) error {
	return errInvalidParameter("Value (%s) for parameter %s is invalid. This is not a valid CIDR block.", value, parameter)
}

func errDependency(noun, id string) error {
	return fault("DependencyViolation", "The %s '%s' has dependencies and cannot be deleted.", noun, id)
}

func errDependent(id string) error {
	return fault("DependencyViolation", "resource %s has a dependent object", id)
}

func errDryRun() error {
	return awsapi.Errorf("DryRunOperation", 412, "Request would have succeeded, but DryRun flag is set.")
}

func errNoAddresses(subnet string) error {
	return fault("InsufficientFreeAddressesInSubnet", "There are not enough free addresses in subnet '%s' to satisfy the requested number of instances.", subnet)
}

func errAddressInUse(ip string) error {
	return fault("InvalidIPAddress.InUse", "Address %s is in use.", ip)
}

func errReservedTag() error {
	return errInvalidParameter("Tag keys starting with 'aws:' are reserved for internal use")
}

// required reports the first of name, value pairs whose value is empty.
func required(pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		if strings.TrimSpace(pairs[i+1]) == "" {
			return errMissingParameter(pairs[i])
		}
	}
	return nil
}
