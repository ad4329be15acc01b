package sidecar

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// backend is a service that misbehaves on demand.
type backend struct {
	*httptest.Server
	asked  atomic.Int64
	status atomic.Int64 // what it answers; 0: 200
	hang   atomic.Pointer[chan struct{}]
}

func newBackend(t *testing.T) *backend {
	b := &backend{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.asked.Add(1)
		if until := b.hang.Load(); until != nil {
			select {
			case <-*until:
			case <-r.Context().Done():
				return
			}
		}
		if s := b.status.Load(); s != 0 {
			w.WriteHeader(int(s))
		}
		fmt.Fprint(w, b.addr())
	}))
	t.Cleanup(func() {
		b.answer()
		b.Close()
	})
	return b
}

func (b *backend) addr() string { return b.Listener.Addr().String() }

// stop lets requests wait until answer.
func (b *backend) stop() {
	until := make(chan struct{})
	b.hang.Store(&until)
}

func (b *backend) answer() {
	if until := b.hang.Swap(nil); until != nil {
		close(*until)
	}
}

// caller is one sidecar before backends, with a route and a cluster as given.
type caller struct {
	t     *testing.T
	plane *plane
	*Sidecar
	at string
}

func newCaller(t *testing.T, route *xdsapi.RouteAction, cluster *xdsapi.Cluster, backends ...*backend) *caller {
	t.Helper()
	c := &caller{t: t, plane: newPlane(t), at: freePort(t)}
	var at []string
	for _, b := range backends {
		at = append(at, b.addr())
	}
	cluster.Name, cluster.ClusterDiscoveryType = "payment", &xdsapi.Cluster_Type{Type: xdsapi.Cluster_EDS}
	if route.ClusterSpecifier == nil {
		route.ClusterSpecifier = &xdsapi.RouteAction_Cluster{Cluster: "payment"}
	}
	table := routes("out", "payment")
	table.VirtualHosts[0].Routes[0].Action = &xdsapi.Route_Route{Route: route}
	c.plane.set(xdsapi.EndpointType, map[string]proto.Message{"payment": endpoints("payment", at...)})
	c.plane.set(xdsapi.ClusterType, map[string]proto.Message{"payment": cluster})
	c.plane.set(xdsapi.RouteType, map[string]proto.Message{"out": table})
	c.plane.set(xdsapi.ListenerType, map[string]proto.Message{"lds_egress": &xdsapi.Listener{
		Name: "lds_egress", Address: address(c.at), FilterChains: []*xdsapi.FilterChain{{Filters: filters("out")}},
	}})
	c.Sidecar = start(t, c.plane)
	eventually(t, "the sidecar is live", func() bool { return c.State() == "LIVE" })
	return c
}

// get asks once and returns the status and who answered.
func (c *caller) get() (int, string, http.Header) {
	c.t.Helper()
	resp, err := http.Get("http://" + c.at + "/")
	if err != nil {
		c.t.Error(err)
		return 0, "", nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), resp.Header
}

func (c *caller) stat(name string) int64 {
	c.t.Helper()
	return stat(c.t, c.Sidecar, "cluster.payment."+name)
}

func count32(n uint32) *wrapperspb.UInt32Value { return wrapperspb.UInt32(n) }

// TestAFailingTaskCostsRetriesOnly: one of two answers 503 only; every
// request is answered by the other.
func TestAFailingTaskCostsRetriesOnly(t *testing.T) {
	good, bad := newBackend(t), newBackend(t)
	bad.status.Store(503)
	c := newCaller(t, &xdsapi.RouteAction{RetryPolicy: &xdsapi.RetryPolicy{
		RetryOn: "retriable-status-codes,connect-failure,reset", RetriableStatusCodes: []uint32{503}, NumRetries: count32(2),
		RetryBackOff: &xdsapi.RetryPolicy_RetryBackOff{BaseInterval: durationpb.New(time.Millisecond)},
	}}, &xdsapi.Cluster{}, good, bad)
	for range 40 {
		if code, who, _ := c.get(); code != 200 || who != good.addr() {
			t.Fatalf("got %d of %s", code, who)
		}
	}
	retries, ok := c.stat("upstream_rq_retry"), c.stat("upstream_rq_retry_success")
	if bad.asked.Load() == 0 || retries < bad.asked.Load() || ok == 0 {
		t.Errorf("the bad one was asked %d times; %d retries, %d of them successful", bad.asked.Load(), retries, ok)
	}
	// With nobody good left the failure is passed on, after all tries.
	good.status.Store(503)
	if code, _, _ := c.get(); code != 503 || c.stat("upstream_rq_retry_limit_exceeded") == 0 {
		t.Errorf("got %d, %d requests ran out of retries", code, c.stat("upstream_rq_retry_limit_exceeded"))
	}
}

// TestATryThatTakesTooLongIsGivenUp: one of two never answers; the other does
// within the time of the whole.
func TestATryThatTakesTooLongIsGivenUp(t *testing.T) {
	good, stuck := newBackend(t), newBackend(t)
	stuck.stop()
	c := newCaller(t, &xdsapi.RouteAction{Timeout: durationpb.New(20 * time.Second), RetryPolicy: &xdsapi.RetryPolicy{
		RetryOn: "reset", NumRetries: count32(2), PerTryTimeout: durationpb.New(30 * time.Millisecond),
	}}, &xdsapi.Cluster{}, good, stuck)
	for range 6 {
		if code, who, _ := c.get(); code != 200 || who != good.addr() {
			t.Fatalf("got %d of %s", code, who)
		}
	}
	if n := c.stat("upstream_rq_per_try_timeout"); n == 0 || n < stuck.asked.Load() {
		t.Errorf("%d tries took too long, %d were made", n, stuck.asked.Load())
	}
}

// TestARequestThatTakesTooLongIsAnswered504 when nobody answers in time.
func TestARequestThatTakesTooLongIsAnswered504(t *testing.T) {
	stuck := newBackend(t)
	stuck.stop()
	c := newCaller(t, &xdsapi.RouteAction{Timeout: durationpb.New(50 * time.Millisecond)}, &xdsapi.Cluster{}, stuck)
	if code, _, _ := c.get(); code != 504 {
		t.Errorf("got %d", code)
	}
	if n := c.stat("upstream_rq_timeout"); n != 1 {
		t.Errorf("%d timeouts", n)
	}
	stuck.answer()
	if code, _, _ := c.get(); code != 200 {
		t.Errorf("got %d from one that answers again", code)
	}
}

// TestAnOutlierIsLeftOutAndComesBack: a task that fails three times in a row
// gets nothing for a while.
func TestAnOutlierIsLeftOutAndComesBack(t *testing.T) {
	good, bad := newBackend(t), newBackend(t)
	bad.status.Store(500)
	c := newCaller(t, &xdsapi.RouteAction{}, &xdsapi.Cluster{OutlierDetection: &xdsapi.OutlierDetection{
		Consecutive_5Xx: count32(3), Interval: durationpb.New(20 * time.Millisecond), BaseEjectionTime: durationpb.New(300 * time.Millisecond),
		MaxEjectionPercent: count32(50),
	}}, good, bad)
	eventually(t, "the bad one is ejected", func() bool { c.get(); return c.stat("outlier_detection.ejections_active") == 1 })
	if n := bad.asked.Load(); n != 3 {
		t.Errorf("it was asked %d times until then, want 3", n)
	}
	w := httptest.NewRecorder()
	c.admin().ServeHTTP(w, httptest.NewRequest("GET", "/clusters", nil))
	if want := bad.addr() + "::health_flags::/failed_outlier_check"; !strings.Contains(w.Body.String(), want) {
		t.Errorf("/clusters does not say %q:\n%s", want, w.Body.String())
	}
	if code, who, _ := c.get(); code != 200 || who != good.addr() {
		t.Errorf("got %d of %s meanwhile", code, who)
	}
	bad.status.Store(0)
	eventually(t, "it is asked again", func() bool { c.get(); return bad.asked.Load() > 3 })
	if n := c.stat("outlier_detection.ejections_enforced_total"); n != 1 {
		t.Errorf("%d ejections", n)
	}
}

// TestBeyondALimitIsRefusedAtOnce: one connection, one request that may wait;
// all others are told so without waiting.
func TestBeyondALimitIsRefusedAtOnce(t *testing.T) {
	slow := newBackend(t)
	slow.stop()
	c := newCaller(t, &xdsapi.RouteAction{}, &xdsapi.Cluster{CircuitBreakers: &xdsapi.CircuitBreakers{Thresholds: []*xdsapi.CircuitBreakers_Thresholds{{
		MaxConnections: count32(1), MaxPendingRequests: count32(1),
	}}}}, slow)
	var wg sync.WaitGroup
	var served, refused atomic.Int64
	for range 10 {
		wg.Go(func() {
			code, _, header := c.get()
			switch {
			case code == 200:
				served.Add(1)
			case code == 503 && header.Get("X-Envoy-Overloaded") == "true":
				refused.Add(1)
			default:
				t.Errorf("got %d %v", code, header)
			}
		})
	}
	eventually(t, "eight are refused", func() bool { return refused.Load() == 8 })
	slow.answer()
	wg.Wait()
	if served.Load() != 2 || c.stat("upstream_rq_pending_overflow") != 8 {
		t.Errorf("%d served, %d refused, %d counted", served.Load(), refused.Load(), c.stat("upstream_rq_pending_overflow"))
	}
}

// TestWeightsAndMatches: a tenth goes to the new version, and all of those
// who ask for it.
func TestWeightsAndMatches(t *testing.T) {
	old, canary := newBackend(t), newBackend(t)
	weighted := &xdsapi.WeightedCluster{Clusters: []*xdsapi.WeightedCluster_ClusterWeight{
		{Name: "payment", Weight: count32(90)}, {Name: "canary", Weight: count32(10)},
	}}
	c := newCaller(t, &xdsapi.RouteAction{ClusterSpecifier: &xdsapi.RouteAction_WeightedClusters{WeightedClusters: weighted}}, &xdsapi.Cluster{}, old)
	c.plane.set(xdsapi.ClusterType, map[string]proto.Message{"canary": &xdsapi.Cluster{Name: "canary", LoadAssignment: endpoints("canary", canary.addr())}})
	table := routes("out", "payment")
	table.VirtualHosts[0].Routes[0].Action = &xdsapi.Route_Route{Route: &xdsapi.RouteAction{ClusterSpecifier: &xdsapi.RouteAction_WeightedClusters{WeightedClusters: weighted}}}
	table.VirtualHosts[0].Routes = append([]*xdsapi.Route{{
		Match: &xdsapi.RouteMatch{PathSpecifier: &xdsapi.RouteMatch_Prefix{Prefix: "/"}, Headers: []*xdsapi.HeaderMatcher{{
			Name: "x-canary", HeaderMatchSpecifier: &xdsapi.HeaderMatcher_StringMatch{StringMatch: &xdsapi.StringMatcher{MatchPattern: &xdsapi.StringMatcher_Exact{Exact: "yes"}}},
		}}},
		Action: &xdsapi.Route_Route{Route: &xdsapi.RouteAction{ClusterSpecifier: &xdsapi.RouteAction_Cluster{Cluster: "canary"}}},
	}}, table.VirtualHosts[0].Routes...)
	c.plane.set(xdsapi.RouteType, map[string]proto.Message{"out": table})
	asks := func() (string, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.at+"/", nil)
		if err != nil {
			return "", err
		}
		r.Header.Set("X-Canary", "yes")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return string(text), err
	}
	eventually(t, "who asks for the canary gets it", func() bool { who, err := asks(); return err == nil && who == canary.addr() })
	before := canary.asked.Load()
	const n = 1000
	for range n {
		c.get()
	}
	// Of 1,000 at a chance of 0.1: outside 60 to 140 once in many thousand runs (4.2 standard deviations).
	if got := canary.asked.Load() - before; got < 60 || got > 140 {
		t.Errorf("the canary got %d of %d", got, n)
	}
}
