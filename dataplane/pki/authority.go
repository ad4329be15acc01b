package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/seal"
)

// authorityLife is how long an authority lives. Certificates end with it at
// the latest.
const authorityLife = 10 * 365 * 24 * time.Hour

// Config is what an authority needs.
type Config struct {
	Dir     string // holds one sealed file for each mesh
	Keys    *seal.Keyring
	ID      string // of the mesh: its ARN or uid. A mesh made anew under the same name is another
	Mesh    string // its name, the trust domain of SPIFFE IDs
	Created time.Time
}

// Authority is the certificate authority of one mesh. It may be used by many
// at once.
type Authority struct {
	mesh string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

// kept is what the sealed file says.
type kept struct {
	Mesh string // its name
	Cert []byte // DER
	Key  []byte // PKCS #8
}

// OpenAuthority reads a mesh's authority, and makes it the first time. A file
// sealed under an older master key is sealed again.
func OpenAuthority(c Config) (*Authority, error) {
	path, name := c.path(), "pki/authority/"+c.ID
	sealed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c.make(path, name)
	}
	if err != nil {
		return nil, fmt.Errorf("read the authority of mesh %s: %w", c.Mesh, err)
	}
	plain, err := c.Keys.Open(name, sealed)
	if err != nil {
		return nil, fmt.Errorf("open the authority of mesh %s in %s: %w", c.Mesh, path, err)
	}
	a, err := parseAuthority(plain)
	if err != nil {
		return nil, fmt.Errorf("read the authority of mesh %s in %s: %w", c.Mesh, path, err)
	}
	if c.Keys.Stale(sealed) {
		if err := seal.Replace(path, c.Keys.Seal(name, plain)); err != nil {
			return nil, fmt.Errorf("seal the authority of mesh %s again: %w", c.Mesh, err)
		}
	}
	return a, nil
}

// RemoveAuthority forgets a mesh's authority; one that is gone is no error.
func RemoveAuthority(dir, id string) error {
	err := os.Remove(Config{Dir: dir, ID: id}.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// path is the authority's file: ids have characters that names of files have not.
func (c Config) path() string {
	sum := sha256.Sum256([]byte(c.ID))
	return filepath.Join(c.Dir, hex.EncodeToString(sum[:16])+".authority")
}

// make makes an authority and keeps it before anybody can use it.
func (c Config) make(path, name string) (*Authority, error) {
	if !partForm.MatchString(c.Mesh) {
		return nil, fmt.Errorf("mesh %q cannot be a trust domain: it may have letters, digits, dots, hyphens and underscores only", c.Mesh)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "mesh " + c.Mesh, Organization: []string{"Slipway"}},
		NotBefore: c.Created.Add(-Backdate), NotAfter: c.Created.Add(authorityLife), URIs: []*url.URL{{Scheme: "spiffe", Host: strings.ToLower(c.Mesh)}},
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the authority of mesh %s: %w", c.Mesh, err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(kept{c.Mesh, der, pkcs8})
	if err != nil {
		return nil, err
	}
	a, err := parseAuthority(plain)
	if err != nil {
		return nil, fmt.Errorf("make the authority of mesh %s: %w", c.Mesh, err)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := seal.Replace(path, c.Keys.Seal(name, plain)); err != nil {
		return nil, fmt.Errorf("keep the authority of mesh %s: %w", c.Mesh, err)
	}
	return a, nil
}

func parseAuthority(plain []byte) (*Authority, error) {
	var k kept
	if err := json.Unmarshal(plain, &k); err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(k.Cert)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(k.Key)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("the key is not that of the certificate")
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &Authority{k.Mesh, cert, key, pool}, nil
}

// Roots is what the mesh trusts: the authority alone.
func (a *Authority) Roots() (*x509.CertPool, error) { return a.pool, nil }

// PEM is the authority's certificate, as SDS delivers it.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// Issue makes a certificate with a new key. life 0 is DefaultLife; it counts
// from now, and ends with the authority's at the latest.
func (a *Authority) Issue(id Identity, life time.Duration, now time.Time) (Certificate, error) {
	if life <= 0 {
		life = DefaultLife
	}
	uri, err := id.URI(a.mesh)
	if err != nil {
		return Certificate{}, err
	}
	serial, err := serialNumber()
	if err != nil {
		return Certificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Certificate{}, err
	}
	until := now.Add(life)
	if until.After(a.cert.NotAfter) {
		until = a.cert.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber: serial, NotBefore: now.Add(-Backdate), NotAfter: until, URIs: []*url.URL{uri}, DNSNames: id.DNS,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return Certificate{}, fmt.Errorf("issue a certificate for %s: %w", uri, err)
	}
	leaf, err := x509.ParseCertificate(der)
	return Certificate{leaf, key}, err
}

// serialNumber draws 127 bits, which RFC 5280 (4.1.2.2) has room for.
func serialNumber() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	return n.Add(n, big.NewInt(1)), nil
}

// KeepAuthorities forgets the authorities in a directory that are not of the
// meshes given, by their ids: those whose mesh went while nobody looked.
func KeepAuthorities(dir string, ids []string) error {
	keep := map[string]bool{}
	for _, id := range ids {
		keep[Config{Dir: dir, ID: id}.path()] = true
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.authority"))
	if err != nil {
		return err
	}
	for _, path := range found {
		if keep[path] {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget the authority of a mesh that is gone: %w", err)
		}
	}
	return nil
}
