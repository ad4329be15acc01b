package mesh

import (
	"fmt"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
)

// Ports of App Mesh's interception (ECS, proxyConfiguration).
const (
	ingressPort = 15000
	egressPort  = 15001
)

// Names as App Mesh gave them (App Mesh user guide, Observability, Envoy's
// resource names; and dumps of its Envoys).
const (
	ingressListener = "lds_ingress_0.0.0.0_15000"
	egressListener  = "lds_egress_0.0.0.0_15001"
	// passthroughCluster takes what is for nobody in the mesh where it was going.
	passthroughCluster = "cds_egress_passthrough"
)

func listenerName(direction, address string, port int32) string {
	return fmt.Sprintf("lds_%s_%s_%d", direction, address, port)
}

func routesName(direction string, port int32) string {
	return fmt.Sprintf("rds_%s_http_%d", direction, port)
}

func clusterName(direction, mesh, node string, m api.PortMapping) string {
	return fmt.Sprintf("cds_%s_%s_%s_%s_%d", direction, mesh, node, m.Protocol, value(m.Port))
}

// awsCluster takes calls of AWS's APIs, which are never dropped.
func awsCluster(mesh string) string { return "cds_egress_" + mesh + "_amazonaws" }

// Names of secrets, besides ARNs of certificates of ACM.
const (
	ownSecret   = "default" // the task's certificate and key
	trustSecret = "ROOTCA"  // the mesh's authority
)
