package synth

import (
	"time"

	"github.com/slipway-dev/slipway/manifest"
)

// Names of the secrets that the mesh's control plane hands out over SDS: the certificate of the task that asks, and the authorities of the
// mesh.
const (
	ownCertificate = "default"
	authorities    = "ROOTCA"
)

// probing is the time between two health checks among peers, at least: those of
// a service that is checked more seldom by the load balancer are as seldom here.
const probing = 30 * time.Second

// meshed tells whether calls between services go through sidecars.
func (r *renderer) meshed() bool { return r.m.Mesh.Enabled }

// mesh renders the mesh itself.
func (r *renderer) mesh() {
	if !r.meshed() {
		return
	}
	r.add("Mesh", "AWS::AppMesh::Mesh", Object{{"MeshName", r.names.Mesh()}, {"Spec", Object{
		{"EgressFilter", Object{{"Type", map[string]string{"drop": "DROP_ALL", "allow": "ALLOW_ALL"}[r.m.Mesh.Egress]}}},
	}}})
}

// member renders a service's place in the mesh: its node and, if it takes calls, the name it is called by and the way there.
func (r *renderer) member(s *manifest.Service) {
	if !r.meshed() {
		return
	}
	id := manifest.Camel(s.Name)
	spec := Object{{"Backends", listOrNil(r.backends(s))}}
	if s.Port != 0 {
		spec = append(
			spec,
			Field{"Listeners", []Object{r.nodeListener(s)}},
			// Cloud Map has the tasks one by one, which ejection of outliers needs.
			Field{"ServiceDiscovery", Object{{"AWSCloudMap", Object{{"NamespaceName", r.names.Namespace()}, {"ServiceName", s.DNS}}}}},
		)
	}
	r.add(id+"Node", "AWS::AppMesh::VirtualNode", Object{meshName(), {"VirtualNodeName", r.names.Node(s.Name)}, {"Spec", spec}})
	if s.Port != 0 {
		r.route(s)
	}
}

func meshName() Field { return Field{"MeshName", attribute("Mesh", "MeshName")} }

// nodeListener is where peers reach a service: with certificates, within bounds, and while it is healthy.
func (r *renderer) nodeListener(s *manifest.Service) Object {
	check := Object{{"Protocol", s.Protocol}}
	if s.Protocol == manifest.HTTP || s.Protocol == manifest.HTTP2 {
		check = append(check, Field{"Path", s.Health.Path})
	}
	out := Object{
		{"PortMapping", Object{{"Port", s.Port}, {"Protocol", s.Protocol}}},
		{"HealthCheck", append(
			check,
			Field{"IntervalMillis", max(probing, time.Duration(s.Health.Interval)).Milliseconds()},
			Field{"TimeoutMillis", milliseconds(s.Health.Timeout)},
			Field{"HealthyThreshold", s.Health.Healthy},
			Field{"UnhealthyThreshold", s.Health.Unhealthy},
		)},
		{"ConnectionPool", pool(s)},
	}
	if o := s.Outlier; o.MaxServerErrors > 0 {
		out = append(out, Field{"OutlierDetection", Object{
			{"MaxServerErrors", o.MaxServerErrors},
			{"Interval", span(o.Interval)},
			{"BaseEjectionDuration", span(o.BaseEjectionDuration)},
			{"MaxEjectionPercent", o.MaxEjectionPercent},
		}})
	}
	// The node's own default would end calls that the route lets go on.
	if s.Protocol == manifest.TCP || s.Timeout == 0 || time.Duration(s.Timeout) > defaultTimeout {
		out = append(out, Field{"Timeout", Object{{union(s.Protocol), timeout(s)}}})
	}
	if r.m.Mesh.TLS == manifest.TLSDisabled {
		return out
	}
	mode := map[string]string{manifest.TLSStrict: "STRICT", manifest.TLSPermissive: "PERMISSIVE"}[r.m.Mesh.TLS]
	return append(out, Field{"TLS", Object{{"Mode", mode}, certificate(), r.validation(r.callers(s)...)}})
}

// callers lists who may call a service. Nobody calls one that has none: its own name keeps everybody else out, where no names would let
// every member of the mesh in.
func (r *renderer) callers(s *manifest.Service) []string {
	var out []string
	for _, name := range r.m.Callers(s.Name) {
		if caller, ok := r.m.Service(name); ok {
			out = append(out, r.names.Host(caller))
		}
	}
	if len(out) == 0 {
		return []string{r.names.Host(s)}
	}
	return out
}

// backends are the services that one calls, each of which has to prove that it is the one that was meant.
func (r *renderer) backends(s *manifest.Service) []Object {
	var out []Object
	for _, name := range s.Calls {
		called, ok := r.m.Service(name)
		if !ok {
			continue
		}
		backend := Object{{"VirtualServiceName", r.names.Host(called)}}
		if r.m.Mesh.TLS != manifest.TLSDisabled {
			backend = append(backend, Field{"ClientPolicy", Object{{"TLS", Object{certificate(), r.validation(r.names.Host(called))}}}})
		}
		out = append(out, Object{{"VirtualService", backend}})
	}
	return out
}

func certificate() Field { return Field{"Certificate", secret(ownCertificate)} }

func secret(name string) Object { return Object{{"SDS", Object{{"SecretName", name}}}} }

func (r *renderer) validation(names ...string) Field {
	return Field{"Validation", Object{
		{"Trust", secret(authorities)}, {"SubjectAlternativeNames", Object{{"Match", Object{{"Exact", names}}}}},
	}}
}

// pool bounds what a task takes at once, in the terms of its protocol; nil where there is no bound.
func pool(s *manifest.Service) any {
	p := s.Pool
	out := Object{}
	for _, bound := range []struct {
		key   string
		value int
	}{{"MaxConnections", p.MaxConnections}, {"MaxPendingRequests", p.MaxPendingRequests}, {"MaxRequests", p.MaxRequests}} {
		if bound.value > 0 {
			out = append(out, Field{bound.key, bound.value})
		}
	}
	if len(out) == 0 {
		return nil
	}
	return Object{{union(s.Protocol), out}}
}

// union is the member of App Mesh's unions for a protocol: HTTP, HTTP2, GRPC or TCP.
func union(protocol string) string {
	return map[string]string{manifest.HTTP: "HTTP", manifest.HTTP2: "HTTP2", manifest.GRPC: "GRPC", manifest.TCP: "TCP"}[protocol]
}

// span is a Duration of App Mesh, in the largest unit that is exact.
func span(d manifest.Duration) Object {
	if time.Duration(d)%time.Second == 0 {
		return Object{{"Unit", "s"}, {"Value", d.Seconds()}}
	}
	return Object{{"Unit", "ms"}, {"Value", milliseconds(d)}}
}

func milliseconds(d manifest.Duration) int64 { return time.Duration(d).Milliseconds() }
