package sts

import "github.com/slipway-dev/slipway/kernel/awsapi"

func notAuthorized(caller, role string) error {
	return awsapi.Errorf("AccessDenied", 403, "User: %s is not authorized to perform: sts:AssumeRole on resource: %s", caller, role)
}

func validation(message string) error { return awsapi.Errorf("ValidationError", 400, "%s", message) }
