package mesh

import (
	"strconv"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
)

// proxyless makes a listener for clients that have no proxy, such as gRPC's
// own: they ask for a virtual service by its name, with or without a port, and
// follow its routes themselves.
func (b *builder) proxyless(service string, port int32) {
	for _, name := range []string{service, service + ":" + strconv.Itoa(int(port))} {
		if b.named[name] != nil {
			continue // the first port is that of the name alone
		}
		b.named[name] = &xdsapi.Listener{Name: name, ApiListener: &xdsapi.ApiListener{ApiListener: xdsapi.Pack(b.manager("egress", port, api.PortProtocolHttp))}}
	}
}

// instances puts certificate providers of the client's bootstrap, named as the
// secrets are, in the place of secrets, for clients that know no SDS (gRPC
// proposal A29).
func instances(c *xdsapi.CommonTlsContext) {
	c.TlsParams, c.AlpnProtocols = nil, nil // not the control plane's to say
	if own := c.TlsCertificateSdsSecretConfigs; len(own) > 0 {
		c.TlsCertificateSdsSecretConfigs = nil
		c.TlsCertificateProviderInstance = &xdsapi.CertificateProviderPluginInstance{InstanceName: own[0].Name}
	}
	context, trust := &xdsapi.CertificateValidationContext{}, c.GetValidationContextSdsSecretConfig()
	if both := c.GetCombinedValidationContext(); both != nil {
		context, trust = both.DefaultValidationContext, both.ValidationContextSdsSecretConfig
	}
	for _, m := range context.MatchTypedSubjectAltNames { // gRPC looks at the older field alone, and would accept any name
		context.MatchSubjectAltNames = append(context.MatchSubjectAltNames, m.Matcher)
	}
	if trust != nil {
		context.CaCertificateProviderInstance = &xdsapi.CertificateProviderPluginInstance{InstanceName: trust.Name}
		c.ValidationContextType = &xdsapi.CommonTlsContext_ValidationContext{ValidationContext: context}
	}
}
