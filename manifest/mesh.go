package manifest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Modes of TLS between services. Source: "ListenerTls" in the App Mesh API reference.
const (
	TLSStrict     = "strict"
	TLSPermissive = "permissive"
	TLSDisabled   = "disabled"
)

// Protocols that services speak. Source: "PortMapping" in the App Mesh API reference.
const (
	HTTP  = "http"
	HTTP2 = "http2"
	GRPC  = "grpc"
	TCP   = "tcp"
)

// SidecarUser is the user the sidecar runs as, whose traffic is not intercepted.
const SidecarUser = "1337"

// Ports of the sidecar in every task of a meshed service.
const (
	SidecarInbound  = 15000 // where what comes for the service is redirected to
	SidecarOutbound = 15001 // where what the service sends is redirected to
	SidecarProbe    = 15010 // the sidecar's own health
	SidecarIngress  = 15080 // where the load balancer is served, which has no certificate
	SidecarAdmin    = 9901  // Envoy's administration port
)

// Mesh is the service mesh: a sidecar in every task that carries the calls between services.
type Mesh struct {
	Enabled bool   `yaml:"enabled" default:"false" doc:"A sidecar in every task carries the calls between services: with certificates of both sides, retries and ejection of failing tasks."`
	TLS     string `yaml:"tls" default:"strict" enum:"strict|permissive|disabled" doc:"Calls between services: strict takes none without a certificate of a caller that is declared, permissive takes plain ones as well, disabled has no certificates."`
	Egress  string `yaml:"egress" default:"drop" enum:"drop|allow" doc:"What services send to anyone they do not declare in calls: drop, or allow. Tasks reach AWS's services by endpoints either way."`
}

// Retries are how calls to a service are tried again.
type Retries struct {
	Max           int      `yaml:"max" default:"2" min:"0" max:"10" doc:"Tries after the first; 0: none."`
	On            []string `yaml:"on" default:"gateway-error|stream-error|connection-error" items:"server-error|gateway-error|client-error|stream-error|connection-error|cancelled|deadline-exceeded|internal|resource-exhausted|unavailable" doc:"What is tried again: server-error is any 5xx, gateway-error 502, 503 and 504, client-error 409; the last five are gRPC's."`
	PerTryTimeout Duration `yaml:"perTryTimeout" default:"5s" range:"1ms..1h" fine:"true" doc:"Time one try may take."`
}

// Outlier is when a task that fails is left out for a while.
type Outlier struct {
	MaxServerErrors      int      `yaml:"maxServerErrors" default:"5" min:"0" max:"1000000" doc:"Answers with a 5xx in a row, or failed connections, after which callers leave a task out; 0: never."`
	Interval             Duration `yaml:"interval" default:"10s" range:"1ms..1h" fine:"true" doc:"Time between looks at the tasks."`
	BaseEjectionDuration Duration `yaml:"baseEjectionDuration" default:"30s" range:"1ms..24h" fine:"true" doc:"Time a task is left out, multiplied by how often it was."`
	MaxEjectionPercent   int      `yaml:"maxEjectionPercent" default:"50" min:"0" max:"100" doc:"Most tasks that may be left out at once, in percent; one always stays."`
}

// Pool bounds what a task takes at once; zeros do not.
type Pool struct {
	MaxConnections     int `yaml:"maxConnections" min:"0" max:"1000000" doc:"Connections one task takes at once. With http and tcp only; 0: any number."`
	MaxPendingRequests int `yaml:"maxPendingRequests" min:"0" max:"1000000" doc:"Requests that may wait for a connection. With http only, and with maxConnections."`
	MaxRequests        int `yaml:"maxRequests" min:"0" max:"1000000" doc:"Requests one task takes at once. With http2 and grpc only; 0: any number."`
}

// Callers lists the services that call another one, in the order of the file.
func (m *Manifest) Callers(service string) []string {
	var out []string
	for i := range m.Services {
		if slices.Contains(m.Services[i].Calls, service) {
			out = append(out, m.Services[i].Name)
		}
	}
	return out
}

// mesh checks what the sidecar asks of a service.
func (c checker) mesh(s *Service, at string) {
	c.unmeshed(at)
	c.protocol(s, at)
	if !c.m.Mesh.Enabled {
		return
	}
	if what := sidecarPort(s.Port); what != "" {
		c.wrong(at+".port", "%d is the sidecar's %s; in a mesh a service listens elsewhere than on 9901, 15000, 15001, 15010 and 15080", s.Port, what)
	}
	if s.User == SidecarUser {
		c.wrong(at+".user", "%s is the sidecar's user, whose traffic does not pass the sidecar; take another", s.User)
	}
	if time.Duration(s.Timeout) > 0 && s.Retries.Max > 0 && s.Retries.PerTryTimeout > s.Timeout {
		c.wrong(at+".retries.perTryTimeout", "%s is more than the whole call may take (timeout), %s", s.Retries.PerTryTimeout, s.Timeout)
	}
}

// sidecarPort says what the sidecar uses a port for, nothing if it does not.
func sidecarPort(port int) string {
	return map[int]string{
		SidecarInbound: "inbound port", SidecarOutbound: "outbound port", SidecarProbe: "probe port", SidecarIngress: "port for the load balancer",
		SidecarAdmin: "administration port",
	}[port]
}

// unmeshed refuses settings that only a mesh heeds where there is none.
func (c checker) unmeshed(at string) {
	if c.m.Mesh.Enabled {
		return
	}
	for _, key := range []string{"timeout", "retries", "outlier", "pool"} {
		if _, written := c.at[at+"."+key]; written {
			c.wrong(at+"."+key, "only a mesh heeds it, and there is none; switch it on with mesh: {enabled: true}")
		}
	}
}

// protocol checks what goes with the protocol that a service speaks.
func (c checker) protocol(s *Service, at string) {
	if (s.Protocol == GRPC || s.Protocol == TCP) && s.Public() {
		c.wrong(at+".protocol", "the load balancer speaks HTTP to its services; one that speaks %s is private: paths: []", s.Protocol)
	}
	for i, event := range s.Retries.On {
		grpc := slices.Contains([]string{"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"}, event)
		if grpc && s.Protocol != GRPC {
			c.wrong(fmt.Sprintf("%s.retries.on[%d]", at, i), "%s is an event of grpc, and %s speaks %s", event, s.Name, s.Protocol)
		}
	}
	c.distinct(at+".retries.on", s.Retries.On)
	if len(s.Retries.On) == 0 && s.Retries.Max > 0 {
		c.wrong(at+".retries.on", "names nothing to try again; max: 0 is no retries")
	}
	if _, written := c.at[at+".retries"]; written && s.Protocol == TCP {
		c.wrong(at+".retries", "what is sent over tcp cannot be sent again")
	}
	c.pool(s, at+".pool")
}

// pool checks that the bounds are those of the protocol. Source: "VirtualNodeConnectionPool" in the App Mesh API reference.
func (c checker) pool(s *Service, at string) {
	p := s.Pool
	given := map[string]int{"maxConnections": p.MaxConnections, "maxPendingRequests": p.MaxPendingRequests, "maxRequests": p.MaxRequests}
	fits := map[string][]string{HTTP: {"maxConnections", "maxPendingRequests"}, TCP: {"maxConnections"}}[s.Protocol]
	if fits == nil {
		fits = []string{"maxRequests"}
	}
	for key, value := range given {
		if value > 0 && !slices.Contains(fits, key) {
			c.wrong(at+"."+key, "does not go with protocol %s, which has %s", s.Protocol, strings.Join(fits, " and "))
		}
	}
	if p.MaxPendingRequests > 0 && p.MaxConnections == 0 && s.Protocol == HTTP {
		c.wrong(at+".maxPendingRequests", "only goes with maxConnections: without a bound no request waits")
	}
}
