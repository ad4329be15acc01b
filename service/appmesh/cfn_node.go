package appmesh

import (
	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// nodeProperties are those of AWS::AppMesh::VirtualNode.
type nodeProperties struct {
	attributes
	MeshName        string   `cfn:"required,createOnly,attribute"`
	MeshOwner       string   `cfn:"createOnly,attribute"`
	VirtualNodeName string   `cfn:"createOnly,attribute"`
	Spec            nodeSpec `cfn:"required"`
	Tags            []cfn.Tag
}

type nodeSpec struct {
	BackendDefaults  *backendDefaults
	Backends         []backend
	Listeners        []nodeListener
	Logging          *logging
	ServiceDiscovery *discovery
}

type backend struct{ VirtualService *serviceBackend }

type serviceBackend struct {
	ClientPolicy       *clientPolicy
	VirtualServiceName *string `cfn:"required"`
}

type nodeListener struct {
	ConnectionPool   *nodePool
	HealthCheck      *healthCheck
	OutlierDetection *outlierDetection
	PortMapping      *portMapping `cfn:"required"`
	TLS              *listenerTLS
	Timeout          *listenerTimeout
}

type nodePool struct {
	GRPC  *requestPool
	HTTP  *httpPool
	HTTP2 *requestPool
	TCP   *tcpPool
}

type tcpPool struct {
	MaxConnections *int32 `cfn:"required"`
}

type outlierDetection struct {
	BaseEjectionDuration *duration `cfn:"required"`
	Interval             *duration `cfn:"required"`
	MaxEjectionPercent   *int32    `cfn:"required"`
	MaxServerErrors      *int64    `cfn:"required"`
}

type listenerTimeout struct {
	GRPC  *requestTimeout
	HTTP  *requestTimeout
	HTTP2 *requestTimeout
	TCP   *tcpTimeout
}

type discovery struct {
	AWSCloudMap *cloudMap
	DNS         *dns
}

type cloudMap struct {
	Attributes    []pair
	IpPreference  string  //nolint:revive // AWS's name
	NamespaceName *string `cfn:"required"`
	ServiceName   *string `cfn:"required"`
}

type dns struct {
	Hostname     *string `cfn:"required"`
	IpPreference string  //nolint:revive // AWS's name
	ResponseType string
}

func nodeResource(s *Service) resource[nodeProperties, api.VirtualNodeSpec] {
	return resource[nodeProperties, api.VirtualNodeSpec]{
		s: s, kind: nodes, shape: "VirtualNodeSpec",
		fields: func(p *nodeProperties) fields {
			return fields{attributes: &p.attributes, mesh: &p.MeshName, owner: &p.MeshOwner, name: &p.VirtualNodeName, tags: &p.Tags}
		},
		spec:   func(p *nodeProperties) any { return p.Spec },
		setAny: func(p *nodeProperties, spec api.VirtualNodeSpec) { p.Spec = like[nodeSpec](spec) },
	}
}
