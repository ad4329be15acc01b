package mesh

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
)

// big is a mesh of nodes with backends and endpoints each.
func big(nodes, backends, endpoints int) *Mesh {
	m := &Mesh{
		ARN: scope.ARN("appmesh", "mesh/shop"), Name: "shop", UID: "uid-1", Nodes: map[string]api.VirtualNodeSpec{},
		Services: map[string]api.VirtualServiceSpec{}, Endpoints: map[string][]Endpoint{},
	}
	policy := &api.ClientPolicy{Tls: &api.ClientPolicyTls{
		Certificate: &api.ClientTlsCertificate{Sds: &api.ListenerTlsSdsCertificate{SecretName: new(ownSecret)}},
		Validation:  &api.TlsValidationContext{Trust: &api.TlsValidationContextTrust{Sds: &api.TlsValidationContextSdsTrust{SecretName: new(trustSecret)}}},
	}}
	for i := range nodes {
		name := fmt.Sprintf("n%d", i)
		spec := api.VirtualNodeSpec{
			ServiceDiscovery: &api.ServiceDiscovery{AwsCloudMap: &api.AwsCloudMapServiceDiscovery{NamespaceName: new("dev.local"), ServiceName: &name}},
			Listeners:        []api.Listener{{PortMapping: &api.PortMapping{Port: new(int32(8080)), Protocol: api.PortProtocolHttp}}},
			BackendDefaults:  &api.BackendDefaults{ClientPolicy: policy},
		}
		for j := range backends {
			to := fmt.Sprintf("n%d.dev.local", (i+j+1)%nodes)
			spec.Backends = append(spec.Backends, api.Backend{VirtualService: &api.VirtualServiceBackend{VirtualServiceName: &to}})
		}
		m.Nodes[name] = spec
		m.Services[name+".dev.local"] = api.VirtualServiceSpec{Provider: &api.VirtualServiceProvider{VirtualNode: &api.VirtualNodeServiceProvider{VirtualNodeName: &name}}}
		for j := range endpoints {
			m.Endpoints[name] = append(m.Endpoints[name], Endpoint{IP: netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), byte(j)}), Zone: "us-east-1a"})
		}
	}
	return m
}

// played is a proxy that subscribes to everything and takes everything, and
// counts what it was told of a type.
type played struct {
	requests chan request
	url      string
	told     *atomic.Int64
}

func (p *played) receive() (request, error) {
	r, ok := <-p.requests
	if !ok {
		return r, io.EOF
	}
	return r, nil
}

func (p *played) send(u update) error {
	p.requests <- request{url: u.url, nonce: u.nonce, incremental: true}
	if u.url == xdsapi.ClusterType {
		more := request{url: xdsapi.EndpointType, incremental: true}
		for _, c := range u.changed {
			more.subscribe = append(more.subscribe, c.name)
		}
		p.requests <- more
	}
	if u.url == p.url {
		p.told.Add(int64(len(u.changed)))
	}
	return nil
}

// fleet connects a proxy for each node of a mesh.
func fleet(b *testing.B, m *Mesh, url string) (*Server, *atomic.Int64) {
	s := New(Config{})
	s.Put(m)
	told := &atomic.Int64{}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	for name := range m.Nodes {
		p := &played{make(chan request, 64), url, told}
		session := sessionOf(b, s.book(m.ARN), nodeARN(name))
		session.server, session.caller.TaskARN = s, name
		session.book.join(session)
		go func() {
			for _, url := range []string{xdsapi.ListenerType, xdsapi.RouteType} {
				p.requests <- request{url: url, incremental: true, subscribe: map[string][]string{xdsapi.RouteType: {"rds_egress_http_8080", "rds_ingress_http_8080"}}[url]}
			}
			_ = session.run(ctx, p, request{url: xdsapi.ClusterType, incremental: true})
			close(p.requests)
			ended <- struct{}{}
		}()
	}
	b.Cleanup(func() {
		cancel()
		for range m.Nodes {
			<-ended
		}
	})
	return s, told
}

func await(told *atomic.Int64, n int64) {
	for told.Load() < n {
		runtime.Gosched()
	}
}

// One node's endpoints change, and all that call it have been told.
func BenchmarkEndpointsChange(b *testing.B) {
	for _, size := range []struct{ nodes, backends int }{{60, 5}, {1000, 5}, {1000, 50}} {
		b.Run(fmt.Sprintf("%dproxies/%dcallers", size.nodes, size.backends), func(b *testing.B) {
			m := big(size.nodes, size.backends, 10)
			s, told := fleet(b, m, xdsapi.EndpointType)
			await(told, int64(size.nodes*size.backends))
			for i := 0; b.Loop(); i++ {
				before := told.Load()
				s.Endpoints(m.ARN, map[string][]Endpoint{"n7": m.Endpoints["n7"][:i%9]})
				await(told, before+int64(size.backends))
			}
		})
	}
}

// One node is declared anew, and all that call it have been told.
func BenchmarkNodeChange(b *testing.B) {
	m := big(1000, 5, 10)
	s, told := fleet(b, m, xdsapi.ClusterType)
	await(told, 1000*7)
	for i := 0; b.Loop(); i++ {
		before := told.Load()
		next := *m
		next.Nodes = make(map[string]api.VirtualNodeSpec, len(m.Nodes))
		for n, spec := range m.Nodes {
			next.Nodes[n] = spec
		}
		spec := next.Nodes["n7"]
		l := spec.Listeners[0]
		l.OutlierDetection = &api.OutlierDetection{MaxServerErrors: new(int64(i%50 + 1))}
		spec.Listeners = []api.Listener{l}
		next.Nodes["n7"] = spec
		s.Put(&next)
		await(told, before+5)
	}
}

// All configurations of a mesh are built once.
func BenchmarkConfigurations(b *testing.B) {
	m := big(1000, 5, 10)
	for b.Loop() {
		book := newBook(m, 0, nil)
		for name := range m.Nodes {
			book.config(proxyKey{name: name})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/node")
}
