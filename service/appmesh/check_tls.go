package appmesh

import api "github.com/slipway-dev/slipway/api/appmeshapi"

// server checks a listener's TLS: a certificate of one source, and clients'
// certificates held against one (API reference, ListenerTls).
func (c *checker) server(path string, t *api.ListenerTls) {
	if t == nil {
		return
	}
	from := t.Certificate
	c.exactly(path+".certificate", choices{"acm": from.Acm != nil, "file": from.File != nil, "sds": from.Sds != nil})
	if v := t.Validation; v != nil {
		c.exactly(path+".validation.trust", choices{"file": v.Trust.File != nil, "sds": v.Trust.Sds != nil})
		c.names(path+".validation", v.SubjectAlternativeNames)
	}
}

// client checks how a node or gateway speaks TLS to a backend: its own
// certificate is never one of ACM (API reference, ClientTlsCertificate).
func (c *checker) client(path string, p *api.ClientPolicy) {
	if p == nil || p.Tls == nil {
		return
	}
	path += ".tls"
	if from := p.Tls.Certificate; from != nil {
		c.exactly(path+".certificate", choices{"file": from.File != nil, "sds": from.Sds != nil})
	}
	v := p.Tls.Validation
	c.exactly(path+".validation.trust", choices{"acm": v.Trust.Acm != nil, "file": v.Trust.File != nil, "sds": v.Trust.Sds != nil})
	c.names(path+".validation", v.SubjectAlternativeNames)
	for i, port := range p.Tls.Ports {
		if port < 1 || port > 65535 {
			c.refuse(at(path+".ports", i), "must be between 1 and 65535")
		}
	}
}

func (c *checker) names(path string, n *api.SubjectAlternativeNames) {
	if n != nil && len(n.Match.Exact) == 0 {
		c.refuse(path+".subjectAlternativeNames.match.exact", "must have at least one name")
	}
}
