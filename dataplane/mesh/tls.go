package mesh

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
)

func encrypted(mode api.ListenerTlsMode) bool {
	return mode == api.ListenerTlsModeStrict || mode == api.ListenerTlsModePermissive
}

// peers are who connects to a listener.
type peers int

const (
	insiders  peers = iota // proxies of the mesh, which speak TLS 1.3
	outsiders              // clients of a gateway, which may not
)

// downstream is the server's side of a listener's TLS. There is no resumption:
// every connection proves who it is.
func downstream(t api.ListenerTls, protocol api.PortProtocol, who peers) *xdsapi.TransportSocket {
	common := &xdsapi.CommonTlsContext{TlsParams: tls13(), AlpnProtocols: accepted(protocol)}
	c := value(t.Certificate)
	switch {
	case c.File != nil:
		common.TlsCertificates = []*xdsapi.TlsCertificate{certificateFiles(*c.File)}
	case c.Sds != nil:
		common.TlsCertificateSdsSecretConfigs = []*xdsapi.SdsSecretConfig{secret(value(c.Sds.SecretName))}
	case c.Acm != nil: // there is no ACM here: the mesh's authority issues the certificate under its ARN
		common.TlsCertificateSdsSecretConfigs = []*xdsapi.SdsSecretConfig{secret(value(c.Acm.CertificateArn))}
	}
	if who == outsiders {
		common.TlsParams = &xdsapi.TlsParameters{TlsMinimumProtocolVersion: xdsapi.TlsParameters_TLSv1_2}
	}
	out := &xdsapi.DownstreamTlsContext{
		CommonTlsContext:      common,
		SessionTicketKeysType: &xdsapi.DownstreamTlsContext_DisableStatelessSessionResumption{DisableStatelessSessionResumption: true},
	}
	if v := t.Validation; v != nil {
		trust := value(v.Trust)
		validate(common, api.TlsValidationContextTrust{File: trust.File, Sds: trust.Sds}, v.SubjectAlternativeNames)
		out.RequireClientCertificate = wrapperspb.Bool(true)
	}
	return tlsSocket(out)
}

// upstream is the client's side of TLS to a listener; nil for plain text. A
// policy that is enforced on the port is followed whatever the listener does.
// Without one, the listener decides, and its certificate is believed if it is
// one of files or SDS (App Mesh user guide, Transport Layer Security, How App
// Mesh configures Envoys to negotiate TLS).
func upstream(policy *api.ClientPolicy, server api.Listener, sni string, by agent) *xdsapi.TransportSocket {
	m := value(server.PortMapping)
	common := &xdsapi.CommonTlsContext{TlsParams: tls13(), AlpnProtocols: offered(m.Protocol)}
	if t := enforced(policy, value(m.Port)); t != nil {
		switch c := value(t.Certificate); {
		case c.File != nil:
			common.TlsCertificates = []*xdsapi.TlsCertificate{certificateFiles(*c.File)}
		case c.Sds != nil:
			common.TlsCertificateSdsSecretConfigs = []*xdsapi.SdsSecretConfig{secret(value(c.Sds.SecretName))}
		}
		v := value(t.Validation)
		validate(common, value(v.Trust), v.SubjectAlternativeNames)
	} else if tls := value(server.Tls); !encrypted(tls.Mode) {
		return nil
	} else if value(tls.Certificate).Acm != nil {
		validate(common, api.TlsValidationContextTrust{Acm: &api.TlsValidationContextAcmTrust{}}, nil)
	}
	if by == grpcAgent {
		instances(common)
	}
	return tlsSocket(&xdsapi.UpstreamTlsContext{CommonTlsContext: common, Sni: sni})
}

// enforced is a client policy's TLS if it holds for a port: all ports when it
// names none.
func enforced(policy *api.ClientPolicy, port int32) *api.ClientPolicyTls {
	t := value(policy).Tls
	if t == nil || t.Enforce != nil && !*t.Enforce || len(t.Ports) > 0 && !slices.Contains(t.Ports, port) {
		return nil
	}
	return t
}

// validate says whom to trust, and under which names.
func validate(c *xdsapi.CommonTlsContext, trust api.TlsValidationContextTrust, names *api.SubjectAlternativeNames) {
	by := &xdsapi.CertificateValidationContext{}
	for _, n := range value(value(names).Match).Exact {
		kind := xdsapi.SubjectAltNameMatcher_DNS
		if strings.Contains(n, "://") {
			kind = xdsapi.SubjectAltNameMatcher_URI
		}
		by.MatchTypedSubjectAltNames = append(by.MatchTypedSubjectAltNames, &xdsapi.SubjectAltNameMatcher{SanType: kind, Matcher: exactly(n)})
	}
	name := trustSecret // of the mesh's authority, in place of ACM's
	switch {
	case trust.File != nil:
		by.TrustedCa = fileSource(value(trust.File.CertificateChain))
		c.ValidationContextType = &xdsapi.CommonTlsContext_ValidationContext{ValidationContext: by}
		return
	case trust.Sds != nil:
		name = value(trust.Sds.SecretName)
	}
	if len(by.MatchTypedSubjectAltNames) == 0 {
		c.ValidationContextType = &xdsapi.CommonTlsContext_ValidationContextSdsSecretConfig{ValidationContextSdsSecretConfig: secret(name)}
		return
	}
	c.ValidationContextType = &xdsapi.CommonTlsContext_CombinedValidationContext{CombinedValidationContext: &xdsapi.CommonTlsContext_CombinedCertificateValidationContext{
		DefaultValidationContext: by, ValidationContextSdsSecretConfig: secret(name),
	}}
}

func tls13() *xdsapi.TlsParameters {
	return &xdsapi.TlsParameters{TlsMinimumProtocolVersion: xdsapi.TlsParameters_TLSv1_3, TlsMaximumProtocolVersion: xdsapi.TlsParameters_TLSv1_3}
}

// accepted are the protocols that a listener agrees to by ALPN. Where the
// application speaks HTTP/1.1 its proxy takes HTTP/2 as well: many requests on
// one connection cost less.
func accepted(protocol api.PortProtocol) []string {
	if protocol == api.PortProtocolHttp {
		return []string{"h2", "http/1.1"}
	}
	return offered(protocol)
}

// offered are the protocols that a client asks for by ALPN. To a listener of
// HTTP it offers what its cluster can speak (see protocolOptions), but health
// checks, which are HTTP/1.1, offer nothing, so that nothing is said here.
func offered(protocol api.PortProtocol) []string {
	if overHTTP2(protocol) {
		return []string{"h2"}
	}
	return nil
}

func secret(name string) *xdsapi.SdsSecretConfig {
	return &xdsapi.SdsSecretConfig{Name: name, SdsConfig: ads()}
}

func certificateFiles(f api.ListenerTlsFileCertificate) *xdsapi.TlsCertificate {
	return &xdsapi.TlsCertificate{CertificateChain: fileSource(value(f.CertificateChain)), PrivateKey: fileSource(value(f.PrivateKey))}
}

func fileSource(path string) *xdsapi.DataSource {
	return &xdsapi.DataSource{Specifier: &xdsapi.DataSource_Filename{Filename: path}}
}

func tlsSocket(m proto.Message) *xdsapi.TransportSocket {
	return &xdsapi.TransportSocket{Name: xdsapi.TLSSocket, ConfigType: &xdsapi.TransportSocket_TypedConfig{TypedConfig: xdsapi.Pack(m)}}
}
