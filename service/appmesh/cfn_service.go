package appmesh

import (
	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// serviceProperties are those of AWS::AppMesh::VirtualService.
type serviceProperties struct {
	attributes
	MeshName           string      `cfn:"required,createOnly,attribute"`
	MeshOwner          string      `cfn:"createOnly,attribute"`
	VirtualServiceName string      `cfn:"required,createOnly,attribute"`
	Spec               serviceSpec `cfn:"required"`
	Tags               []cfn.Tag
}

type serviceSpec struct{ Provider *provider }

type provider struct {
	VirtualNode   *nodeProvider
	VirtualRouter *routerProvider
}

type nodeProvider struct {
	VirtualNodeName *string `cfn:"required"`
}

type routerProvider struct {
	VirtualRouterName *string `cfn:"required"`
}

func serviceResource(s *Service) resource[serviceProperties, api.VirtualServiceSpec] {
	return resource[serviceProperties, api.VirtualServiceSpec]{
		s: s, kind: services, shape: "VirtualServiceSpec",
		fields: func(p *serviceProperties) fields {
			return fields{attributes: &p.attributes, mesh: &p.MeshName, owner: &p.MeshOwner, name: &p.VirtualServiceName, tags: &p.Tags}
		},
		spec:   func(p *serviceProperties) any { return p.Spec },
		setAny: func(p *serviceProperties, spec api.VirtualServiceSpec) { p.Spec = like[serviceSpec](spec) },
	}
}
