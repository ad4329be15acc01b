package mesh

import (
	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
)

// gatewayTLS is a gateway's TLS as a node's: its shapes are the same under
// other names.
func gatewayTLS(t *api.VirtualGatewayListenerTls) api.ListenerTls {
	if t == nil {
		return api.ListenerTls{}
	}
	out := api.ListenerTls{Mode: api.ListenerTlsMode(t.Mode)}
	if c := t.Certificate; c != nil {
		out.Certificate = &api.ListenerTlsCertificate{
			Acm: (*api.ListenerTlsAcmCertificate)(c.Acm), File: (*api.ListenerTlsFileCertificate)(c.File), Sds: (*api.ListenerTlsSdsCertificate)(c.Sds),
		}
	}
	if v := t.Validation; v != nil {
		trust := value(v.Trust)
		out.Validation = &api.ListenerTlsValidationContext{SubjectAlternativeNames: v.SubjectAlternativeNames, Trust: &api.ListenerTlsValidationContextTrust{
			File: (*api.TlsValidationContextFileTrust)(trust.File), Sds: (*api.TlsValidationContextSdsTrust)(trust.Sds),
		}}
	}
	return out
}

func gatewayPolicy(p *api.VirtualGatewayClientPolicy) *api.ClientPolicy {
	if p == nil || p.Tls == nil {
		return nil
	}
	out := &api.ClientPolicyTls{Enforce: p.Tls.Enforce, Ports: p.Tls.Ports}
	if c := p.Tls.Certificate; c != nil {
		out.Certificate = &api.ClientTlsCertificate{File: (*api.ListenerTlsFileCertificate)(c.File), Sds: (*api.ListenerTlsSdsCertificate)(c.Sds)}
	}
	if v := p.Tls.Validation; v != nil {
		trust := value(v.Trust)
		out.Validation = &api.TlsValidationContext{SubjectAlternativeNames: v.SubjectAlternativeNames, Trust: &api.TlsValidationContextTrust{
			Acm: (*api.TlsValidationContextAcmTrust)(trust.Acm), File: (*api.TlsValidationContextFileTrust)(trust.File), Sds: (*api.TlsValidationContextSdsTrust)(trust.Sds),
		}}
	}
	return &api.ClientPolicy{Tls: out}
}

func gatewayLogging(l *api.VirtualGatewayLogging) *api.Logging {
	if l == nil || l.AccessLog == nil {
		return nil
	}
	return &api.Logging{AccessLog: &api.AccessLog{File: (*api.FileAccessLog)(l.AccessLog.File)}}
}

func gatewayPool(p *api.VirtualGatewayConnectionPool) *xdsapi.CircuitBreakers_Thresholds {
	if p == nil {
		return unlimited()
	}
	return poolOf(&api.VirtualNodeConnectionPool{
		Http: (*api.VirtualNodeHttpConnectionPool)(p.Http), Http2: (*api.VirtualNodeHttp2ConnectionPool)(p.Http2), Grpc: (*api.VirtualNodeGrpcConnectionPool)(p.Grpc),
	})
}
