package appmesh

import (
	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// gatewayProperties are those of AWS::AppMesh::VirtualGateway.
type gatewayProperties struct {
	attributes
	MeshName           string      `cfn:"required,createOnly,attribute"`
	MeshOwner          string      `cfn:"createOnly,attribute"`
	VirtualGatewayName string      `cfn:"createOnly,attribute"`
	Spec               gatewaySpec `cfn:"required"`
	Tags               []cfn.Tag
}

type gatewaySpec struct {
	BackendDefaults *backendDefaults
	Listeners       []gatewayListener `cfn:"required"`
	Logging         *logging
}

type gatewayListener struct {
	ConnectionPool *gatewayPool
	HealthCheck    *healthCheck
	PortMapping    *portMapping `cfn:"required"`
	TLS            *listenerTLS
}

type gatewayPool struct {
	GRPC  *requestPool
	HTTP  *httpPool
	HTTP2 *requestPool
}

func gatewayResource(s *Service) resource[gatewayProperties, api.VirtualGatewaySpec] {
	return resource[gatewayProperties, api.VirtualGatewaySpec]{
		s: s, kind: gateways, shape: "VirtualGatewaySpec",
		fields: func(p *gatewayProperties) fields {
			return fields{attributes: &p.attributes, mesh: &p.MeshName, owner: &p.MeshOwner, name: &p.VirtualGatewayName, tags: &p.Tags}
		},
		spec:   func(p *gatewayProperties) any { return p.Spec },
		setAny: func(p *gatewayProperties, spec api.VirtualGatewaySpec) { p.Spec = like[gatewaySpec](spec) },
	}
}
