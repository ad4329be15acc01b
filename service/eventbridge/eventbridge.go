// Package eventbridge is Amazon EventBridge: rules on event buses,
// which match events by patterns (package pattern) or fire on a schedule, and
// bring them to their targets.
//
// Events come from PutEvents, and from rows of other services that changed: the
// source loop compares a row with what it last told of it (Observed) and tells
// the difference (source.go). It is level-triggered, so that of states that a
// row had for a moment only, some may be passed over. An event becomes a
// Delivery for each target of each rule that matches, in the same transaction
// in which it is told; the delivery loop brings it there, at least once.
//
// Targets are CloudWatch log groups, tasks of ECS and automations of Systems Manager; others are refused when
// they are put. Invariants: in a region where there are rules, every row that
// is a source has been observed.
package eventbridge

import (
	"context"
	"log/slog"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/telemetry/logs"
)

// Lines takes events into log groups; service/logs does.
type Lines interface {
	Write(ctx context.Context, scope arn.Scope, group, stream string, createGroup bool, lines []logs.Event) error
}

// Tasks starts tasks and tells of them; service/ecs does.
type Tasks interface {
	RunTask(context.Context, *ecsapi.RunTaskInput) (*ecsapi.RunTaskOutput, error)
	DescribeTasks(context.Context, *ecsapi.DescribeTasksInput) (*ecsapi.DescribeTasksOutput, error)
}

// Automations runs automations; service/ssm does.
type Automations interface {
	Automate(ctx context.Context, in arn.Scope, name string) error
}

// Config of a Service.
type Config struct {
	Store *store.Store
	Log   *slog.Logger // default: discard
	Lines Lines
	Tasks Tasks
	// Automations run as the target's role.
	Automations Automations
	// AnyAuth lets everybody do everything: for other people's test suites.
	AnyAuth bool
}

// Service implements the operations of EventBridge.
type Service struct{ Config }

// New makes the service.
func New(c Config) *Service {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{c}
}

// Tables are the rows of this service.
func Tables() []store.Schema { return []store.Schema{Rules, Buses, Deliveries, observations} }

func scope(ctx context.Context) arn.Scope { return awsapi.CallerOf(ctx).Scope }

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
