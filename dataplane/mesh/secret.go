package mesh

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/pki"
)

// holder is a task as the holder of a certificate: one of each of its proxies.
type holder struct{ place, task string }

// issued is a certificate, and the secrets made of it.
type issued struct {
	cert    pki.Certificate
	to      names
	renew   time.Time
	secrets map[string]*resource // by the name that was asked for
}

// certificate is a task's certificate: the present one, or a new one when there
// is none, when it is time, or when the task is known by other names now.
func (b *book) certificate(to names, h holder) (*issued, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	have := b.issued[h]
	if b.gone {
		return have, errGone // nothing may make its authority anew
	}
	if have != nil && now.Before(have.renew) && same(have.to, to) {
		return have, nil
	}
	if err := b.openAuthority(); err != nil {
		return have, err
	}
	cert, err := b.authority.Issue(pki.Identity{Namespace: to.namespace, Service: to.service, Task: h.task, DNS: to.dns}, b.life, now)
	if err != nil {
		return have, err
	}
	for h, old := range b.issued { // of tasks that have gone
		if now.After(old.cert.Leaf.NotAfter) {
			delete(b.issued, h)
		}
	}
	next := &issued{cert: cert, to: to, secrets: map[string]*resource{}}
	next.renew = pki.RenewAt(cert.Leaf.NotBefore, cert.Leaf.NotAfter, rand.Float64())
	b.issued[h] = next
	return next, nil
}

var errGone = errors.New("the mesh is gone")

func same(a, b names) bool {
	return a.namespace == b.namespace && a.service == b.service && slices.Equal(a.dns, b.dns)
}

// openAuthority opens the mesh's authority when it is needed first.
func (b *book) openAuthority() (err error) {
	if b.authority == nil {
		b.authority, err = b.open(b.mesh)
	}
	return err
}

// secrets are what one task may have of SDS.
type secrets struct {
	book *book
	cert *issued // nil when none could be issued, or none was asked for
	err  error
}

// secrets issues a certificate if the client asks for secrets.
func (s *session) secrets(cfg *config) secrets {
	if s.types[xdsapi.SecretType] == nil {
		return secrets{}
	}
	if !s.place.gateway && !s.caller.Intercepted {
		return secrets{book: s.book}
	}
	cert, err := s.book.certificate(cfg.identity, holder{s.place.arn, s.caller.Task})
	if err != nil {
		s.server.cfg.Log.Error("issue a certificate", "mesh", s.book.name, "proxy", s.place.name, "task", s.caller.Task, "err", err)
	}
	return secrets{s.book, cert, err}
}

// get is a secret by name; nil if it is none of the mesh's. The task's own is
// "default", the ARN of a certificate of ACM, or a SPIFFE ID in the mesh; the
// authority is "ROOTCA" or the mesh's trust domain.
func (s secrets) get(name string) *resource {
	if s.book == nil {
		return nil
	}
	domain := "spiffe://" + strings.ToLower(s.book.name)
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	switch {
	case name == trustSecret || name == domain:
		return s.book.trust(name)
	case s.cert == nil:
		return nil
	case name == ownSecret || strings.HasPrefix(name, domain+"/") || strings.HasPrefix(name, "arn:aws:acm:"):
		return s.cert.secret(name)
	}
	return nil
}

// renew is when there will be another certificate.
func (s secrets) renew() time.Time {
	if s.cert == nil {
		return time.Time{}
	}
	if s.err != nil { // tried again
		return time.Now().Add(issueAgain)
	}
	return s.cert.renew
}

// issueAgain is how long after a failure a certificate is tried to be issued again.
const issueAgain = 10 * time.Second

func (i *issued) secret(name string) *resource {
	if r := i.secrets[name]; r != nil {
		return r
	}
	chain, key, err := i.cert.PEM()
	if err != nil {
		return nil // a key that was just made can be encoded
	}
	r := pack(name, &xdsapi.Secret{Name: name, Type: &xdsapi.Secret_TlsCertificate{TlsCertificate: &xdsapi.TlsCertificate{
		CertificateChain: inline(chain), PrivateKey: inline(key),
	}}})
	i.secrets[name] = r
	return r
}

// trust is the mesh's authority as a secret; nil when there is none.
func (b *book) trust(name string) *resource {
	if b.gone || b.openAuthority() != nil {
		return nil
	}
	return pack(name, &xdsapi.Secret{Name: name, Type: &xdsapi.Secret_ValidationContext{ValidationContext: &xdsapi.CertificateValidationContext{
		TrustedCa: inline(b.authority.PEM()),
	}}})
}

func inline(text []byte) *xdsapi.DataSource {
	return &xdsapi.DataSource{Specifier: &xdsapi.DataSource_InlineBytes{InlineBytes: text}}
}
