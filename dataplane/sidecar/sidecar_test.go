package sidecar

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/pki"
	"github.com/slipway-dev/slipway/kernel/seal"
)

// mesh is two sidecars, one before an application and one behind a caller,
// each with a control plane of its own, and an authority for both.
type mesh struct {
	t              *testing.T
	authority      *pki.Authority
	caller, callee *plane
	client, server *Sidecar
	enter, between string // the caller's plain address, the callee's with TLS
}

func newAuthority(t *testing.T, id string) *pki.Authority {
	t.Helper()
	keys, err := seal.OpenKeyring(t.TempDir() + "/keys")
	if err != nil {
		t.Fatal(err)
	}
	a, err := pki.OpenAuthority(pki.Config{Dir: t.TempDir(), Keys: keys, ID: id, Mesh: "m", Created: time.Now().Add(-48 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func address(at string) *xdsapi.Address {
	host, port, _ := net.SplitHostPort(at)
	n, _ := strconv.Atoi(port)
	return &xdsapi.Address{Address: &xdsapi.Address_SocketAddress{SocketAddress: &xdsapi.SocketAddress{
		Address: host, PortSpecifier: &xdsapi.SocketAddress_PortValue{PortValue: uint32(n)},
	}}}
}

func endpoints(cluster string, at ...string) *xdsapi.ClusterLoadAssignment {
	where := &xdsapi.LocalityLbEndpoints{}
	for _, a := range at {
		where.LbEndpoints = append(where.LbEndpoints, &xdsapi.LbEndpoint{HostIdentifier: &xdsapi.LbEndpoint_Endpoint{Endpoint: &xdsapi.Endpoint{Address: address(a)}}})
	}
	return &xdsapi.ClusterLoadAssignment{ClusterName: cluster, Endpoints: []*xdsapi.LocalityLbEndpoints{where}}
}

func sds(name string) *xdsapi.SdsSecretConfig { return &xdsapi.SdsSecretConfig{Name: name} }

// context is mutual TLS by SDS with exact names.
func (m *mesh) context(names ...string) *xdsapi.CommonTlsContext {
	v := &xdsapi.CertificateValidationContext{}
	for _, n := range names {
		v.MatchTypedSubjectAltNames = append(v.MatchTypedSubjectAltNames, &xdsapi.SubjectAltNameMatcher{
			SanType: xdsapi.SubjectAltNameMatcher_DNS, Matcher: &xdsapi.StringMatcher{MatchPattern: &xdsapi.StringMatcher_Exact{Exact: n}},
		})
	}
	return &xdsapi.CommonTlsContext{
		TlsCertificateSdsSecretConfigs: []*xdsapi.SdsSecretConfig{sds("default")},
		ValidationContextType: &xdsapi.CommonTlsContext_CombinedValidationContext{CombinedValidationContext: &xdsapi.CommonTlsContext_CombinedCertificateValidationContext{
			DefaultValidationContext: v, ValidationContextSdsSecretConfig: sds("ROOTCA"),
		}},
	}
}

func filters(routes string) []*xdsapi.Filter {
	return []*xdsapi.Filter{{Name: xdsapi.ManagerFilter, ConfigType: &xdsapi.Filter_TypedConfig{TypedConfig: xdsapi.Pack(&xdsapi.HttpConnectionManager{
		StatPrefix: "x", RouteSpecifier: &xdsapi.HttpConnectionManager_Rds{Rds: &xdsapi.Rds{RouteConfigName: routes}},
	})}}}
}

func routes(name, cluster string) *xdsapi.RouteConfiguration {
	return &xdsapi.RouteConfiguration{Name: name, VirtualHosts: []*xdsapi.VirtualHost{{Name: "all", Domains: []string{"*"}, Routes: []*xdsapi.Route{{
		Match:  &xdsapi.RouteMatch{PathSpecifier: &xdsapi.RouteMatch_Prefix{Prefix: "/"}},
		Action: &xdsapi.Route_Route{Route: &xdsapi.RouteAction{ClusterSpecifier: &xdsapi.RouteAction_Cluster{Cluster: cluster}}},
	}}}}}
}

func secrets(t *testing.T, a *pki.Authority, name string, life time.Duration, now time.Time) map[string]proto.Message {
	t.Helper()
	c, err := a.Issue(pki.Identity{Namespace: "dev.local", Service: name, Task: rand.Text(), DNS: []string{name + ".dev.local"}}, life, now)
	if err != nil {
		t.Fatal(err)
	}
	chain, key, err := c.PEM()
	if err != nil {
		t.Fatal(err)
	}
	inline := func(b []byte) *xdsapi.DataSource {
		return &xdsapi.DataSource{Specifier: &xdsapi.DataSource_InlineBytes{InlineBytes: b}}
	}
	return map[string]proto.Message{
		"default": &xdsapi.Secret{Name: "default", Type: &xdsapi.Secret_TlsCertificate{TlsCertificate: &xdsapi.TlsCertificate{CertificateChain: inline(chain), PrivateKey: inline(key)}}},
		"ROOTCA":  &xdsapi.Secret{Name: "ROOTCA", Type: &xdsapi.Secret_ValidationContext{ValidationContext: &xdsapi.CertificateValidationContext{TrustedCa: inline(a.PEM())}}},
	}
}

func newMesh(t *testing.T) *mesh {
	m := &mesh{t: t, authority: newAuthority(t, "one"), caller: newPlane(t), callee: newPlane(t), enter: freePort(t), between: freePort(t)}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("X-Forwarded-Client-Cert"))
	}))
	t.Cleanup(app.Close)

	// The callee: mutual TLS, only for the caller.
	down := &xdsapi.DownstreamTlsContext{CommonTlsContext: m.context("order.dev.local"), RequireClientCertificate: wrapperspb.Bool(true)}
	chain := &xdsapi.FilterChain{Filters: []*xdsapi.Filter{{Name: xdsapi.ManagerFilter, ConfigType: &xdsapi.Filter_TypedConfig{TypedConfig: xdsapi.Pack(&xdsapi.HttpConnectionManager{
		StatPrefix: "ingress", RouteSpecifier: &xdsapi.HttpConnectionManager_Rds{Rds: &xdsapi.Rds{RouteConfigName: "in"}},
		ForwardClientCertDetails: xdsapi.HttpConnectionManager_SANITIZE_SET,
	})}}}, TransportSocket: &xdsapi.TransportSocket{Name: xdsapi.TLSSocket, ConfigType: &xdsapi.TransportSocket_TypedConfig{TypedConfig: xdsapi.Pack(down)}}}
	m.callee.set(xdsapi.ListenerType, map[string]proto.Message{"lds_ingress": &xdsapi.Listener{Name: "lds_ingress", Address: address(m.between), FilterChains: []*xdsapi.FilterChain{chain}}})
	m.callee.set(xdsapi.RouteType, map[string]proto.Message{"in": routes("in", "app")})
	m.callee.set(xdsapi.ClusterType, map[string]proto.Message{"app": &xdsapi.Cluster{Name: "app", LoadAssignment: endpoints("app", app.Listener.Addr().String())}})

	// The caller: plain from its application, mutual TLS to the callee.
	m.caller.set(xdsapi.ListenerType, map[string]proto.Message{"lds_egress": &xdsapi.Listener{Name: "lds_egress", Address: address(m.enter), FilterChains: []*xdsapi.FilterChain{{Filters: filters("out")}}}})
	m.caller.set(xdsapi.RouteType, map[string]proto.Message{"out": routes("out", "payment")})
	m.caller.set(xdsapi.EndpointType, map[string]proto.Message{"payment": endpoints("payment", m.between)})
	m.call("payment.dev.local")
	m.client, m.server = start(t, m.caller), start(t, m.callee)
	return m
}

// call makes the caller hold the callee to a name.
func (m *mesh) call(name string) {
	up := &xdsapi.UpstreamTlsContext{CommonTlsContext: m.context(name)}
	m.caller.set(xdsapi.ClusterType, map[string]proto.Message{"payment": &xdsapi.Cluster{
		Name: "payment", ClusterDiscoveryType: &xdsapi.Cluster_Type{Type: xdsapi.Cluster_EDS},
		TransportSocket: &xdsapi.TransportSocket{Name: xdsapi.TLSSocket, ConfigType: &xdsapi.TransportSocket_TypedConfig{TypedConfig: xdsapi.Pack(up)}},
	}})
}

// identify gives both sides certificates.
func (m *mesh) identify() {
	m.caller.set(xdsapi.SecretType, secrets(m.t, m.authority, "order", 0, time.Now()))
	m.callee.set(xdsapi.SecretType, secrets(m.t, m.authority, "payment", 0, time.Now()))
}

func (m *mesh) get() (int, string) {
	resp, err := http.Get("http://" + m.enter + "/")
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// stat reads one figure as the admin port shows it.
func stat(t *testing.T, s *Sidecar, name string) int64 {
	t.Helper()
	w := httptest.NewRecorder()
	s.admin().ServeHTTP(w, httptest.NewRequest("GET", "/stats", nil))
	for lines := bufio.NewScanner(w.Body); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), name+": "); ok {
			n, _ := strconv.ParseInt(v, 10, 64)
			return n
		}
	}
	t.Fatalf("no figure %s", name)
	return 0
}

// TestTwoSidecarsSpeakMutualTLS is the thin path: nothing serves until all
// that is named has come; then a request goes through both sidecars, each
// proves who it is, and the application is told who called.
func TestTwoSidecarsSpeakMutualTLS(t *testing.T) {
	m := newMesh(t)
	eventually(t, "the callee waits for its secrets", func() bool {
		_, missing := m.server.Ready()
		return strings.Join(missing, " ") == "secret ROOTCA secret default"
	})
	if s := m.server.State(); s != "INITIALIZING" {
		t.Errorf("state %s", s)
	}
	m.identify()
	eventually(t, "both are live", func() bool { return m.client.State() == "LIVE" && m.server.State() == "LIVE" })
	code, who := m.get()
	if code != 200 || !strings.Contains(who, "DNS=order.dev.local") || !strings.Contains(who, "URI=spiffe://m/ns/dev.local/svc/order/task/") {
		t.Fatalf("got %d, caller %q", code, who)
	}
	listener := "listener." + strings.Replace(m.between, ":", "_", 1)
	if n := stat(t, m.server, listener+".ssl.handshake"); n != 1 {
		t.Errorf("%d handshakes counted by the callee", n)
	}
	if n := stat(t, m.client, "cluster.payment.ssl.handshake"); n != 1 {
		t.Errorf("%d handshakes counted by the caller", n)
	}
	eventually(t, "the request is counted, once its answer was passed on", func() bool {
		return stat(t, m.client, "cluster.payment.upstream_rq_2xx") == 1
	})
}

// TestWhoIsRefusedAndCounted tries the callee's port as strangers do.
func TestWhoIsRefusedAndCounted(t *testing.T) {
	m := newMesh(t)
	m.identify()
	eventually(t, "the callee is live", func() bool { return m.server.State() == "LIVE" })
	other := newAuthority(t, "two")
	issue := func(a *pki.Authority, name string, life time.Duration, now time.Time) []tls.Certificate {
		c, err := a.Issue(pki.Identity{Namespace: "dev.local", Service: name, Task: "t", DNS: []string{name + ".dev.local"}}, life, now)
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{*c.TLS()}
	}
	listener := "listener." + strings.Replace(m.between, ":", "_", 1)
	for _, c := range []struct {
		who     string
		show    []tls.Certificate
		counter string
	}{
		{"no certificate", nil, "ssl.fail_verify_no_cert"},
		{"a certificate of another authority", issue(other, "order", time.Hour, time.Now()), "ssl.fail_verify_error"},
		{"another service's certificate", issue(m.authority, "notification", time.Hour, time.Now()), "ssl.fail_verify_san"},
		{"yesterday's certificate", issue(m.authority, "order", time.Hour, time.Now().Add(-24*time.Hour)), "ssl.fail_verify_expired"},
	} {
		before := stat(t, m.server, listener+"."+c.counter)
		d := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, Certificates: c.show}}
		if nc, err := d.DialContext(t.Context(), "tcp", m.between); err == nil {
			fmt.Fprint(nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if n, err := nc.Read(make([]byte, 1)); err == nil {
				t.Errorf("%s: %d byte answered", c.who, n)
			}
			nc.Close()
		}
		eventually(t, c.who+" is counted as "+c.counter, func() bool { return stat(t, m.server, listener+"."+c.counter) == before+1 })
	}
	// Plain HTTP gets no answer at all.
	nc, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", m.between)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	fmt.Fprint(nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if text, _ := io.ReadAll(nc); strings.Contains(string(text), "200") {
		t.Errorf("plain HTTP was answered: %q", text)
	}
	// The caller refuses a callee of another name.
	m.call("notification.dev.local")
	eventually(t, "the caller refuses", func() bool { code, _ := m.get(); return code >= 500 })
	if n := stat(t, m.client, "cluster.payment.ssl.fail_verify_san"); n == 0 {
		t.Error("the caller counted no wrong name")
	}
}

// TestRotationsUnderLoadLoseNothing changes both certificates many times
// while requests run.
func TestRotationsUnderLoadLoseNothing(t *testing.T) {
	m := newMesh(t)
	m.identify()
	eventually(t, "both are live", func() bool { return m.client.State() == "LIVE" && m.server.State() == "LIVE" })
	ctx, stop := context.WithCancel(t.Context())
	type tally struct{ sent, failed int }
	done := make(chan tally)
	for range 4 {
		go func() {
			var n tally
			for ctx.Err() == nil && n.sent < 20000 {
				n.sent++
				if code, text := m.get(); code != 200 {
					n.failed++
					t.Logf("request: %d %s", code, text)
				}
			}
			done <- n
		}()
	}
	const rotations = 50
	for i := range rotations {
		m.identify()
		eventually(t, "the rotation has come", func() bool {
			return stat(t, m.client, "sds.rotations") == int64(i+1) && stat(t, m.server, "sds.rotations") == int64(i+1)
		})
	}
	stop()
	var sum tally
	for range 4 {
		n := <-done
		sum.sent, sum.failed = sum.sent+n.sent, sum.failed+n.failed
	}
	if sum.failed > 0 || sum.sent == 0 {
		t.Errorf("%d of %d requests failed in %d rotations", sum.failed, sum.sent, rotations)
	}
	t.Logf("%d requests in %d rotations", sum.sent, rotations)
}

// TestWithoutControlPlaneTrafficGoesOn takes the control plane away and
// brings it back: nothing is sent twice.
func TestWithoutControlPlaneTrafficGoesOn(t *testing.T) {
	m := newMesh(t)
	m.identify()
	eventually(t, "both are live", func() bool { return m.client.State() == "LIVE" && m.server.State() == "LIVE" })
	at := m.caller.addr()
	m.caller.stop()
	eventually(t, "the stream has ended", func() bool { return stat(t, m.client, "control_plane.connected_state") == 0 })
	if code, text := m.get(); code != 200 {
		t.Errorf("without control plane: %d %s", code, text)
	}
	accepted := stat(t, m.client, "cluster_manager.cds.update_success")
	m.caller.start(at)
	m.caller.set(xdsapi.EndpointType, map[string]proto.Message{"payment": endpoints("payment", m.between, freePort(t))})
	eventually(t, "the new endpoint has come", func() bool { return stat(t, m.client, "cluster.payment.membership_total") == 2 })
	if n := stat(t, m.client, "cluster_manager.cds.update_success"); n != accepted {
		t.Errorf("clusters were sent again: %d updates, %d before", n, accepted)
	}
	if code, text := m.get(); code != 200 {
		t.Errorf("with the control plane back: %d %s", code, text)
	}
}

// TestWhatCannotBeServedIsRefused sends nonsense: the reason goes back, what
// was served before stays.
func TestWhatCannotBeServedIsRefused(t *testing.T) {
	m := newMesh(t)
	m.identify()
	eventually(t, "both are live", func() bool { return m.client.State() == "LIVE" && m.server.State() == "LIVE" })
	for _, c := range []struct {
		what, want, typeURL string
		send                map[string]proto.Message
	}{
		{"a route without a cluster", "the route names no cluster", xdsapi.RouteType, map[string]proto.Message{"out": &xdsapi.RouteConfiguration{
			Name: "out", VirtualHosts: []*xdsapi.VirtualHost{{Name: "v", Domains: []string{"*"}, Routes: []*xdsapi.Route{{
				Match:  &xdsapi.RouteMatch{PathSpecifier: &xdsapi.RouteMatch_Prefix{Prefix: "/"}},
				Action: &xdsapi.Route_Route{Route: &xdsapi.RouteAction{}},
			}}}},
		}}},
		{"a secret that is none", "secret default", xdsapi.SecretType, map[string]proto.Message{"default": &xdsapi.Secret{Name: "default"}}},
		{"an endpoint without address", "no socket address", xdsapi.EndpointType, map[string]proto.Message{"payment": &xdsapi.ClusterLoadAssignment{
			Endpoints: []*xdsapi.LocalityLbEndpoints{{LbEndpoints: []*xdsapi.LbEndpoint{{}}}},
		}}},
	} {
		m.caller.set(c.typeURL, c.send)
		if nack := <-m.caller.nacks; !strings.Contains(nack, c.want) {
			t.Errorf("%s: refused with %q", c.what, nack)
		}
		if code, text := m.get(); code != 200 {
			t.Errorf("after %s: %d %s", c.what, code, text)
		}
	}
}
