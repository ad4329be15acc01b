package mesh

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"

	"connectrpc.com/connect"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// deltaClient is a proxy of the incremental variant that does what the test says.
type deltaClient struct {
	t      testing.TB
	stream *connect.BidiStreamForClient[xdsapi.DeltaDiscoveryRequest, xdsapi.DeltaDiscoveryResponse]
	node   *xdsapi.Node
}

func (w *world) deltaClient(ip, node string) *deltaClient {
	ctx, cancel := context.WithCancel(context.Background())
	w.t.Cleanup(cancel)
	c := connect.NewClient[xdsapi.DeltaDiscoveryRequest, xdsapi.DeltaDiscoveryResponse](&http.Client{Transport: w.transport(ip)}, "http://mesh"+xdsapi.DeltaPath, connect.WithGRPC())
	return &deltaClient{w.t, c.CallBidiStream(ctx), &xdsapi.Node{Id: node}}
}

func (c *deltaClient) send(r *xdsapi.DeltaDiscoveryRequest) {
	c.t.Helper()
	r.Node, c.node = c.node, nil
	if err := c.stream.Send(r); err != nil {
		c.t.Fatal(err)
	}
}

// get receives the next response, of a type, and takes it; it answers the
// names and versions of what came, and what went.
func (c *deltaClient) get(url string) (came map[string]string, gone []string) {
	c.t.Helper()
	r, err := c.stream.Receive()
	if err != nil {
		c.t.Fatal(err)
	}
	if r.GetTypeUrl() != url {
		c.t.Fatalf("got %s, want %s", short(r.GetTypeUrl()), short(url))
	}
	c.send(&xdsapi.DeltaDiscoveryRequest{TypeUrl: url, ResponseNonce: r.GetNonce()})
	came = map[string]string{}
	for _, res := range r.GetResources() {
		came[res.GetName()] = res.GetVersion()
	}
	return came, r.GetRemovedResources()
}

func wantNames(t *testing.T, what string, got map[string]string, want ...string) {
	t.Helper()
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, slices.Sorted(slices.Values(want))) {
		t.Errorf("%s: %v, want %v", what, names, want)
	}
}

// The incremental variant sends what a client lacks, says what there is not,
// and takes away, in the same order; a client that comes again with what it
// has is sent the rest alone.
func TestIncremental(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		m := shop(t, strict)
		w.Put(m)
		w.task("aaa", "10.0.3.5")
		c := w.deltaClient("10.0.3.5", nodeARN("order"))
		const aws = "cds_egress_shop_amazonaws"
		c.send(&xdsapi.DeltaDiscoveryRequest{TypeUrl: xdsapi.ClusterType})
		clusters, gone := c.get(xdsapi.ClusterType)
		wantNames(t, "clusters", clusters, paymentCluster, aws)
		if len(gone) > 0 {
			t.Errorf("%v", gone)
		}
		c.send(&xdsapi.DeltaDiscoveryRequest{TypeUrl: xdsapi.EndpointType, ResourceNamesSubscribe: []string{paymentCluster, "nonsense"}})
		endpoints, gone := c.get(xdsapi.EndpointType)
		wantNames(t, "endpoints", endpoints, paymentCluster)
		if !slices.Equal(gone, []string{"nonsense"}) {
			t.Errorf("not said that there is none: %v", gone)
		}
		c.send(&xdsapi.DeltaDiscoveryRequest{TypeUrl: xdsapi.ListenerType})
		listeners, _ := c.get(xdsapi.ListenerType)
		wantNames(t, "listeners", listeners, egressListener)
		c.send(&xdsapi.DeltaDiscoveryRequest{TypeUrl: xdsapi.RouteType, ResourceNamesSubscribe: []string{"rds_egress_http_8080"}})
		routes, _ := c.get(xdsapi.RouteType)

		// the same name once more is sent once more
		c.send(&xdsapi.DeltaDiscoveryRequest{TypeUrl: xdsapi.EndpointType, ResourceNamesSubscribe: []string{paymentCluster}})
		again, _ := c.get(xdsapi.EndpointType)
		wantNames(t, "endpoints again", again, paymentCluster)

		synctest.Wait()
		w.Put(moved(t))
		came, gone := c.get(xdsapi.ClusterType)
		wantNames(t, "new clusters", came, fraudCluster)
		if len(gone) > 0 {
			t.Errorf("taken away too early: %v", gone)
		}
		c.send(&xdsapi.DeltaDiscoveryRequest{TypeUrl: xdsapi.EndpointType, ResourceNamesSubscribe: []string{fraudCluster}})
		for range 2 { // what is gone, and what was asked for: in whichever order
			came, _ = c.get(xdsapi.EndpointType)
			if len(came) > 0 {
				break
			}
		}
		wantNames(t, "new endpoints", came, fraudCluster)
		came, _ = c.get(xdsapi.RouteType)
		wantNames(t, "new routes", came, "rds_egress_http_8080")
		came, gone = c.get(xdsapi.ClusterType)
		wantNames(t, "clusters in the end", came)
		if !slices.Equal(gone, []string{paymentCluster}) {
			t.Errorf("not taken away: %v", gone)
		}

		w.Put(shop(t, strict))
		c = w.deltaClient("10.0.3.5", nodeARN("order"))
		clusters[fraudCluster] = "of before"
		c.send(&xdsapi.DeltaDiscoveryRequest{TypeUrl: xdsapi.ClusterType, InitialResourceVersions: clusters})
		came, gone = c.get(xdsapi.ClusterType)
		wantNames(t, "clusters after a break", came)
		if !slices.Equal(gone, []string{fraudCluster}) {
			t.Errorf("%v", gone)
		}
		c.send(&xdsapi.DeltaDiscoveryRequest{TypeUrl: xdsapi.RouteType, ResourceNamesSubscribe: []string{"rds_egress_http_8080"}, InitialResourceVersions: routes})
		synctest.Wait()
		// The stream of before is still there, and behind.
		if p := w.Proxies(m.ARN); !slices.ContainsFunc(p, func(p Proxy) bool { return p.Acked == p.Version }) {
			t.Errorf("not up to date: %+v", p)
		}
	})
}

// A client may subscribe to single listeners and clusters, and to everything
// later, and to less again.
func TestIncrementalNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		w.Put(shop(t, strict))
		w.task("aaa", "10.0.3.5")
		c := w.deltaClient("10.0.3.5", nodeARN("order"))
		c.send(&xdsapi.DeltaDiscoveryRequest{TypeUrl: xdsapi.ListenerType, ResourceNamesSubscribe: []string{"payment.dev.local:8080", "order.dev.local:8081"}})
		came, gone := c.get(xdsapi.ListenerType)
		wantNames(t, "one listener", came, "payment.dev.local:8080")
		if !slices.Equal(gone, []string{"order.dev.local:8081"}) {
			t.Errorf("%v", gone)
		}
		c.send(&xdsapi.DeltaDiscoveryRequest{TypeUrl: xdsapi.ListenerType, ResourceNamesSubscribe: []string{everyName}})
		came, _ = c.get(xdsapi.ListenerType)
		wantNames(t, "all", came, egressListener)
		c.send(&xdsapi.DeltaDiscoveryRequest{TypeUrl: xdsapi.ListenerType, ResourceNamesUnsubscribe: []string{everyName, "payment.dev.local:8080"}})
		came, gone = c.get(xdsapi.ListenerType)
		wantNames(t, "none", came)
		if !slices.Equal(gone, []string{egressListener}) {
			t.Errorf("%v", gone)
		}
	})
}
