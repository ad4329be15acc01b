package iam

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Admit says whether the caller of a request may do something with a
// resource that has no policy of its own: nil, or AccessDeniedException in the
// words of the services that speak JSON.
//
// The API listens on this machine alone, so that what reaches it has not left
// it: aws:SecureTransport is true.
func Admit(ctx context.Context, r store.Reader, action, resource string) error {
	c := awsapi.CallerOf(ctx)
	keys := map[string]string{"aws:securetransport": "true", "aws:currenttime": time.Now().UTC().Format(time.RFC3339), "aws:userid": c.UserID}
	if ip := awsapi.SourceIP(ctx); ip != "" {
		keys["aws:sourceip"] = ip
	}
	err := Decide(r, Access{Caller: c.ARN, Action: action, Resource: resource, Owner: c.Account, Region: c.Region, Context: keys})
	if no, ok := errors.AsType[*Refusal](err); ok {
		return awsapi.Errorf("AccessDeniedException", 400, "%s", strings.ReplaceAll(no.Message, `"`, ""))
	}
	return err
}
