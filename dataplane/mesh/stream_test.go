package mesh

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"testing"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/pki"
)

// strict is order, which calls payment; both hold each other to their names.
const strict = `{
  "Spec": {"egressFilter": {"type": "DROP_ALL"}},
  "Nodes": {
    "order": {
      "serviceDiscovery": {"awsCloudMap": {"namespaceName": "dev.local", "serviceName": "order"}},
      "backends": [{"virtualService": {"virtualServiceName": "payment.dev.local", "clientPolicy": {"tls": {
        "certificate": {"sds": {"secretName": "default"}},
        "validation": {"trust": {"sds": {"secretName": "ROOTCA"}}, "subjectAlternativeNames": {"match": {"exact": ["payment.dev.local"]}}}}}}}]
    },
    "payment": {
      "serviceDiscovery": {"awsCloudMap": {"namespaceName": "dev.local", "serviceName": "payment"}},
      "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}, "tls": {
        "mode": "STRICT", "certificate": {"sds": {"secretName": "default"}},
        "validation": {"trust": {"sds": {"secretName": "ROOTCA"}}, "subjectAlternativeNames": {"match": {"exact": ["order.dev.local"]}}}}}]
    }
  },
  "Services": {"payment.dev.local": {"provider": {"virtualNode": {"virtualNodeName": "payment"}}}},
  "Endpoints": {"payment": [{"IP": "10.0.3.7", "Zone": "us-east-1a"}, {"IP": "10.0.4.9", "Zone": "us-east-1b"}]}
}`

const paymentCluster = "cds_egress_shop_payment_http_8080"

// unpack reads the resources of a response.
func unpack[T any, M interface {
	*T
	protoMessage
}](t *testing.T, all []*anypb.Any) (out []M) {
	t.Helper()
	for _, a := range all {
		m := M(new(T))
		if err := xdsapi.Unpack(a, m); err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// A client and a server of a mesh get all they need for mutual TLS over one
// stream each, and their certificates fit what is asked of them.
func TestStrictMutualTLSOverAStream(t *testing.T) {
	w := newWorld(t, 0)
	w.Put(shop(t, strict))
	w.task("aaa", "10.0.3.5")
	w.task("bbb", "10.0.3.7")
	order, payment := w.client("10.0.3.5", nodeARN("order")), w.client("10.0.3.7", "mesh/shop/virtualNode/payment")

	order.ask(xdsapi.ClusterType)
	clusters := unpack[xdsapi.Cluster](t, order.get(xdsapi.ClusterType).GetResources())
	at := slices.IndexFunc(clusters, func(c *xdsapi.Cluster) bool { return c.GetName() == paymentCluster })
	if at < 0 || clusters[at].GetType() != xdsapi.Cluster_EDS {
		t.Fatalf("no cluster of payment found by EDS: %v", clusters)
	}
	order.ask(xdsapi.ClusterType)
	order.ask(xdsapi.EndpointType, paymentCluster)
	endpoints := unpack[xdsapi.ClusterLoadAssignment](t, order.get(xdsapi.EndpointType).GetResources())
	if len(endpoints) != 1 || len(endpoints[0].GetEndpoints()) != 2 {
		t.Errorf("%v", endpoints)
	}
	order.ask(xdsapi.EndpointType, paymentCluster)
	order.ask(xdsapi.ListenerType)
	if l := unpack[xdsapi.Listener](t, order.get(xdsapi.ListenerType).GetResources()); len(l) != 1 || l[0].GetName() != egressListener {
		t.Errorf("%v", l)
	}
	order.ask(xdsapi.ListenerType)
	order.ask(xdsapi.RouteType, "rds_egress_http_8080")
	routes := unpack[xdsapi.RouteConfiguration](t, order.get(xdsapi.RouteType).GetResources())
	if got := routes[0].GetVirtualHosts()[0].GetDomains(); !slices.Equal(got, []string{"payment.dev.local", "payment.dev.local:8080"}) {
		t.Errorf("%v", got)
	}

	mine, trust := secretsFor(t, order)
	theirs, _ := secretsFor(t, payment)
	if err := (pki.Peer{Trust: trust, Names: []string{"payment.dev.local"}}).Verify(theirs, x509.ExtKeyUsageServerAuth, theirs[0].NotBefore); err != nil {
		t.Error(err)
	}
	if err := (pki.Peer{Trust: trust, Names: []string{"order.dev.local"}}).Verify(mine, x509.ExtKeyUsageClientAuth, mine[0].NotBefore); err != nil {
		t.Error(err)
	}
	if got := mine[0].URIs[0].String(); got != "spiffe://shop/ns/dev.local/svc/order/task/aaa" {
		t.Error(got)
	}
}

// secretsFor asks for a proxy's own certificate, which must fit its key, and
// for whom to trust.
func secretsFor(t *testing.T, c *client) ([]*x509.Certificate, pki.Trust) {
	t.Helper()
	c.ask(xdsapi.SecretType, ownSecret, trustSecret)
	var leaf *x509.Certificate
	var trust pki.Trust
	for _, s := range unpack[xdsapi.Secret](t, c.get(xdsapi.SecretType).GetResources()) {
		if s.GetTlsCertificate() != nil {
			leaf = parse(t, s)
			continue
		}
		var err error
		if trust, err = pki.ParseTrust(s.GetValidationContext().GetTrustedCa().GetInlineBytes()); err != nil {
			t.Fatal(err)
		}
	}
	if leaf == nil || trust == nil {
		t.Fatal("a secret is missing")
	}
	return []*x509.Certificate{leaf}, trust
}

// parse reads a certificate, which must fit its key.
func parse(t *testing.T, s *xdsapi.Secret) *x509.Certificate {
	t.Helper()
	own := s.GetTlsCertificate()
	pair, err := tls.X509KeyPair(own.GetCertificateChain().GetInlineBytes(), own.GetPrivateKey().GetInlineBytes())
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}
