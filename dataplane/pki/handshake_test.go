package pki

import (
	"crypto/sha256"
	"crypto/tls"
	"slices"
	"strings"
	"testing"
	"time"
)

// Each way of not being who one should be, over real handshakes: the side that
// looks refuses and says why, and the other gets no byte.
func TestWhoIsRefusedAndWhy(t *testing.T) {
	shop, other := authority(t, "shop"), authority(t, "other")
	order, payment := issued(t, shop, "order"), issued(t, shop, "payment")
	orderURI := "spiffe://shop/ns/dev.local/svc/order/task/0a1b"
	hash := sha256.Sum256(order.current.Load().Leaf.Raw)
	to := func(names ...string) *Peer { return &Peer{Trust: shop, Names: names} }
	good := Side{Source: payment, Peer: to("order.dev.local")}
	for _, c := range []struct {
		name           string
		client, server Side
		late           time.Duration // how long after issuing
		byServer       Failure
		byClient       Failure
	}{
		{name: "both known", client: Side{Source: order, Peer: to("payment.dev.local")}, server: good},
		{name: "by URI", client: Side{Source: order, Peer: to("payment.dev.local")}, server: Side{Source: payment, Peer: to(orderURI)}},
		{name: "by hash", client: Side{Source: order}, server: Side{Source: payment, Peer: &Peer{Trust: shop, Hashes: [][32]byte{hash}}}},
		{name: "any name", client: Side{Source: order, Peer: to()}, server: Side{Source: payment, Peer: to()}},
		{name: "no certificate", client: Side{Peer: to()}, server: good, byServer: NoCertificate},
		{name: "no certificate, and none needed", client: Side{Peer: to()}, server: Side{Source: payment, Peer: to(), Optional: true}},
		{name: "no certificate asked for", client: Side{}, server: Side{Source: payment}},
		{name: "optional, but wrong", client: Side{Source: issued(t, other, "order")}, server: Side{Source: payment, Peer: to(), Optional: true}, byServer: WrongAuthority},
		{name: "another authority's client", client: Side{Source: issued(t, other, "order")}, server: good, byServer: WrongAuthority},
		{name: "another authority's server", client: Side{Source: order, Peer: to("payment.dev.local")}, server: Side{Source: issued(t, other, "payment"), Peer: to()}, byClient: WrongAuthority},
		{name: "another authority of the same name", client: Side{Source: issued(t, authority(t, "shop"), "order")}, server: good, byServer: WrongAuthority},
		{name: "another service's client", client: Side{Source: issued(t, shop, "notification")}, server: good, byServer: WrongName},
		{name: "another service's server", client: Side{Source: order, Peer: to("notification.dev.local")}, server: good, byClient: WrongName},
		{name: "a name below", client: Side{Source: order}, server: Side{Source: payment, Peer: to("dev.local")}, byServer: WrongName},
		{name: "no pattern", client: Side{Source: order}, server: Side{Source: payment, Peer: to("*.dev.local")}, byServer: WrongName},
		{name: "another certificate", client: Side{Source: order}, server: Side{Source: payment, Peer: &Peer{Trust: shop, Hashes: [][32]byte{{1}}}}, byServer: WrongHash},
		{name: "at the last moment", late: DefaultLife, client: Side{Source: order}, server: good},
		{name: "expired", late: DefaultLife + time.Second, client: Side{Source: order}, server: good, byServer: Expired},
		{name: "expired server", late: DefaultLife + time.Second, client: Side{Source: order, Peer: to()}, server: Side{Source: payment}, byClient: Expired},
		{name: "expired, and of another authority", late: 48 * time.Hour, client: Side{Source: issued(t, other, "order")}, server: good, byServer: WrongAuthority},
		{name: "a clock that is late", late: -Backdate, client: Side{Source: order}, server: good},
		{name: "not yet valid", late: -Backdate - time.Second, client: Side{Source: order}, server: good, byServer: NotYetValid},
		{name: "long expired authority", late: 11 * 365 * 24 * time.Hour, client: Side{Source: order}, server: good, byServer: Expired},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := func() time.Time { return start.Add(c.late) }
			c.client.Time, c.server.Time = now, now
			clientErr, serverErr := handshake(t, c.client.Client("payment.dev.local"), c.server.Server())
			if failure(clientErr) != c.byClient || failure(serverErr) != c.byServer {
				t.Fatalf("client: %v\nserver: %v", clientErr, serverErr)
			}
			refused := c.byClient != "" || c.byServer != ""
			if (clientErr != nil) != refused || (serverErr != nil) != refused {
				t.Errorf("client: %v\nserver: %v", clientErr, serverErr)
			}
		})
	}
}

func TestOldVersionsAreRefused(t *testing.T) {
	shop := authority(t, "shop")
	server := Side{Source: issued(t, shop, "order"), Time: func() time.Time { return start }}
	client := Side{}.Client("order")
	client.MinVersion, client.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if clientErr, serverErr := handshake(t, client, server.Server()); clientErr == nil || serverErr == nil {
		t.Error("TLS 1.2 was spoken")
	}
}

// A new certificate is shown from the next handshake on, by the same
// configuration; a server without any says so.
func TestRotationNeedsNoNewConfiguration(t *testing.T) {
	shop := authority(t, "shop")
	slot := new(Slot)
	server := Side{Source: slot}.Server()
	seen := func() string {
		var serial string
		client := Side{}.Client("order")
		client.VerifyConnection = func(s tls.ConnectionState) error {
			serial = s.PeerCertificates[0].SerialNumber.String()
			return nil
		}
		_, err := handshake(t, client, server)
		if err != nil && !strings.Contains(err.Error(), errEmpty.Error()) {
			t.Fatal(err)
		}
		return serial
	}
	if seen() != "" {
		t.Error("there is no certificate to show")
	}
	var serials []string
	for range 3 {
		c, err := shop.Issue(task("order"), 0, start)
		if err != nil {
			t.Fatal(err)
		}
		slot.Put(c.TLS())
		serials = append(serials, seen())
		if got := serials[len(serials)-1]; got != c.Leaf.SerialNumber.String() {
			t.Errorf("showed %s", got)
		}
	}
	if slices.Sort(serials); len(slices.Compact(serials)) != 3 {
		t.Errorf("%v", serials)
	}
}

func TestEveryFailureHasItsOwnCounter(t *testing.T) {
	own := map[string]bool{CounterHandshake: true, CounterNoCertificate: true}
	for _, f := range Failures {
		name := f.Counters()[0]
		if own[name] || !strings.HasPrefix(name, "ssl.fail_verify_") {
			t.Errorf("%s is counted as %s", f, name)
		}
		own[name] = true
	}
	if got := Expired.Counters(); !slices.Contains(got, "ssl.fail_verify_error") {
		t.Errorf("Envoy counts what is expired as an error, not only as %v", got)
	}
}
