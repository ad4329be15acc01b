package appmesh

import (
	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// gatewayRouteProperties are those of AWS::AppMesh::GatewayRoute.
type gatewayRouteProperties struct {
	attributes
	MeshName           string           `cfn:"required,createOnly,attribute"`
	MeshOwner          string           `cfn:"createOnly,attribute"`
	VirtualGatewayName string           `cfn:"required,createOnly,attribute"`
	GatewayRouteName   string           `cfn:"createOnly,attribute"`
	Spec               gatewayRouteSpec `cfn:"required"`
	Tags               []cfn.Tag
}

type gatewayRouteSpec struct {
	GrpcRoute  *grpcGatewayRoute
	Http2Route *httpGatewayRoute //nolint:revive // AWS's name
	HttpRoute  *httpGatewayRoute //nolint:revive // AWS's name
	Priority   *int32
}

type httpGatewayRoute struct {
	Action *httpGatewayAction `cfn:"required"`
	Match  *httpGatewayMatch  `cfn:"required"`
}

type grpcGatewayRoute struct {
	Action *grpcGatewayAction `cfn:"required"`
	Match  *grpcGatewayMatch  `cfn:"required"`
}

type httpGatewayAction struct {
	Rewrite *httpRewrite
	Target  *target `cfn:"required"`
}

type grpcGatewayAction struct {
	Rewrite *grpcRewrite
	Target  *target `cfn:"required"`
}

type target struct {
	Port           *int32
	VirtualService *targetService `cfn:"required"`
}

type targetService struct {
	VirtualServiceName *string `cfn:"required"`
}

type httpRewrite struct {
	Hostname *hostnameRewrite
	Path     *exactMatch
	Prefix   *prefixRewrite
}

type grpcRewrite struct{ Hostname *hostnameRewrite }

type hostnameRewrite struct{ DefaultTargetHostname string }

type prefixRewrite struct {
	DefaultPrefix string
	Value         *string
}

type hostnameMatch struct {
	Exact  *string
	Suffix *string
}

type httpGatewayMatch struct {
	Headers         []headerMatch
	Hostname        *hostnameMatch
	Method          string
	Path            *pathMatch
	Port            *int32
	Prefix          *string
	QueryParameters []queryMatch
}

type grpcGatewayMatch struct {
	Hostname    *hostnameMatch
	Metadata    []headerMatch
	Port        *int32
	ServiceName *string
}

func gatewayRouteResource(s *Service) resource[gatewayRouteProperties, api.GatewayRouteSpec] {
	return resource[gatewayRouteProperties, api.GatewayRouteSpec]{
		s: s, kind: gatewayRoutes, shape: "GatewayRouteSpec",
		fields: func(p *gatewayRouteProperties) fields {
			return fields{
				attributes: &p.attributes, mesh: &p.MeshName, owner: &p.MeshOwner, parent: &p.VirtualGatewayName, name: &p.GatewayRouteName, tags: &p.Tags,
			}
		},
		spec:   func(p *gatewayRouteProperties) any { return p.Spec },
		setAny: func(p *gatewayRouteProperties, spec api.GatewayRouteSpec) { p.Spec = like[gatewayRouteSpec](spec) },
	}
}
