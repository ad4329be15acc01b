package pki

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, name string, text []byte) string {
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// overwrite replaces a file by another, as those who rotate files do.
func overwrite(t *testing.T, path string, text []byte) {
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// Files are read again when they change, both or none: while key and
// certificate do not fit, the pair before stays.
func TestChangedFilesAreReadAgain(t *testing.T) {
	a := authority(t, "shop")
	pems := func() (Certificate, []byte, []byte) {
		c, err := a.Issue(task("order"), 0, start)
		if err != nil {
			t.Fatal(err)
		}
		chain, key, err := c.PEM()
		if err != nil {
			t.Fatal(err)
		}
		return c, chain, key
	}
	first, chain, key := pems()
	files := NewFiles(write(t, "chain.pem", chain), write(t, "key.pem", key))
	shows := func(c Certificate, when string) {
		t.Helper()
		got, err := files.Certificate()
		if err != nil || !got.Leaf.Equal(c.Leaf) {
			t.Errorf("%s: another certificate, %v", when, err)
		}
	}
	shows(first, "at first")
	shows(first, "unchanged")
	second, chain, key := pems()
	overwrite(t, files.chain, chain)
	shows(first, "between the two files")
	overwrite(t, files.key, key)
	shows(second, "when both are there")
	if err := os.Remove(files.key); err != nil {
		t.Fatal(err)
	}
	shows(second, "when the key is gone")
	third, chain, key := pems()
	overwrite(t, files.chain, chain)
	overwrite(t, files.key, key)
	shows(third, "when it is back")

	if _, err := NewFiles("/none", "/none").Certificate(); err == nil || !strings.Contains(err.Error(), "/none") {
		t.Errorf("%v", err)
	}
}

func TestTrustFileIsReadAgain(t *testing.T) {
	shop, other := authority(t, "shop"), authority(t, "other")
	trust := NewTrustFile(write(t, "ca.pem", shop.PEM()))
	accepts := func(a *Authority) bool {
		leaf := issued(t, a, "order").current.Load().Leaf
		return Peer{Trust: trust}.Verify([]*x509.Certificate{leaf}, x509.ExtKeyUsageClientAuth, start) == nil
	}
	if !accepts(shop) || accepts(other) {
		t.Error("trusts others than those in the file")
	}
	overwrite(t, trust.path, append(shop.PEM(), other.PEM()...))
	if !accepts(shop) || !accepts(other) {
		t.Error("does not trust both, as between the two authorities of a change")
	}
	overwrite(t, trust.path, []byte("nothing"))
	if !accepts(shop) {
		t.Error("a broken file took the trust away")
	}
	overwrite(t, trust.path, other.PEM())
	if accepts(shop) || !accepts(other) {
		t.Error("still trusts who is no longer in the file")
	}
	if _, err := NewTrustFile("/none").Roots(); err == nil {
		t.Error("trusts nothing, and says nothing")
	}
}
