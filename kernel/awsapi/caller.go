package awsapi

import (
	"context"

	"github.com/slipway-dev/slipway/kernel/arn"
)

// Caller says who calls and where. The account comes from the credentials and
// the region from the signature's scope. Every operation reads it from its
// context.
type Caller struct {
	arn.Scope
	ARN       string // arn:aws:iam::123456789012:root, or a user or an assumed role
	AccessKey string
	UserID    string // as in sts GetCallerIdentity
}

type contextKey int

const (
	callerKey contextKey = iota
	requestKey
	tokenKey
	exchangeKey
)

// WithCaller returns a context in which CallerOf finds c. The Mux does this for
// every request; who calls operations directly, as CloudFormation does, must
// do it as well.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey, c)
}

// CallerOf returns the caller of the operation that runs under ctx, or the zero
// Caller when there is none.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey).(Caller)
	return c
}

// RequestID is the id that the answer carries in x-amzn-requestid; empty
// outside of a request.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey).(string)
	return id
}

func withRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey, id)
}
