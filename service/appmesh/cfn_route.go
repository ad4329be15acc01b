package appmesh

import (
	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// routeProperties are those of AWS::AppMesh::Route.
type routeProperties struct {
	attributes
	MeshName          string    `cfn:"required,createOnly,attribute"`
	MeshOwner         string    `cfn:"createOnly,attribute"`
	VirtualRouterName string    `cfn:"required,createOnly,attribute"`
	RouteName         string    `cfn:"createOnly,attribute"`
	Spec              routeSpec `cfn:"required"`
	Tags              []cfn.Tag
}

type routeSpec struct {
	GrpcRoute  *grpcRoute
	Http2Route *httpRoute //nolint:revive // AWS's name
	HttpRoute  *httpRoute //nolint:revive // AWS's name
	Priority   *int32
	TcpRoute   *tcpRoute //nolint:revive // AWS's name
}

type httpRoute struct {
	Action      *routeAction `cfn:"required"`
	Match       *httpMatch   `cfn:"required"`
	RetryPolicy *httpRetryPolicy
	Timeout     *requestTimeout
}

type grpcRoute struct {
	Action      *routeAction `cfn:"required"`
	Match       *grpcMatch   `cfn:"required"`
	RetryPolicy *grpcRetryPolicy
	Timeout     *requestTimeout
}

type tcpRoute struct {
	Action  *routeAction `cfn:"required"`
	Match   *tcpMatch
	Timeout *tcpTimeout
}

type routeAction struct {
	WeightedTargets []weightedTarget `cfn:"required"`
}

type weightedTarget struct {
	Port        *int32
	VirtualNode *string `cfn:"required"`
	Weight      *int32  `cfn:"required"`
}

type tcpMatch struct{ Port *int32 }

type httpMatch struct {
	Headers         []headerMatch
	Method          string
	Path            *pathMatch
	Port            *int32
	Prefix          *string
	QueryParameters []queryMatch
	Scheme          string
}

type grpcMatch struct {
	Metadata    []headerMatch
	MethodName  *string
	Port        *int32
	ServiceName *string
}

type pathMatch struct {
	Exact *string
	Regex *string
}

// headerMatch is the match of an HTTP header or of gRPC metadata.
type headerMatch struct {
	Invert *bool
	Match  *matchMethod
	Name   *string `cfn:"required"`
}

type matchMethod struct {
	Exact  *string
	Prefix *string
	Range  *matchRange
	Regex  *string
	Suffix *string
}

type matchRange struct {
	End   *int64 `cfn:"required"`
	Start *int64 `cfn:"required"`
}

type queryMatch struct {
	Match *exactMatch
	Name  *string `cfn:"required"`
}

type exactMatch struct{ Exact *string }

type httpRetryPolicy struct {
	HttpRetryEvents []string  //nolint:revive // AWS's name
	MaxRetries      *int64    `cfn:"required"`
	PerRetryTimeout *duration `cfn:"required"`
	TcpRetryEvents  []string  //nolint:revive // AWS's name
}

type grpcRetryPolicy struct {
	GrpcRetryEvents []string
	HttpRetryEvents []string  //nolint:revive // AWS's name
	MaxRetries      *int64    `cfn:"required"`
	PerRetryTimeout *duration `cfn:"required"`
	TcpRetryEvents  []string  //nolint:revive // AWS's name
}

func routeResource(s *Service) resource[routeProperties, api.RouteSpec] {
	return resource[routeProperties, api.RouteSpec]{
		s: s, kind: routes, shape: "RouteSpec",
		fields: func(p *routeProperties) fields {
			return fields{
				attributes: &p.attributes, mesh: &p.MeshName, owner: &p.MeshOwner, parent: &p.VirtualRouterName, name: &p.RouteName, tags: &p.Tags,
			}
		},
		spec:   func(p *routeProperties) any { return p.Spec },
		setAny: func(p *routeProperties, spec api.RouteSpec) { p.Spec = like[routeSpec](spec) },
	}
}
