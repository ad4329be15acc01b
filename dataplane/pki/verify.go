package pki

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"
)

// Trust tells which authorities to believe, as of now: an Authority, or files.
type Trust interface {
	Roots() (*x509.CertPool, error)
}

// Peer is who is accepted on the other side.
type Peer struct {
	Trust Trust
	// Names are accepted exactly, as DNS names or URIs; none accepts every name that the trusted authorities vouch for.
	Names []string
	// Hashes are SHA-256 sums of accepted certificates (DER); none accepts every one.
	Hashes [][sha256.Size]byte
}

// Verify holds a peer's chain, the leaf first, to what is accepted at a time.
// usage is the peer's role. A refusal is a *VerifyError; any other error says
// that the trust could not be read.
func (p Peer) Verify(chain []*x509.Certificate, usage x509.ExtKeyUsage, now time.Time) error {
	if len(chain) == 0 {
		return refuse(NoCertificate, "no certificate was sent")
	}
	roots, err := p.Trust.Roots()
	if err != nil {
		return err
	}
	options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{usage}, CurrentTime: now}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	leaf := chain[0]
	if _, err := leaf.Verify(options); err != nil {
		return untrusted(leaf, options, err)
	}
	if len(p.Names) > 0 && !slices.ContainsFunc(namesOf(leaf), func(n string) bool { return slices.Contains(p.Names, n) }) {
		return refuse(WrongName, "the certificate is for %s, accepted is %s", strings.Join(namesOf(leaf), ", "), strings.Join(p.Names, ", "))
	}
	if len(p.Hashes) > 0 && !slices.Contains(p.Hashes, sha256.Sum256(leaf.Raw)) {
		return refuse(WrongHash, "the certificate of %s is none of those accepted", strings.Join(namesOf(leaf), ", "))
	}
	return nil
}

// untrusted tells a certificate at the wrong time from one that would be wrong
// at any time.
func untrusted(leaf *x509.Certificate, options x509.VerifyOptions, err error) error {
	e, ok := errors.AsType[x509.CertificateInvalidError](err)
	if !ok || e.Reason != x509.Expired {
		return refuse(WrongAuthority, "%v", err)
	}
	now := options.CurrentTime
	options.CurrentTime = leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)
	if _, err := leaf.Verify(options); err != nil {
		return refuse(WrongAuthority, "%v", err)
	}
	if now.Before(leaf.NotBefore) {
		return refuse(NotYetValid, "the certificate is valid from %s, now is %s", leaf.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return refuse(Expired, "the certificate, or that of its authority, was valid until %s, now is %s", e.Cert.NotAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
}

// namesOf are a certificate's subject alternative names, DNS names and URIs.
// The common name is none: nothing has been held to it for years (RFC 6125).
func namesOf(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	return names
}
