// Package servicediscovery is AWS Cloud Map: namespaces, services in them, and
// the instances registered with a service, found by name through DNS inside a
// VPC or through the API.
//
// ECS registers and deregisters its tasks through the functions that take a
// transaction; the DNS server of a VPC asks Resolve. Operations that AWS runs
// in the background are done when they are answered, so GetOperation always
// finds them finished.
//
// Invariants: a service belongs to a namespace that exists and an instance to a
// service that exists; names are unique within their namespace, namespaces
// within their VPC.
package servicediscovery

import (
	"context"
	"log/slog"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Config is what the service needs.
type Config struct {
	Store *store.Store
	Log   *slog.Logger // nil: discard
}

// Service implements the Cloud Map API.
type Service struct {
	store *store.Store
	log   *slog.Logger
}

// New makes the service.
func New(c Config) *Service {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{store: c.Store, log: c.Log}
}

// Tables are the rows of this service.
func Tables() []store.Schema { return []store.Schema{Namespaces, Services, Instances, Operations} }

// Resources are the CloudFormation types of this service.
func (s *Service) Resources() []cfn.Type {
	return []cfn.Type{
		cfn.Of[privateProperties]("AWS::ServiceDiscovery::PrivateDnsNamespace", privateResource{s}),
		cfn.Of[httpProperties]("AWS::ServiceDiscovery::HttpNamespace", httpResource{s}),
		cfn.Of[serviceProperties]("AWS::ServiceDiscovery::Service", serviceResource{s}),
	}
}

// Loops forgets old operations.
func (s *Service) Loops() []loop.Loop {
	return []loop.Loop{{Name: "cloudmap-operations", List: operationKeys, Keys: operationChanged, Reconcile: s.forget}}
}

// remembered is how long AWS knows an operation.
const remembered = 30 * 24 * time.Hour

func operationKeys(snap *store.Snapshot) []string {
	var keys []string
	for o := range Operations.List(snap, "") {
		keys = append(keys, Operations.Key(o))
	}
	return keys
}

func operationChanged(_ *store.Snapshot, c store.Change) []string {
	if c.Table != Operations.Name() {
		return nil
	}
	return []string{c.Key}
}

func (s *Service) forget(_ context.Context, key string) (time.Duration, error) {
	o, err := Operations.Get(s.store.Snapshot(), key)
	if err != nil {
		return 0, nil
	}
	if left := time.Until(o.Created.Add(remembered)); left > 0 {
		return left, nil
	}
	return 0, s.store.Update(func(tx *store.Tx) error {
		Operations.Delete(tx, key)
		return nil
	})
}

func scope(ctx context.Context) arn.Scope { return awsapi.CallerOf(ctx).Scope }

// text is the value of an optional string.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// optional is nil for the empty string.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
