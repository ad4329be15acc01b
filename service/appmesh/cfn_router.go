package appmesh

import (
	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// routerProperties are those of AWS::AppMesh::VirtualRouter.
type routerProperties struct {
	attributes
	MeshName          string     `cfn:"required,createOnly,attribute"`
	MeshOwner         string     `cfn:"createOnly,attribute"`
	VirtualRouterName string     `cfn:"createOnly,attribute"`
	Spec              routerSpec `cfn:"required"`
	Tags              []cfn.Tag
}

type routerSpec struct{ Listeners []routerListener }

type routerListener struct {
	PortMapping *portMapping `cfn:"required"`
}

type portMapping struct {
	Port     *int32 `cfn:"required"`
	Protocol string `cfn:"required"`
}

func routerResource(s *Service) resource[routerProperties, api.VirtualRouterSpec] {
	return resource[routerProperties, api.VirtualRouterSpec]{
		s: s, kind: routers, shape: "VirtualRouterSpec",
		fields: func(p *routerProperties) fields {
			return fields{attributes: &p.attributes, mesh: &p.MeshName, owner: &p.MeshOwner, name: &p.VirtualRouterName, tags: &p.Tags}
		},
		spec:   func(p *routerProperties) any { return p.Spec },
		setAny: func(p *routerProperties, spec api.VirtualRouterSpec) { p.Spec = like[routerSpec](spec) },
	}
}
