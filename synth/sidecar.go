package synth

import (
	"fmt"
	"strconv"

	"github.com/slipway-dev/slipway/manifest"
)

const (
	sidecarName = "envoy"
	// sidecarImage is the last image of App Mesh's Envoy. The engine has a sidecar of its own behind App Mesh's image names.
	sidecarImage  = "public.ecr.aws/appmesh/aws-appmesh-envoy:v1.29.12.1-prod"
	sidecarMemory = 64 // MiB that are kept for it
)

// sidecar is the container that carries a task's calls. It serves the load balancer on a port of its own, without TLS: a load balancer has
// no certificate to show.
func (r *renderer) sidecar(s *manifest.Service) Object {
	out := Object{
		{"Name", sidecarName},
		{"Image", sidecarImage},
		{"User", manifest.SidecarUser},
		{"MemoryReservation", sidecarMemory},
	}
	environment := []Object{
		{{"Name", "APPMESH_RESOURCE_ARN"}, {"Value", ref(manifest.Camel(s.Name) + "Node")}},
	}
	if s.Public() {
		out = append(out, Field{"PortMappings", []Object{{{"ContainerPort", manifest.SidecarIngress}}}})
		environment = append(environment, Object{{"Name", "SLIPWAY_INGRESS"}, {"Value", fmt.Sprintf("%d=%d", manifest.SidecarIngress, s.Port)}})
	}
	return append(
		out,
		Field{"Environment", environment},
		Field{"HealthCheck", Object{
			{"Command", []string{"CMD-SHELL", fmt.Sprintf("curl -s http://localhost:%d/server_info | grep state | grep -q LIVE", manifest.SidecarAdmin)}},
			{"Interval", 10},
			{"Timeout", 5},
			{"StartPeriod", 10},
		}},
		logging(s),
	)
}

// interception sends what a task's containers send, and what comes for the service, through the sidecar; nil without a mesh. The addresses
// that are left out are those of the task's own metadata and credentials. Source: "ProxyConfiguration" in the ECS API reference.
func (r *renderer) interception(s *manifest.Service) any {
	if !r.meshed() {
		return nil
	}
	takes := s.Port
	if takes == 0 { // a list has to be given; nothing listens there
		takes = manifest.SidecarIngress
	}
	var properties []Object
	for _, p := range []struct{ name, value string }{
		{"IgnoredUID", manifest.SidecarUser},
		{"ProxyIngressPort", strconv.Itoa(manifest.SidecarInbound)},
		{"ProxyEgressPort", strconv.Itoa(manifest.SidecarOutbound)},
		{"AppPorts", strconv.Itoa(takes)},
		{"EgressIgnoredIPs", "169.254.170.2,169.254.169.254"},
	} {
		properties = append(properties, Object{{"Name", p.name}, {"Value", p.value}})
	}
	return Object{{"Type", "APPMESH"}, {"ContainerName", sidecarName}, {"ProxyConfigurationProperties", properties}}
}

// entrance is where the load balancer reaches a service's tasks.
type entrance struct {
	container string
	port      int
}

func (r *renderer) entrance(s *manifest.Service) entrance {
	if r.meshed() {
		return entrance{sidecarName, manifest.SidecarIngress}
	}
	return entrance{r.names.Container(s.Name), s.Port}
}
