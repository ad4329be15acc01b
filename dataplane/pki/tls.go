package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"sync/atomic"
	"time"
)

// Source has the certificate to show, as of now: a Slot that is filled by
// rotation, or Files. It is asked at every handshake, so a new certificate
// needs neither a new connection nor a restart.
type Source interface {
	Certificate() (*tls.Certificate, error)
}

// Slot holds the certificate that rotation put there last.
type Slot struct {
	current atomic.Pointer[tls.Certificate]
}

var errEmpty = errors.New("no certificate has been issued yet")

// Put makes a certificate the present one. Connections that are open keep
// theirs.
func (s *Slot) Put(c *tls.Certificate) { s.current.Store(c) }

// Certificate is the present one.
func (s *Slot) Certificate() (*tls.Certificate, error) {
	if c := s.current.Load(); c != nil {
		return c, nil
	}
	return nil, errEmpty
}

// Side is one side of connections.
type Side struct {
	Source Source // nil: a client that shows no certificate
	// Peer is who is accepted. nil is for App Mesh's servers without validation, which ask for no certificate, and its
	// clients without a policy, which believe any server.
	Peer *Peer
	// Optional lets a client without a certificate in; one that it shows is held to Peer all the same.
	Optional bool
	Next     []string         // ALPN protocols
	Time     func() time.Time // nil: time.Now
}

func (s Side) now() time.Time {
	if s.Time != nil {
		return s.Time()
	}
	return time.Now()
}

// base is what both sides have in common. There are no tickets: every
// connection proves both identities anew.
func (s Side) base() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: s.Next, Time: s.Time, SessionTicketsDisabled: true}
}

// Server is the configuration of a listener. With a Peer a client is refused
// by VerifyError after its certificate, or its absence, was seen.
func (s Side) Server() *tls.Config {
	c := s.base()
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.Source.Certificate() }
	if s.Peer != nil {
		c.ClientAuth = tls.RequestClientCert // what is missing or wrong is found, and named, below
		c.VerifyConnection = func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 && s.Optional {
				return nil
			}
			return s.Peer.Verify(state.PeerCertificates, x509.ExtKeyUsageClientAuth, s.now())
		}
	}
	return c
}

// Client is the configuration of connections to a server by a name, which is
// told to the server; who is accepted is the Peer's to say.
//
// In TLS 1.3 a client's handshake ends before the server has looked at its
// certificate: a refusal is seen at the first read.
func (s Side) Client(name string) *tls.Config {
	c := s.base()
	c.ServerName = name
	c.InsecureSkipVerify = true // names are exact, not host names: VerifyConnection holds the server to them
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if s.Source == nil {
			return new(tls.Certificate), nil
		}
		return s.Source.Certificate()
	}
	if s.Peer != nil {
		c.VerifyConnection = func(state tls.ConnectionState) error {
			return s.Peer.Verify(state.PeerCertificates, x509.ExtKeyUsageServerAuth, s.now())
		}
	}
	return c
}
