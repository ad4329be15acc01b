package mesh

import (
	"crypto/x509"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/pki"
)

// leafOf is the certificate in a response that holds a task's own secret alone.
func leafOf(t *testing.T, c *client) *x509.Certificate {
	t.Helper()
	all := unpack[xdsapi.Secret](t, c.get(xdsapi.SecretType).GetResources())
	if len(all) != 1 || all[0].GetName() != ownSecret {
		t.Fatalf("%d secrets", len(all))
	}
	return parse(t, all[0])
}

// Certificates are renewed on the open stream while the one before is good for
// another third of its life, each task at a time of its own; a proxy that comes
// again gets the one that it had.
func TestCertificatesAreRenewedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const life = time.Hour
		w := newWorld(t, life)
		w.Put(shop(t, strict))
		w.task("aaa", "10.0.3.5")
		c := w.client("10.0.3.5", nodeARN("order"))
		c.ask(xdsapi.SecretType, ownSecret)
		last := leafOf(t, c)
		began := time.Now()
		if got := last.NotAfter.Sub(began).Round(time.Second); got != life {
			t.Errorf("lives %v", got)
		}
		for range 30 {
			c.ask(xdsapi.SecretType, ownSecret)
			next := leafOf(t, c)
			whole := last.NotAfter.Sub(last.NotBefore)
			if left := time.Until(last.NotAfter); left < whole/3-time.Second || left > whole/3+whole/10+2*time.Second {
				t.Fatalf("renewed %v before the end of %v", left, whole)
			}
			if next.SerialNumber.Cmp(last.SerialNumber) == 0 {
				t.Fatal("the same certificate again")
			}
			last = next
		}
		again := w.client("10.0.3.5", nodeARN("order"))
		again.ask(xdsapi.SecretType, ownSecret)
		if got := leafOf(t, again); !got.Equal(last) {
			t.Error("another certificate for the same task")
		}
	})
}

// Rotation by hand replaces the certificates of one task, or of all, at once.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		m := shop(t, strict)
		w.Put(m)
		w.task("aaa", "10.0.3.5")
		w.task("bbb", "10.0.3.7")
		order, payment := w.client("10.0.3.5", nodeARN("order")), w.client("10.0.3.7", nodeARN("payment"))
		serial := map[*client]string{}
		for _, c := range []*client{order, payment} {
			c.ask(xdsapi.SecretType, ownSecret)
			serial[c] = leafOf(t, c).SerialNumber.String()
			c.ask(xdsapi.SecretType, ownSecret)
		}
		synctest.Wait()
		began := time.Now()
		replaced := func(c *client) {
			t.Helper()
			next := leafOf(t, c).SerialNumber.String()
			if next == serial[c] {
				t.Error("the same certificate")
			}
			serial[c] = next
			c.ask(xdsapi.SecretType, ownSecret)
			synctest.Wait()
		}
		if n := w.Rotate(m.ARN, "aaa"); n != 1 {
			t.Errorf("%d certificates", n)
		}
		replaced(order)
		if n := w.Rotate(m.ARN, ""); n != 2 {
			t.Errorf("%d certificates", n)
		}
		replaced(order)
		replaced(payment)
		if n := w.Rotate(m.ARN, "nobody") + w.Rotate("nowhere", ""); n != 0 {
			t.Errorf("%d certificates of nobody", n)
		}
		if !time.Now().Equal(began) {
			t.Error("waited for the time of renewal")
		}
	})
}

// A node that comes to provide a virtual service is known by its name from then
// on: its tasks get certificates that say so.
func TestNewNamesMeanNewCertificates(t *testing.T) {
	w := newWorld(t, 0)
	m := shop(t, strict)
	w.Put(m)
	w.task("bbb", "10.0.3.7")
	c := w.client("10.0.3.7", nodeARN("payment"))
	c.ask(xdsapi.SecretType, ownSecret, trustSecret)
	pairs := unpack[xdsapi.Secret](t, c.get(xdsapi.SecretType).GetResources())
	c.ask(xdsapi.SecretType, ownSecret, trustSecret)
	next := shop(t, strict)
	next.Services["pay.example"] = next.Services["payment.dev.local"]
	w.Put(next)
	leaf := leafOf(t, c)
	var trust pki.Trust
	for _, s := range pairs {
		if v := s.GetValidationContext(); v != nil {
			var err error
			if trust, err = pki.ParseTrust(v.GetTrustedCa().GetInlineBytes()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"pay.example", "payment.dev.local"} {
		if err := (pki.Peer{Trust: trust, Names: []string{name}}).Verify([]*x509.Certificate{leaf}, x509.ExtKeyUsageServerAuth, time.Now()); err != nil {
			t.Error(err)
		}
	}
}

// A task whose application can reach the server as its proxy can gets no key of
// a node, but may know whom to trust; a gateway's task gets its key.
func TestKeysAreForProxiesAlone(t *testing.T) {
	w := newWorld(t, 0)
	m := shop(t, strict)
	m.Gateways = map[string]api.VirtualGatewaySpec{"in": {}}
	w.Put(m)
	w.task("aaa", "10.0.3.5")
	open := w.tasks["10.0.3.5"]
	open.Intercepted = false
	w.tasks["10.0.3.5"] = open
	for node, want := range map[string]int{"mesh/shop/virtualNode/order": 1, "mesh/shop/virtualGateway/in": 2} {
		c := w.client("10.0.3.5", node)
		c.ask(xdsapi.SecretType, ownSecret, trustSecret)
		all := unpack[xdsapi.Secret](t, c.get(xdsapi.SecretType).GetResources())
		if len(all) != want || all[len(all)-1].GetTlsCertificate() != nil && want == 1 {
			t.Errorf("%s: %d secrets", node, len(all))
		}
		c.ask(xdsapi.SecretType, ownSecret, trustSecret, "nonsense")
	}
	for strings.Count(w.logged(), "a proxy asks for a secret that it does not get") < 3 { // default, and nonsense twice
		runtime.Gosched()
	}
}

// A task may have a few streams, as when one ends late, but not any number.
func TestStreamsOfATaskAreCounted(t *testing.T) {
	w := newWorld(t, 0)
	w.Put(shop(t, strict))
	w.task("aaa", "10.0.3.5")
	for range mostStreams {
		c := w.client("10.0.3.5", nodeARN("order"))
		c.ask(xdsapi.ListenerType)
		c.get(xdsapi.ListenerType)
	}
	c := w.client("10.0.3.5", nodeARN("order"))
	c.ask(xdsapi.ListenerType)
	if _, err := c.stream.Receive(); connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("one more: %v", err)
	}
}
