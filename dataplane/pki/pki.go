// Package pki gives the tasks of a mesh their identities, and holds others to
// theirs: a certificate authority for each mesh, short-lived X.509
// certificates, and TLS 1.3 in which both sides prove who they are.
//
// A mesh's authority signs for that mesh alone, and is all that the mesh
// trusts. Its key is sealed on disk (kernel/seal); the keys of tasks are never
// written. There are no revocation lists: who is not to be trusted any more
// gets no next certificate, and the present one ends within a day.
//
// Invariants: a peer is accepted by an exact name, never by a pattern or by
// whatever it called itself; whatever is refused has a Failure with counters
// of its own.
package pki

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Times of certificates.
const (
	DefaultLife = 24 * time.Hour // of a task's certificate
	// Backdate is how much earlier than issued a certificate is valid: clocks of peers may be that late.
	Backdate = 5 * time.Minute
)

// Identity is who a task is. All parts of a name are letters, digits, dots,
// hyphens and underscores.
type Identity struct {
	Namespace string   // of Cloud Map or DNS: "dev.local"
	Service   string   // virtual node: "order"
	Task      string   // id
	DNS       []string // names that peers may hold it to: "order.dev.local"
}

var partForm = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

// URI is the SPIFFE ID of the identity in a mesh:
// spiffe://<mesh>/ns/<namespace>/svc/<service>/task/<id>. The mesh is written
// small, as trust domains are (SPIFFE ID, section 2.1).
func (id Identity) URI(mesh string) (*url.URL, error) {
	for what, part := range map[string]string{"namespace": id.Namespace, "service": id.Service, "task": id.Task} {
		if !partForm.MatchString(part) || part == "." || part == ".." {
			return nil, fmt.Errorf("the %s %q of an identity cannot be a part of a SPIFFE ID: it may have letters, digits, dots, hyphens and underscores only", what, part)
		}
	}
	return &url.URL{Scheme: "spiffe", Host: strings.ToLower(mesh), Path: "/ns/" + id.Namespace + "/svc/" + id.Service + "/task/" + id.Task}, nil
}

// Certificate is an issued certificate with its key.
type Certificate struct {
	Leaf *x509.Certificate
	Key  *ecdsa.PrivateKey
}

// TLS is the certificate as crypto/tls takes it.
func (c Certificate) TLS() *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{c.Leaf.Raw}, PrivateKey: c.Key, Leaf: c.Leaf}
}

// PEM is certificate and key as SDS delivers them.
func (c Certificate) PEM() (chain, key []byte, err error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the key of %v: %w", c.Leaf.URIs, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Leaf.Raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// jitterPart is how much of a life renewals are spread over.
const jitterPart = 0.1

// RenewAt is when a certificate is to be renewed: when two thirds of its life
// are over, or up to a tenth of its life earlier. jitter is between 0 and 1,
// another for each task, so that tasks started at once do not renew at once;
// what is outside is taken for the nearer end.
func RenewAt(notBefore, notAfter time.Time, jitter float64) time.Time {
	life := notAfter.Sub(notBefore)
	if math.IsNaN(jitter) {
		jitter = 0
	}
	early := time.Duration(float64(life) * jitterPart * min(max(jitter, 0), 1))
	return notBefore.Add(life/3*2 - early)
}
