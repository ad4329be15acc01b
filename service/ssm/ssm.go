// Package ssm is the Parameter Store of AWS Systems Manager: parameters in
// versions, found by name, path, label or tag.
//
// A parameter is a row that names its newest version; a version is a row of
// its own, never changed but for its labels. The value of a SecureString is
// sealed with the keys of the engine, bound to its name and number, and opened
// only for who asks for it with decryption. There is no KMS behind it: the key
// is always alias/aws/ssm.
//
// Parameters below /aws/service are AWS's own, and made on demand (public.go).
// Of documents there are automations that call an operation of AWS, for rules of
// EventBridge to start (document.go). What else Systems Manager has (instances,
// patches, sessions) is not here.
//
// Invariants: a parameter has between one and a hundred versions, of one type;
// a label is on one version of a parameter at most.
//
// Requests are authorised here, by the caller's policies, before an operation
// runs (api.go); who calls operations directly, as CloudFormation does, has
// done so himself.
package ssm

import (
	"context"
	"log/slog"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/seal"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Config of a Service.
type Config struct {
	Store *store.Store
	Log   *slog.Logger // default: discard
	// Keys encrypt the values of SecureString parameters.
	Keys *seal.Keyring
	// Actions are the operations that automations may call, by "ecs:UpdateService".
	Actions map[string]Action
	// AnyAuth lets everybody do everything: for other people's test suites.
	AnyAuth bool
}

// Service implements the operations of the Parameter Store.
type Service struct{ Config }

// New makes the service.
func New(c Config) *Service {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{c}
}

// Tables are the rows of this service.
func Tables() []store.Schema { return []store.Schema{Parameters, Versions, Documents} }

// Loops are none: parameters rest.
func (s *Service) Loops() []loop.Loop { return nil }

func scope(ctx context.Context) arn.Scope { return awsapi.CallerOf(ctx).Scope }

// now is the present as precise as the API tells it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// val is what p points at, or zero.
func val[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

// opt is nil for the zero value.
func opt[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
