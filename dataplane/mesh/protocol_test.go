package mesh

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"connectrpc.com/connect"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// namesOf are the names of a response's clusters.
func namesOf(t *testing.T, r *xdsapi.DiscoveryResponse) (names []string) {
	for _, c := range unpack[xdsapi.Cluster](t, r.GetResources()) {
		names = append(names, c.GetName())
	}
	return names
}

const fraudCluster = "cds_egress_shop_fraud_http_8080"

// moved is the mesh of strict, with payment's service provided by the node
// fraud instead.
func moved(t *testing.T) *Mesh {
	doc := strings.ReplaceAll(strict, `"virtualNodeName": "payment"`, `"virtualNodeName": "fraud"`)
	return shop(t, strings.Replace(doc, `"payment": {`, `"fraud": {
      "serviceDiscovery": {"awsCloudMap": {"namespaceName": "dev.local", "serviceName": "fraud"}},
      "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}]
    }, "payment": {`, 1))
}

// follow subscribes a client as Envoy does, and takes everything.
func (c *client) follow(t *testing.T) {
	t.Helper()
	c.ask(xdsapi.ClusterType)
	for _, name := range namesOf(t, c.get(xdsapi.ClusterType)) {
		if strings.HasPrefix(name, "cds_egress_shop_") && !strings.HasSuffix(name, "amazonaws") {
			c.ask(xdsapi.EndpointType, name)
			c.get(xdsapi.EndpointType)
			c.ask(xdsapi.EndpointType, name)
		}
	}
	c.ask(xdsapi.ClusterType)
	c.ask(xdsapi.ListenerType)
	c.get(xdsapi.ListenerType)
	c.ask(xdsapi.ListenerType)
	c.ask(xdsapi.RouteType, "rds_egress_http_8080")
	c.get(xdsapi.RouteType)
	c.ask(xdsapi.RouteType, "rds_egress_http_8080")
}

// What is new is made before what is old is broken: the new cluster comes beside
// the old one, then its endpoints, then the route to it; and only when that
// was taken does the old cluster go.
func TestMakeBeforeBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		w.Put(shop(t, strict))
		w.task("aaa", "10.0.3.5")
		c := w.client("10.0.3.5", nodeARN("order"))
		c.follow(t)
		w.Put(moved(t))

		if got := namesOf(t, c.get(xdsapi.ClusterType)); !slices.Contains(got, fraudCluster) || !slices.Contains(got, paymentCluster) {
			t.Errorf("not both clusters: %v", got)
		}
		c.ask(xdsapi.EndpointType, paymentCluster, fraudCluster)
		if r := c.get(xdsapi.EndpointType); len(r.GetResources()) != 1 {
			t.Errorf("not the new cluster's endpoints alone: %v", r)
		}
		c.ask(xdsapi.EndpointType, paymentCluster, fraudCluster)
		c.ask(xdsapi.ClusterType) // until now no route may come
		routes := unpack[xdsapi.RouteConfiguration](t, c.get(xdsapi.RouteType).GetResources())
		if got := routes[0].GetVirtualHosts()[0].GetRoutes()[0].GetRoute().GetCluster(); got != fraudCluster {
			t.Errorf("the route goes to %s", got)
		}
		c.ask(xdsapi.RouteType, "rds_egress_http_8080")
		if got := namesOf(t, c.get(xdsapi.ClusterType)); slices.Contains(got, paymentCluster) || !slices.Contains(got, fraudCluster) {
			t.Errorf("the old cluster is still there, or the new one is not: %v", got)
		}
	})
}

// A proxy that refuses something keeps the clusters that its last good routes
// may name; the refusal is told in the log once and in the status until
// something better was taken. An answer to an old response says nothing.
func TestRefusalsKeepTheLastGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		w.Put(shop(t, strict))
		w.task("aaa", "10.0.3.5")
		c := w.client("10.0.3.5", nodeARN("order"))
		c.follow(t)
		w.Put(moved(t))
		c.get(xdsapi.ClusterType)
		c.ask(xdsapi.ClusterType)
		r := c.get(xdsapi.RouteType)
		for range 2 { // as proxies do that try again
			c.send(&xdsapi.DiscoveryRequest{
				TypeUrl: xdsapi.RouteType, ResourceNames: []string{"rds_egress_http_8080"}, ResponseNonce: r.GetNonce(),
				ErrorDetail: &xdsapi.Status{Code: 3, Message: "no such cluster"},
			})
		}
		c.send(&xdsapi.DiscoveryRequest{TypeUrl: xdsapi.RouteType, ResourceNames: []string{"rds_egress_http_8080"}, ResponseNonce: "1"})
		synctest.Wait()
		p := w.Proxies(shop(t, strict).ARN)[0]
		if p.Nack != "RouteConfiguration: no such cluster" || p.Acked == p.Version {
			t.Errorf("%+v", p)
		}
		w.Put(shop(t, strict)) // back: routes first, since the clusters were never taken away
		routes := unpack[xdsapi.RouteConfiguration](t, c.get(xdsapi.RouteType).GetResources())
		if got := routes[0].GetVirtualHosts()[0].GetRoutes()[0].GetRoute().GetCluster(); got != paymentCluster {
			t.Errorf("the route goes to %s", got)
		}
		c.ask(xdsapi.RouteType, "rds_egress_http_8080")
		if got := namesOf(t, c.get(xdsapi.ClusterType)); slices.Contains(got, fraudCluster) || !slices.Contains(got, paymentCluster) {
			t.Errorf("%v", got)
		}
		c.ask(xdsapi.ClusterType)
		synctest.Wait()
		if p := w.Proxies(shop(t, strict).ARN)[0]; p.Nack != "" || p.Acked != p.Version {
			t.Errorf("%+v", p)
		}
		if n := strings.Count(w.logged(), "a proxy refuses its configuration"); n != 1 {
			t.Errorf("%d lines in the log:\n%s", n, w.logged())
		}
	})
}

// Only what changed is sent, and nothing when nothing did.
func TestOnlyWhatChangedIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		m := shop(t, strict)
		w.Put(m)
		w.task("aaa", "10.0.3.5")
		c := w.client("10.0.3.5", nodeARN("order"))
		c.follow(t)
		w.Put(shop(t, strict))                                     // the same
		w.Endpoints(m.ARN, map[string][]Endpoint{"order": nil})    // of nobody whom order calls
		w.Endpoints(m.ARN, map[string][]Endpoint{"payment": {{}}}) // no address
		if r := c.get(xdsapi.EndpointType); len(r.GetResources()) != 1 {
			t.Errorf("%v", r)
		}
	})
}

// Who is refused, and in which words.
func TestWhoIsRefused(t *testing.T) {
	w := newWorld(t, 0)
	w.Put(shop(t, strict))
	w.task("aaa", "10.0.3.5")
	w.task("bbb", "10.0.3.6")
	denied := w.tasks["10.0.3.6"]
	denied.Allow = func(resource string) error {
		return errors.New("User: x is not authorized to perform: y on resource: " + resource)
	}
	w.tasks["10.0.3.6"] = denied
	for name, tc := range map[string]struct {
		ip, node string
		code     connect.Code
		says     string
	}{
		"nobody":          {"10.0.3.9", nodeARN("order"), connect.CodeUnauthenticated, "no task has the address 10.0.3.9"},
		"not allowed":     {"10.0.3.6", nodeARN("order"), connect.CodePermissionDenied, "User: x is not authorized to perform: y on resource: " + nodeARN("order")},
		"no node":         {"10.0.3.5", nodeARN("cart"), connect.CodeNotFound, "there is no VirtualNode cart in mesh shop"},
		"no gateway":      {"10.0.3.5", "mesh/shop/virtualGateway/in", connect.CodeNotFound, "there is no VirtualGateway in in mesh shop"},
		"no mesh":         {"10.0.3.5", "mesh/other/virtualNode/order", connect.CodeNotFound, "there is no mesh arn:aws:appmesh:us-east-1:123456789012:mesh/other"},
		"a service":       {"10.0.3.5", "mesh/shop/virtualService/payment.dev.local", connect.CodeInvalidArgument, "must be the ARN of a virtual node or gateway"},
		"another account": {"10.0.3.5", "arn:aws:appmesh:us-east-1:999999999999:mesh/shop/virtualNode/order", connect.CodeNotFound, "there is no mesh"},
		"nothing":         {"10.0.3.5", "", connect.CodeInvalidArgument, "APPMESH_RESOURCE_ARN"},
		"too many names":  {"10.0.3.5", nodeARN("order"), connect.CodeInvalidArgument, "names"},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.client(tc.ip, tc.node)
			var names []string
			if name == "too many names" {
				names = make([]string, mostNames+1)
			}
			c.ask(xdsapi.ClusterType, names...)
			_, err := c.stream.Receive()
			if connect.CodeOf(err) != tc.code || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A proxy that was there before its node did not get in, tries again, and does.
func TestNodesMayComeLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		w.task("aaa", "10.0.3.5")
		c := w.client("10.0.3.5", nodeARN("order"))
		c.ask(xdsapi.ClusterType)
		if _, err := c.stream.Receive(); connect.CodeOf(err) != connect.CodeNotFound {
			t.Fatal(err)
		}
		m := shop(t, strict)
		w.Put(m)
		c = w.client("10.0.3.5", nodeARN("order"))
		c.follow(t)
		w.Remove(m.ARN)
		if _, err := c.stream.Receive(); connect.CodeOf(err) != connect.CodeNotFound {
			t.Errorf("a mesh that is gone: %v", err)
		}
	})
}
