package proxy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy"
)

func certificate(t *testing.T, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestTLSAndHTTP2(t *testing.T) {
	w := newWorld(t)
	l := &w.cfg.Listeners[0]
	l.Port = 443
	l.TLS = &proxy.TLS{Certificates: []tls.Certificate{certificate(t, "one.test"), certificate(t, "two.test")}}
	l.Settings.HTTP2 = true
	w.targets(w.target(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "%s %s %s %s %s", r.Proto, r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-Port"), r.Host, b)
	}))
	for _, h2 := range []bool{false, true} {
		for _, name := range []string{"one.test", "two.test"} {
			tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: name}, ForceAttemptHTTP2: h2} //nolint:gosec // self-signed
			req, _ := http.NewRequestWithContext(t.Context(), "POST", "https://"+w.addr+"/", strings.NewReader("body"))
			req.Host = name
			resp, err := (&http.Client{Transport: tr, Timeout: 5 * time.Second}).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			tr.CloseIdleConnections()
			if string(b) != "HTTP/1.1 https 443 "+name+" body" || resp.ProtoMajor != map[bool]int{false: 1, true: 2}[h2] {
				t.Errorf("%s %q", resp.Proto, b)
			}
			if got := resp.TLS.PeerCertificates[0].DNSNames[0]; got != name {
				t.Errorf("asked for %s, got the certificate of %s", name, got)
			}
		}
	}
	eventually(t, func() bool { // the client has its answer before it is counted
		st := w.s.Groups()["g"]
		return st.Requests == 4 && st.Target[2] == 4 && st.Targets[0].Inflight == 0
	})
}

// gRPC: HTTP/2 to the target by prior knowledge, trailers carried through.
func TestGRPC(t *testing.T) {
	w := newWorld(t)
	l := &w.cfg.Listeners[0]
	l.TLS = &proxy.TLS{Certificates: []tls.Certificate{certificate(t, "one.test")}}
	l.Settings.HTTP2 = true
	w.cfg.Groups[0].Version = proxy.GRPC
	hs := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/grpc")
		rw.Header().Set("Trailer", "Grpc-Status")
		_, _ = io.Copy(rw, r.Body)
		rw.Header().Set("Grpc-Status", "0")
		rw.Header().Set("X-Proto", r.Proto)
	})}
	hs.Protocols.SetUnencryptedHTTP2(true)
	w.targets(serve(t, hs))
	call := func(method, kind string, h2 bool) (*http.Response, string) {
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: h2} //nolint:gosec // self-signed
		defer tr.CloseIdleConnections()
		req, _ := http.NewRequestWithContext(t.Context(), method, "https://"+w.addr+"/svc/Method", strings.NewReader("\x00\x00\x00\x00\x00"))
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Te", "trailers")
		resp, err := (&http.Client{Transport: tr, Timeout: 5 * time.Second}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp, string(b)
	}
	if resp, body := call("POST", "application/grpc", true); resp.StatusCode != 200 || body != "\x00\x00\x00\x00\x00" || resp.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("%d %q %v", resp.StatusCode, body, resp.Trailer)
	}
	if resp, _ := call("POST", "application/grpc", false); resp.StatusCode != 464 {
		t.Errorf("HTTP/1.1 client: %d", resp.StatusCode)
	}
	w.cfg.Groups[0].Version = proxy.HTTP1
	w.apply()
	if resp, _ := call("POST", "application/grpc", true); resp.StatusCode != 464 {
		t.Errorf("gRPC to an HTTP1 group: %d", resp.StatusCode)
	}
}
