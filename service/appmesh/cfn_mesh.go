package appmesh

import (
	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// meshProperties are those of AWS::AppMesh::Mesh.
type meshProperties struct {
	attributes
	MeshName  string `cfn:"createOnly,attribute"`
	MeshOwner string `cfn:"readOnly"`
	Spec      *meshSpec
	Tags      []cfn.Tag
}

type meshSpec struct {
	EgressFilter     *egressFilter
	ServiceDiscovery *meshDiscovery
}

type egressFilter struct {
	Type string `cfn:"required"`
}

type meshDiscovery struct{ IpPreference string } //nolint:revive // AWS's name

func meshResource(s *Service) resource[meshProperties, api.MeshSpec] {
	return resource[meshProperties, api.MeshSpec]{
		s: s, kind: meshes, shape: "MeshSpec",
		fields: func(p *meshProperties) fields {
			return fields{attributes: &p.attributes, owner: &p.MeshOwner, name: &p.MeshName, tags: &p.Tags}
		},
		spec:   func(p *meshProperties) any { return p.Spec },
		setAny: func(p *meshProperties, spec api.MeshSpec) { p.Spec = new(like[meshSpec](spec)) },
	}
}
