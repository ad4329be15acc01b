package sidecar

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/pki"
)

// vault holds the secrets that came, and the TLS configurations that look
// into it at each handshake: a new certificate needs no new configuration,
// and costs no connection.
type vault struct {
	mu      sync.Mutex
	slots   map[string]*pki.Slot
	trusts  map[string]*trust
	configs map[string]*tls.Config // by side and encoded context

	rotations atomic.Int64     // certificates that replaced another
	replaced  map[string]int64 // the same, by name
}

func newVault() *vault {
	return &vault{slots: map[string]*pki.Slot{}, trusts: map[string]*trust{}, configs: map[string]*tls.Config{}, replaced: map[string]int64{}}
}

// trust is the authorities that came last.
type trust struct{ now atomic.Pointer[pki.Trust] }

// Roots are the present authorities.
func (t *trust) Roots() (*x509.CertPool, error) {
	if p := t.now.Load(); p != nil {
		return (*p).Roots()
	}
	return nil, errors.New("the authorities to trust have not come yet")
}

var _ pki.Trust = (*trust)(nil)

// put takes a secret in.
func (v *vault) put(s *xdsapi.Secret) error {
	switch {
	case s.GetTlsCertificate() != nil:
		pair, err := keyPair(s.GetTlsCertificate())
		if err != nil {
			return fmt.Errorf("secret %s: %w", s.GetName(), err)
		}
		v.rotate(s.GetName(), pair)
	case s.GetValidationContext() != nil:
		authorities, err := pki.ParseTrust(content(s.GetValidationContext().GetTrustedCa()))
		if err != nil {
			return fmt.Errorf("secret %s: %w", s.GetName(), err)
		}
		v.trust(s.GetName()).now.Store(&authorities)
	default:
		return fmt.Errorf("secret %s is neither a certificate nor a validation context", s.GetName())
	}
	return nil
}

// rotate makes a pair the present one of a name.
func (v *vault) rotate(name string, pair *tls.Certificate) {
	slot := v.slot(name)
	if was, err := slot.Certificate(); err == nil && !bytes.Equal(was.Leaf.Raw, pair.Leaf.Raw) {
		v.rotations.Add(1)
		v.mu.Lock()
		v.replaced[name]++
		v.mu.Unlock()
	}
	slot.Put(pair)
}

// certificates are those in use, by name.
func (v *vault) certificates(now time.Time) (all []certificate) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(v.slots)) {
		if pair, err := v.slots[name].Certificate(); err == nil {
			all = append(all, described(name, pair.Leaf, v.replaced[name], now))
		}
	}
	return all
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

func keyPair(c *xdsapi.TlsCertificate) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(content(c.GetCertificateChain()), content(c.GetPrivateKey()))
	return &pair, err
}

func content(d *xdsapi.DataSource) []byte {
	if b := d.GetInlineBytes(); len(b) > 0 {
		return b
	}
	return []byte(d.GetInlineString())
}

func (v *vault) slot(name string) *pki.Slot {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.slots[name] == nil {
		v.slots[name] = &pki.Slot{}
	}
	return v.slots[name]
}

func (v *vault) trust(name string) *trust {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.trusts[name] == nil {
		v.trusts[name] = &trust{}
	}
	return v.trusts[name]
}

// server is the configuration of a listener, the same one for the same
// context.
func (v *vault) server(c *xdsapi.DownstreamTlsContext) (*tls.Config, error) {
	return v.once("server", c, func() (*tls.Config, error) {
		side, err := v.side(c.GetCommonTlsContext())
		if err != nil {
			return nil, err
		}
		if side.Source == nil {
			return nil, errors.New("a TLS listener needs a certificate")
		}
		side.Optional = !c.GetRequireClientCertificate().GetValue()
		return side.Server(), nil
	})
}

// client is the configuration of connections to a cluster.
func (v *vault) client(c *xdsapi.UpstreamTlsContext) (*tls.Config, error) {
	return v.once("client", c, func() (*tls.Config, error) {
		side, err := v.side(c.GetCommonTlsContext())
		if err != nil {
			return nil, err
		}
		return side.Client(c.GetSni()), nil
	})
}

func (v *vault) once(side string, m proto.Message, build func() (*tls.Config, error)) (*tls.Config, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	key := side + string(b)
	v.mu.Lock()
	c := v.configs[key]
	v.mu.Unlock()
	if c != nil {
		return c, nil
	}
	if c, err = build(); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.configs[key] = c
	return c, nil
}

// side reads what both kinds of contexts have in common.
func (v *vault) side(c *xdsapi.CommonTlsContext) (pki.Side, error) {
	side := pki.Side{Next: c.GetAlpnProtocols()}
	switch {
	case len(c.GetTlsCertificateSdsSecretConfigs()) > 0:
		side.Source = v.slot(c.GetTlsCertificateSdsSecretConfigs()[0].GetName())
	case len(c.GetTlsCertificates()) > 0:
		source, err := source(c.GetTlsCertificates()[0])
		if err != nil {
			return side, err
		}
		side.Source = source
	}
	validation, sds := c.GetValidationContext(), c.GetValidationContextSdsSecretConfig().GetName()
	if both := c.GetCombinedValidationContext(); both != nil {
		validation, sds = both.GetDefaultValidationContext(), both.GetValidationContextSdsSecretConfig().GetName()
	}
	if validation == nil && sds == "" {
		return side, nil
	}
	peer, err := accepted(validation)
	if err != nil {
		return side, err
	}
	switch ca := validation.GetTrustedCa(); {
	case sds != "":
		peer.Trust = v.trust(sds)
	case ca.GetFilename() != "":
		peer.Trust = pki.NewTrustFile(ca.GetFilename())
	default:
		if peer.Trust, err = pki.ParseTrust(content(ca)); err != nil {
			return side, fmt.Errorf("authorities to trust: %w", err)
		}
	}
	side.Peer = &peer
	return side, nil
}

// source is a certificate in files, or one that stands in the message.
func source(c *xdsapi.TlsCertificate) (pki.Source, error) {
	if f := c.GetCertificateChain().GetFilename(); f != "" {
		return pki.NewFiles(f, c.GetPrivateKey().GetFilename()), nil
	}
	pair, err := keyPair(c)
	if err != nil {
		return nil, err
	}
	slot := &pki.Slot{}
	slot.Put(pair)
	return slot, nil
}

// accepted reads who is accepted on the other side.
func accepted(c *xdsapi.CertificateValidationContext) (pki.Peer, error) {
	var p pki.Peer
	for _, m := range c.GetMatchTypedSubjectAltNames() {
		exact := m.GetMatcher().GetExact()
		if exact == "" {
			return p, errors.New("subject alternative names are matched exactly: a matcher has another pattern")
		}
		p.Names = append(p.Names, exact)
	}
	for _, h := range c.GetVerifyCertificateHash() {
		sum, err := hex.DecodeString(strings.ReplaceAll(h, ":", ""))
		if err != nil || len(sum) != sha256.Size {
			return p, fmt.Errorf("certificate hash %q is not a SHA-256 sum", h)
		}
		p.Hashes = append(p.Hashes, [sha256.Size]byte(sum))
	}
	return p, nil
}

// secretsOf are the names of the secrets that a context is made of.
func secretsOf(c *xdsapi.CommonTlsContext) (names []string) {
	for _, s := range c.GetTlsCertificateSdsSecretConfigs() {
		names = append(names, s.GetName())
	}
	for _, s := range []*xdsapi.SdsSecretConfig{c.GetValidationContextSdsSecretConfig(), c.GetCombinedValidationContext().GetValidationContextSdsSecretConfig()} {
		if s.GetName() != "" {
			names = append(names, s.GetName())
		}
	}
	return names
}
