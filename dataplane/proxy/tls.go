package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"time"
)

const handshakeTimeout = 10 * time.Second

// config is the TLS configuration of a chain: that of the listener the server
// name belongs to, else of its first one.
func (ch *chain) config() *tls.Config {
	if ch.all[0].cfg.TLS == nil {
		return nil
	}
	for _, v := range ch.all {
		v.tls = v.config()
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			v := ch.names.find([]byte(h.ServerName))
			if v == nil {
				v = ch.all[0]
			}
			if c, ok := h.Context().Value(helloKey{}).(*conn); ok {
				c.hello = v
			}
			return v.tls, nil
		},
	}
}

// helloKey finds the connection a ClientHello came on.
type helloKey struct{}

func (v *virtual) config() *tls.Config {
	if c := v.cfg.TLS.Config; c != nil {
		c = c.Clone()
		c.DynamicRecordSizingDisabled = true // of peers that are near
		if c.NextProtos == nil {
			c.NextProtos = v.protocols()
		}
		return c
	}
	v.certs = nil
	for i := range v.cfg.TLS.Certificates {
		c := &v.cfg.TLS.Certificates[i]
		if c.Leaf == nil && len(c.Certificate) > 0 {
			c.Leaf, _ = x509.ParseCertificate(c.Certificate[0])
		}
		v.certs = append(v.certs, c)
	}
	c := &tls.Config{
		MinVersion:   max(v.cfg.TLS.MinVersion, tls.VersionTLS12),
		CipherSuites: v.cfg.TLS.CipherSuites,
		NextProtos:   v.protocols(),
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
	return c
}

// protocols are what is offered by ALPN; nothing is where TCP is carried.
func (v *virtual) protocols() []string {
	switch {
	case v.cfg.TCP != nil:
		return nil
	case v.cfg.Settings.HTTP2:
		return []string{"h2", "http/1.1"}
	}
	return []string{"http/1.1"}
}

// handshake ends TLS with the connection's chain and counts how that went.
func (c *conn) handshake() (*tls.Conn, bool) {
	tc := tls.Server(c.src.nc, c.chain.tls)
	ctx, cancel := context.WithTimeout(context.WithValue(c.srv.ctx, helloKey{}, c), handshakeTimeout)
	defer cancel()
	err := tc.HandshakeContext(ctx)
	v := c.hello
	if v == nil {
		v = c.chain.all[0]
	}
	st := tc.ConnectionState()
	v.meter.tls.count(err, len(st.PeerCertificates) == 0)
	if err != nil {
		v.owner.tlsErrors.Add(1)
		c.linger = true // the alert is to be read: closing with unread input would take it back
		return nil, false
	}
	c.tls, c.req.scheme = &st, "https"
	c.attach(tc)
	return tc, true
}
