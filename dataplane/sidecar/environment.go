package sidecar

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// DefaultEndpoint is where the engine's control plane answers in every VPC.
const DefaultEndpoint = "169.254.170.2:15010"

// IngressKey is the node's metadata that asks for a plain listener for load
// balancers: "15080=8080" for one at 15080 before the application's 8080,
// several with commas.
const IngressKey = "slipway.ingress"

// Environment reads the variables that App Mesh's Envoy image has, as far as
// they mean something here:
//
//	APPMESH_RESOURCE_ARN       the virtual node's or gateway's ARN, or its part from "mesh/" on
//	APPMESH_RESOURCE_CLUSTER   the name that metrics are counted for; default: the ARN's resource
//	APPMESH_XDS_ENDPOINT       host:port of the control plane
//	ENVOY_LOG_LEVEL            default info
//	ENVOY_ADMIN_ACCESS_PORT    default 9901
//	ENVOY_CONCURRENCY          threads that carry traffic; default: as many as there are processors
//	ENABLE_ENVOY_STATS_TAGS    1: figures for Prometheus bear the mesh and the virtual node or gateway
//	SLIPWAY_INGRESS            see IngressKey
//
// APPMESH_SDS_SOCKET_PATH, a SPIRE agent's socket, is not followed: secrets
// come over the same stream as all else.
func Environment(get func(string) string) (Config, error) {
	resource := cmp.Or(get("APPMESH_RESOURCE_ARN"), get("APPMESH_VIRTUAL_NODE_NAME"))
	if resource == "" {
		return Config{}, errors.New("APPMESH_RESOURCE_ARN is not set: it names the virtual node or virtual gateway whose proxy this is")
	}
	name := resource
	if at := strings.Index(resource, ":mesh/"); at >= 0 {
		name = resource[at+1:]
	}
	if strings.Count(name, "/") != 3 || !strings.HasPrefix(name, "mesh/") {
		return Config{}, fmt.Errorf("APPMESH_RESOURCE_ARN is %q: want arn:aws:appmesh:<region>:<account>:mesh/<mesh>/virtualNode/<node>", resource)
	}
	port := cmp.Or(get("ENVOY_ADMIN_ACCESS_PORT"), "9901")
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return Config{}, fmt.Errorf("ENVOY_ADMIN_ACCESS_PORT is %q: want a port number", port)
	}
	endpoint := cmp.Or(get("APPMESH_XDS_ENDPOINT"), DefaultEndpoint)
	if _, _, err := net.SplitHostPort(endpoint); err != nil {
		return Config{}, fmt.Errorf("APPMESH_XDS_ENDPOINT is %q: want host:port", endpoint)
	}
	word := cmp.Or(get("ENVOY_LOG_LEVEL"), "info")
	level, ok := LevelOf(word)
	if !ok {
		return Config{}, fmt.Errorf("ENVOY_LOG_LEVEL is %q: want trace, debug, info, warning, error, critical or off", word)
	}
	threads := 0
	if text := get("ENVOY_CONCURRENCY"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > 1024 {
			return Config{}, fmt.Errorf("ENVOY_CONCURRENCY is %q: want a number of threads", text)
		}
		threads = n
	}
	var now slog.LevelVar
	now.Set(level)
	node := &xdsapi.Node{
		Id: resource, Cluster: cmp.Or(get("APPMESH_RESOURCE_CLUSTER"), name),
		UserAgentName: "slipway-proxy",
	}
	if pairs := get("SLIPWAY_INGRESS"); pairs != "" {
		node.Metadata = &structpb.Struct{Fields: map[string]*structpb.Value{IngressKey: structpb.NewStringValue(pairs)}}
	}
	cfg := Config{Node: node, Endpoint: endpoint, Admin: net.JoinHostPort("", port), Level: &now, Threads: threads}
	if get("ENABLE_ENVOY_STATS_TAGS") == "1" {
		parts := strings.Split(name, "/") // mesh, its name, virtualNode or virtualGateway, its name
		kind := map[string]string{"virtualGateway": "appmesh_virtual_gateway"}[parts[2]]
		cfg.Labels = label("appmesh_mesh", parts[1]) + "," + label(cmp.Or(kind, "appmesh_virtual_node"), parts[3])
	}
	return cfg, nil
}
