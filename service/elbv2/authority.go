package elbv2

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/kernel/store"
)

// authority is the engine's own certificate authority, which stands in for
// ACM until that is real: each certificate ARN gets a certificate for the
// load balancers that use it. Its key is kept, so that clients that trust it
// keep doing so.
type authority struct {
	Name string // "elb"
	Cert []byte // DER
	Key  []byte // SEC 1 DER
}

var authorities = store.NewTable("elbv2/authority", func(a authority) string { return a.Name })

// Authority is the PEM certificate of the authority that issues the
// certificates of HTTPS listeners, for clients to trust (curl --cacert).
func (s *Service) Authority() ([]byte, error) {
	a, err := s.authority()
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Cert}), nil
}

// authority reads or makes the authority.
func (s *Service) authority() (authority, error) {
	a, err := authorities.Get(s.store.Snapshot(), "elb")
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return a, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return a, err
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "Slipway load balancers"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.Name = "elb"
	if a.Cert, err = x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key); err != nil {
		return a, fmt.Errorf("make the certificate authority: %w", err)
	}
	if a.Key, err = x509.MarshalECPrivateKey(key); err != nil {
		return a, err
	}
	err = s.store.Update(func(tx *store.Tx) error {
		if old, err := authorities.Get(tx, "elb"); err == nil {
			a = old
			return nil
		}
		authorities.Put(tx, a)
		return nil
	})
	return a, err
}

// certificate is the certificate behind an ARN: that of Certificates, or one
// issued here for the given names.
func (s *Service) certificate(r store.Reader, id string, names []string) (tls.Certificate, error) {
	if s.cfg.Certificates != nil {
		if c, ok := s.cfg.Certificates.Certificate(r, id); ok {
			return c, nil
		}
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	key := fmt.Sprint(id, names)
	s.mu.Lock()
	c, ok := s.issued[key]
	s.mu.Unlock()
	if ok {
		return c, nil
	}
	a, err := s.authority()
	if err != nil {
		return c, err
	}
	if c, err = a.issue(names); err != nil {
		return c, fmt.Errorf("issue certificate %s: %w", id, err)
	}
	s.mu.Lock()
	s.issued[key] = c
	s.mu.Unlock()
	return c, nil
}

func (a authority) issue(names []string) (tls.Certificate, error) {
	ca, err := x509.ParseCertificate(a.Cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	caKey, err := x509.ParseECPrivateKey(a.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, ca, &key.PublicKey, caKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der, a.Cert}, PrivateKey: key, Leaf: leaf}, err
}
