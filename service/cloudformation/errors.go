package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/store"
)

func invalid(format string, args ...any) error {
	return awsapi.Errorf("ValidationError", 400, format, args...)
}

func noStack(name string) error { return invalid("Stack with id %s does not exist", name) }

func noChangeSet(name string) error {
	return awsapi.Errorf("ChangeSetNotFound", 404, "ChangeSet [%s] does not exist", name)
}

func needs(capability string) error {
	return awsapi.Errorf("InsufficientCapabilitiesException", 400, "Requires capabilities : [%s]", capability)
}

// clientError words template errors as the API does.
func clientError(err error) error {
	if e, ok := errors.AsType[*template.Error](err); ok {
		return invalid("%s", e.Message)
	}
	return err
}

// refused words a template's failure for operations that answer with it at once.
func refused(err error) error {
	if e := macroFailure(err); e != nil {
		return invalid("%s", e.Message)
	}
	return err
}

// failure words the error of a resource handler as stack events show it.
func failure(err error, r Resource) string {
	if e, ok := errors.AsType[*cfn.PropertyError](err); ok {
		return e.For(r.LogicalID)
	}
	if e, ok := errors.AsType[*template.Error](err); ok {
		return e.Message
	}
	message, code := err.Error(), "GeneralServiceException"
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		message, code = e.Message, handlerCode(e.Code)
	} else if errors.Is(err, store.ErrNotFound) {
		code = "NotFound"
	} else if errors.Is(err, store.ErrExists) {
		code = "AlreadyExists"
	} else if errors.Is(err, context.DeadlineExceeded) {
		code = "NotStabilized"
	}
	return fmt.Sprintf("Resource handler returned message: %q (RequestToken: %s, HandlerErrorCode: %s)", message, r.Token, code)
}

// handlerCode sorts an API's error code into the codes of resource handlers.
func handlerCode(code string) string {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(code, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("AlreadyExists", "Duplicate", "EntityExists", "AlreadyAssociated"):
		return "AlreadyExists"
	case notFoundCode(code):
		return "NotFound"
	case has("InternalFailure", "InternalError", "ServerException"):
		return "InternalFailure"
	case has("AccessDenied", "Unauthorized"):
		return "AccessDenied"
	case has("Throttl", "RequestLimitExceeded"):
		return "Throttling"
	case has("LimitExceeded", "TooMany"):
		return "ServiceLimitExceeded"
	case has("InUse", "DependencyViolation", "Conflict"):
		return "ResourceConflict"
	case has("Invalid", "Validation", "Missing", "Malformed", "ClientException"):
		return "InvalidRequest"
	default:
		return "GeneralServiceException"
	}
}

func notFoundCode(code string) bool {
	return strings.HasSuffix(code, "NotFound") || strings.HasSuffix(code, "NotFoundException") || strings.Contains(code, "NoSuch")
}

// busy reports whether a deletion failed only because something else is not gone yet.
func busy(err error) bool {
	e, ok := errors.AsType[*awsapi.Error](err)
	if !ok {
		return false
	}
	for _, part := range []string{"DependencyViolation", "InUse", "ClusterContains", "DeleteConflict", "Conflict"} {
		if strings.Contains(e.Code, part) {
			return true
		}
	}
	return false
}

// gone reports whether an error says that the resource is not there.
func gone(err error) bool {
	if errors.Is(err, store.ErrNotFound) {
		return true
	}
	e, ok := errors.AsType[*awsapi.Error](err)
	return ok && notFoundCode(e.Code)
}
