package proxy

import (
	"crypto/tls"
	"crypto/x509"
)

// config is the TLS configuration of a socket: certificates by server name,
// those of the listener the name belongs to first, else its default one.
func (b *binding) config() *tls.Config {
	first := b.all[0].cfg.TLS
	if first == nil {
		return nil
	}
	for _, v := range b.all {
		v.certs = nil
		for i := range v.cfg.TLS.Certificates {
			c := &v.cfg.TLS.Certificates[i]
			if c.Leaf == nil && len(c.Certificate) > 0 {
				c.Leaf, _ = x509.ParseCertificate(c.Certificate[0])
			}
			v.certs = append(v.certs, c)
		}
		v.tls = v.config()
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			v := b.pick([]byte(h.ServerName))
			if v == nil {
				v = b.all[0]
			}
			return v.tls, nil
		},
	}
}

func (v *virtual) config() *tls.Config {
	c := &tls.Config{
		MinVersion:   max(v.cfg.TLS.MinVersion, tls.VersionTLS12),
		CipherSuites: v.cfg.TLS.CipherSuites,
		NextProtos:   []string{"http/1.1"},
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			for _, c := range v.certs {
				if c.Leaf != nil && h.ServerName != "" && c.Leaf.VerifyHostname(h.ServerName) == nil && h.SupportsCertificate(c) == nil {
					return c, nil
				}
			}
			return v.certs[0], nil
		},
	}
	if v.cfg.TLS.MinVersion != 0 {
		c.MinVersion = v.cfg.TLS.MinVersion
	}
	if v.cfg.Settings.HTTP2 {
		c.NextProtos = []string{"h2", "http/1.1"}
	}
	return c
}
