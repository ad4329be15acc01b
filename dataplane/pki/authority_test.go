package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/kernel/seal"
)

// An authority outlives its process and rotations of the master key, its key
// is nowhere in the file, and another mesh of the same name has another.
func TestAuthoritiesAreKeptSealed(t *testing.T) {
	keys := keyring(t)
	c := Config{Dir: filepath.Join(t.TempDir(), "pki"), Keys: keys, ID: "uid-1", Mesh: "shop", Created: start}
	first, err := OpenAuthority(c)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenAuthority(c)
	if err != nil || !again.cert.Equal(first.cert) || !again.key.Equal(first.key) {
		t.Fatalf("another authority after a restart: %v", err)
	}
	before := contents(t, c)
	if secret, err := first.key.Bytes(); err != nil || bytes.Contains(before, secret) {
		t.Errorf("the key can be read: %v", err)
	}
	if info, err := os.Stat(c.path()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := keys.Rotate(); err != nil {
		t.Fatal(err)
	}
	if again, err := OpenAuthority(c); err != nil || !again.key.Equal(first.key) {
		t.Fatalf("lost with the rotation: %v", err)
	}
	if after := contents(t, c); keys.Stale(after) || bytes.Equal(before, after) {
		t.Error("not sealed again under the new master key")
	}
	second := c
	second.ID = "uid-2"
	if other, err := OpenAuthority(second); err != nil || other.key.Equal(first.key) {
		t.Errorf("a mesh made anew has the old authority: %v", err)
	}
	if err := os.Rename(c.path(), second.path()); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(second); !errors.Is(err, seal.ErrForged) {
		t.Errorf("the file of another mesh was taken: %v", err)
	}
	for range 2 {
		if err := RemoveAuthority(c.Dir, second.ID); err != nil {
			t.Error(err)
		}
	}
}

func contents(t *testing.T, c Config) []byte {
	b, err := os.ReadFile(c.path())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What a crash leaves half written beside the file is no authority.
func TestHalfWrittenFilesMeanNothing(t *testing.T) {
	c := Config{Dir: t.TempDir(), Keys: keyring(t), ID: "uid", Mesh: "shop", Created: start}
	if err := os.WriteFile(c.path()+".new-123", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(c); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(c.path(), contents(t, c)[:50], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(c); !errors.Is(err, seal.ErrFormat) {
		t.Errorf("a damaged file is told of, not written over: %v", err)
	}
}

func TestIssuedCertificates(t *testing.T) {
	a := authority(t, "shop")
	c, err := a.Issue(task("order"), 0, start)
	if err != nil {
		t.Fatal(err)
	}
	l := c.Leaf
	if l.IsCA || l.URIs[0].String() != "spiffe://shop/ns/dev.local/svc/order/task/0a1b" || l.DNSNames[0] != "order.dev.local" || l.NotAfter.Sub(start) != DefaultLife || start.Sub(l.NotBefore) != Backdate {
		t.Errorf("%v %v %v %v", l.URIs, l.DNSNames, l.NotBefore, l.NotAfter)
	}
	chain, key, err := c.PEM()
	if err != nil {
		t.Fatal(err)
	}
	files := NewFiles(write(t, "c", chain), write(t, "k", key))
	pair, err := files.Certificate()
	if err != nil || !pair.Leaf.Equal(l) {
		t.Fatalf("the PEM is not the certificate: %v", err)
	}
	trust, err := ParseTrust(a.PEM())
	if err != nil {
		t.Fatal(err)
	}
	if err := (Peer{Trust: trust, Names: []string{"order.dev.local"}}).Verify([]*x509.Certificate{l}, x509.ExtKeyUsageClientAuth, start); err != nil {
		t.Error(err)
	}
	if late, err := a.Issue(task("order"), 20*authorityLife, start); err != nil || late.Leaf.NotAfter.After(a.cert.NotAfter) {
		t.Errorf("%v outlives its authority: %v", late.Leaf.NotAfter, err)
	}
	for _, odd := range []Identity{{}, {Namespace: "a/b", Service: "s", Task: "t"}, {Namespace: "a", Service: "..", Task: "t"}, {Namespace: "a", Service: "s", Task: "t?"}} {
		if _, err := a.Issue(odd, 0, start); err == nil {
			t.Errorf("%+v became an identity", odd)
		}
	}
	if b, _ := pem.Decode(a.PEM()); b == nil || !bytes.Equal(b.Bytes, a.cert.Raw) {
		t.Error("the authority's PEM is not its certificate")
	}
}

// Whoever is issued a certificate is accepted by exactly its names for exactly
// its time, and is renewed while there is a good part of it left.
func TestIssuedCertificatesHold(t *testing.T) {
	a := authority(t, "shop")
	part := rapid.StringMatching(`[a-z][a-z0-9-]{0,10}`)
	rapid.Check(t, func(r *rapid.T) {
		id := Identity{Namespace: part.Draw(r, "namespace"), Service: part.Draw(r, "service"), Task: part.Draw(r, "task"), DNS: []string{part.Draw(r, "dns") + ".local"}}
		life := time.Duration(rapid.Int64Range(int64(time.Minute), int64(48*time.Hour)).Draw(r, "life")).Truncate(time.Second)
		c, err := a.Issue(id, life, start)
		if err != nil {
			r.Fatal(err)
		}
		chain := []*x509.Certificate{c.Leaf}
		at := func(names []string, now time.Time) Failure {
			return failure(Peer{Trust: a, Names: names}.Verify(chain, x509.ExtKeyUsageServerAuth, now))
		}
		now := start.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(50*time.Hour)).Draw(r, "now")).Truncate(time.Second))
		want := Failure("")
		if now.Before(start.Add(-Backdate)) {
			want = NotYetValid
		} else if now.After(start.Add(life)) {
			want = Expired
		}
		uri, _ := id.URI("shop")
		for _, name := range []string{id.DNS[0], uri.String()} {
			if got := at([]string{"x", name}, now); got != want {
				r.Fatalf("%s at %v: %q, want %q", name, now, got, want)
			}
		}
		if got := at([]string{id.DNS[0] + "x", id.Service}, start); got != WrongName {
			r.Fatalf("another name: %q", got)
		}
		renew := RenewAt(c.Leaf.NotBefore, c.Leaf.NotAfter, rapid.Float64().Draw(r, "jitter"))
		whole := life + Backdate
		if left := start.Add(life).Sub(renew); left < whole/3 || left > whole/3+whole/10+time.Second {
			r.Fatalf("renewed %v before the end of %v", left, whole)
		}
	})
}

// Names that cannot be a trust domain are refused before anything is kept.
func TestTrustDomains(t *testing.T) {
	for mesh, good := range map[string]bool{"Shop_2": true, "a.b": true, "a..b": false, "a/b": false, "": false} {
		c := Config{Dir: t.TempDir(), Keys: keyring(t), ID: "uid", Mesh: mesh, Created: start}
		a, err := OpenAuthority(c)
		if (err == nil) != good {
			t.Errorf("%q: %v", mesh, err)
		}
		if _, kept := os.Stat(c.path()); (kept == nil) != good {
			t.Errorf("%q: kept %v", mesh, kept)
		}
		if !good {
			continue
		}
		if _, err := a.Issue(task("order"), 0, start); err != nil {
			t.Errorf("%q: %v", mesh, err)
		}
	}
}
