// Package appmesh is AWS App Mesh's control plane: meshes, virtual nodes,
// services, routers, routes, virtual gateways and gateway routes, as people
// declare them.
//
// What is declared is checked and kept; nothing here moves a byte. Whoever
// carries it out reads one mesh whole with Read, and learns from MeshKey which
// mesh a change of the store belongs to.
//
// Invariants: everything belongs to a mesh that exists, a route to a router and
// a gateway route to a gateway that exist. What a virtual service, a route or a
// gateway route refers to exists and cannot be deleted while it does. Backends
// are names only: services may declare each other. Specs are kept as the
// API has them, and are never changed in place.
package appmesh

import (
	"context"
	"encoding/json"
	"log/slog"

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
	// StrictQuotas enforces the quotas that AWS raises on request: 15 meshes, 200 nodes, routers and services in each, 3 gateways.
	StrictQuotas bool
}

// Service implements the App Mesh API.
type Service struct {
	store  *store.Store
	log    *slog.Logger
	strict bool
}

// New makes the service.
func New(c Config) *Service {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{store: c.Store, log: c.Log, strict: c.StrictQuotas}
}

// Tables are the rows of this service.
func Tables() []store.Schema {
	return []store.Schema{Meshes, VirtualNodes, VirtualServices, VirtualRouters, Routes, VirtualGateways, GatewayRoutes}
}

// Resources are the CloudFormation types of this service.
func (s *Service) Resources() []cfn.Type {
	return []cfn.Type{
		cfn.Of("AWS::AppMesh::Mesh", meshResource(s)),
		cfn.Of("AWS::AppMesh::VirtualNode", nodeResource(s)),
		cfn.Of("AWS::AppMesh::VirtualService", serviceResource(s)),
		cfn.Of("AWS::AppMesh::VirtualRouter", routerResource(s)),
		cfn.Of("AWS::AppMesh::Route", routeResource(s)),
		cfn.Of("AWS::AppMesh::VirtualGateway", gatewayResource(s)),
		cfn.Of("AWS::AppMesh::GatewayRoute", gatewayRouteResource(s)),
	}
}

// Loops are none: there is nothing to keep true but the rows.
func (s *Service) Loops() []loop.Loop { return nil }

func scope(ctx context.Context) arn.Scope { return awsapi.CallerOf(ctx).Scope }

// value is what p points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// like is v in another type of the same shape, field by field: a gateway's
// listener as a node's, a template's spec as the API's. Names may differ in
// case; what T does not have is left out.
func like[T any](v any) T {
	var out T
	doc, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(doc, &out)
	}
	if err != nil {
		panic("appmesh: the types are not alike: " + err.Error())
	}
	return out
}
