package ecs

import (
	"errors"
	"net/http"

	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// The service's errors, in AWS's words (API reference, "Common errors" and
// the texts the service is seen to answer).

func errClusterNotFound() error {
	return awsapi.Errorf("ClusterNotFoundException", http.StatusBadRequest, "Cluster not found.")
}

func errServiceNotFound() error {
	return awsapi.Errorf("ServiceNotFoundException", http.StatusBadRequest, "Service not found.")
}

func errServiceNotActive() error {
	return awsapi.Errorf("ServiceNotActiveException", http.StatusBadRequest, "Service was not ACTIVE.")
}

func errPlacement() error {
	return errInvalid("Placement constraints and strategies are not supported with FARGATE launch type.")
}

func errInvalid(format string, args ...any) error {
	return awsapi.Errorf("InvalidParameterException", http.StatusBadRequest, format, args...)
}

func errClient(format string, args ...any) error {
	return awsapi.Errorf("ClientException", http.StatusBadRequest, format, args...)
}

// code is the AWS code of an error, empty when it has none.
func code(err error) string {
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		return e.Code
	}
	return ""
}
