// Package ec2 is the part of Amazon EC2 that makes networks: VPCs, subnets,
// route tables, gateways, security groups, endpoints and interfaces.
//
// Every resource is one row of a table, keyed by account, region and id;
// operations change rows, and the network loop turns the rows of each VPC into
// a vpc.Config. Higher services take part through CreateInterface,
// DeleteInterface and Reaches, which work inside their own transactions.
//
// Invariants: a private address belongs to one interface of its subnet; a row
// is deleted only when nothing refers to it (DependencyViolation otherwise);
// rows of one VPC never refer to another VPC.
package ec2

import (
	"context"
	"log/slog"
	"sync"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/vpc"
)

// Network carries VPCs out; *vpc.Network is one. If it has a method
// Known() []string as well, VPCs that it knows and no row describes are removed.
type Network interface {
	Apply(ctx context.Context, c vpc.Config) error
	Remove(ctx context.Context, vpcID string) error
}

// Quotas bound what an account may make in a region; zero takes the default of
// AWS where the comment names one, and is unbounded otherwise.
type Quotas struct {
	VPCs               int
	Addresses          int
	InterfaceEndpoints int // per VPC, 50
	GatewayEndpoints   int // 20
	Rules              int // of a security group and direction, 60
}

// Config holds what the service needs.
type Config struct {
	Store   *store.Store
	Log     *slog.Logger
	Network Network // nil: API only
	Quotas  Quotas
}

// Service implements the operations.
type Service struct {
	store   *store.Store
	log     *slog.Logger
	network Network
	quotas  Quotas

	mu       sync.Mutex
	drawings map[string]drawing // by VPC key: what the network was told last
}

// New makes the service; Loops must run for anything to happen beyond rows.
func New(c Config) *Service {
	q := c.Quotas
	for _, d := range []struct {
		n     *int
		value int
	}{{&q.InterfaceEndpoints, 50}, {&q.GatewayEndpoints, 20}, {&q.Rules, 60}} {
		if *d.n == 0 {
			*d.n = d.value
		}
	}
	return &Service{store: c.Store, log: c.Log, network: c.Network, quotas: q, drawings: map[string]drawing{}}
}

// Tables are the tables of this service.
func Tables() []store.Schema {
	return []store.Schema{
		VPCs, Subnets, Groups, Rules, Interfaces, RouteTables, InternetGateways, NATGateways,
		Addresses, Endpoints, ACLs, cursors,
	}
}

// Loops keep networks, NAT gateways and endpoints true to their rows.
func (s *Service) Loops() []loop.Loop {
	loops := []loop.Loop{s.natLoop(), s.endpointLoop()}
	if s.network != nil {
		loops = append(loops, s.networkLoop())
	}
	return loops
}

// update runs fn in a transaction and returns what it made.
func update[T any](s *Service, fn func(tx *store.Tx) (T, error)) (T, error) {
	var out T
	err := s.store.Update(func(tx *store.Tx) (err error) {
		out, err = fn(tx)
		return err
	})
	return out, err
}

func scopeOf(ctx context.Context) arn.Scope { return awsapi.CallerOf(ctx).Scope }

// val is what a pointer of the API points to, or zero.
func val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// opt is a pointer for the API: nil for zero.
func opt[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
