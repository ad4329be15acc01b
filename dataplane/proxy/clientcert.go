package proxy

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"strings"
)

// clientCert is the value of X-Forwarded-Client-Cert for a client that has
// shown a certificate, empty for any other: what Envoy's SANITIZE_SET writes
// with URI and DNS.
func clientCert(st *tls.ConnectionState) []byte {
	if st == nil || len(st.PeerCertificates) == 0 {
		return []byte{}
	}
	leaf := st.PeerCertificates[0]
	sum := sha256.Sum256(leaf.Raw)
	out := hex.AppendEncode([]byte("Hash="), sum[:])
	for _, s := range subjects(leaf) {
		out = append(append(out, ';'), s...)
	}
	return out
}

// subjects are the names of a certificate. One with what a header field cannot
// have is left out.
func subjects(c *x509.Certificate) (all []string) {
	add := func(key, name string) {
		for _, b := range []byte(name) {
			if b < ' ' || b >= 0x7f {
				return
			}
		}
		if strings.ContainsAny(name, `,;="\`) {
			name = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
		}
		all = append(all, key+"="+name)
	}
	for _, u := range c.URIs {
		add("URI", u.String())
	}
	for _, d := range c.DNSNames {
		add("DNS", d)
	}
	return all
}
