package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/engineapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// meshed is a platform with a mesh whose endpoints answer what the functions make.
func meshed(t *testing.T, state func() engineapi.MeshState, checks []engineapi.MeshCheck) *cloud {
	c := newCloud(t)
	c.file(c.manifest, strings.Replace(testManifest, "defaults:", "mesh: {enabled: true}\ndefaults:", 1))
	c.serve = func(w http.ResponseWriter, r *http.Request) bool {
		var out any
		switch {
		case r.URL.Path == engineapi.MeshPath && state != nil:
			out = state()
		case r.URL.Path == engineapi.VerifyPath:
			out = map[string]any{"checks": checks}
		case r.URL.Path == engineapi.RotatePath && checks != nil:
			out = map[string]int{"certificates": 2}
		default:
			return false
		}
		var asked engineapi.MeshQuestion
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Mesh != "shop-mesh-dev" || r.Method != http.MethodPost || r.Header.Get("Authorization") == "" {
			t.Errorf("%s %s asks %+v %v", r.Method, r.URL.Path, asked, err)
		}
		_ = json.NewEncoder(w).Encode(out)
		return true
	}
	return c
}

// busy is a mesh in which order calls payment eight times a second from each of two tasks, one of which fares badly.
func busy() func() engineapi.MeshState {
	began := time.Now()
	return func() engineapi.MeshState {
		n := 1000 + int64(8*time.Since(began).Seconds())
		node := func(name, task string, age, life time.Duration) engineapi.MeshNode {
			return engineapi.MeshNode{
				Name: name, Task: task, IP: "10.0.3.7", Version: "14", Acked: "14", Connected: true,
				NotBefore: began.Add(-age), NotAfter: began.Add(life - age),
			}
		}
		behind, cut, late := node("payment-node-dev", "2bbbbbbbbbbb", time.Hour, 24*time.Hour), node("payment-node-dev", "3ccccccccccc", 23*time.Hour, 24*time.Hour), node("order-node-dev", "5eeeeeeeeeee", 25*time.Hour, 24*time.Hour)
		behind.Acked, cut.Connected, late.Nack = "13", false, "Listener: no such cluster"
		return engineapi.MeshState{Mesh: "shop-mesh-dev", Nodes: []engineapi.MeshNode{
			node("payment-node-dev", "1aaaaaaaaaaa", 90*time.Second, 24*time.Hour), behind, cut, node("order-node-dev", "4ddddddddddd", 3*time.Hour, 24*time.Hour), late,
		}, Edges: []engineapi.MeshEdge{
			{Source: "order-node-dev", SourceTask: "4ddddddddddd", Destination: "payment.dev.local", Requests: n, Codes: map[string]int64{"201": n}, P50: 2, P99: 9, Handshakes: 4},
			{
				Source: "order-node-dev", SourceTask: "5eeeeeeeeeee", Destination: "payment.dev.local", Requests: n, Codes: map[string]int64{"201": n - n/10, "503": n / 10}, P50: 4, P99: 31.5,
				Handshakes: 4, TLSFailures: map[string]int64{"san": 3, "expired": 1, "untrusted": 0}, Retries: 12, Ejections: 1, Overflows: 2,
			},
			{Source: "payment-node-dev", SourceTask: "1aaaaaaaaaaa", Destination: "ledger", Requests: 5, Codes: map[string]int64{"200": 5}, P50: 1, P99: 1},
			{Source: "payment-node-dev", SourceTask: "1aaaaaaaaaaa", Destination: "order.dev.local"},
		}}
	}
}

func TestMesh(t *testing.T) {
	for name, args := range map[string][]string{"mesh": {"mesh"}, "mesh-json": {"mesh", "--json"}} {
		synctest.Test(t, func(t *testing.T) {
			c := meshed(t, busy(), nil)
			if code := c.run(t.Context(), args...); code != exitOK {
				t.Errorf("%s: exit code %d: %s", name, code, c.err.String())
			}
			golden(t, name, c.out.String())
		})
	}
}

// On a terminal it is a picture that is redrawn, with rates over the last seconds.
func TestMeshIsRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := meshed(t, busy(), nil)
		g := &glass{}
		c.terminal, c.glass = true, g
		ctx, cancel := context.WithTimeout(t.Context(), 1700*time.Millisecond)
		defer cancel()
		if code := c.run(ctx, "mesh"); code != exitOK {
			t.Errorf("exit code %d: %s", code, c.err.String())
		}
		golden(t, "mesh-live", g.String())
	})
}

// A counter that is smaller than before is one of a sidecar that has begun anew, not a negative rate.
func TestMeterOfASidecarThatBeginsAnew(t *testing.T) {
	var m meter
	at := time.Unix(0, 0)
	edge := func(requests, failed int64) engineapi.MeshState {
		return engineapi.MeshState{Edges: []engineapi.MeshEdge{{Source: "a", SourceTask: "1", Destination: "b", Requests: requests, Codes: map[string]int64{"200": requests - failed, "0": failed}}}}
	}
	m.report(at, edge(1000, 500))
	got := m.report(at.Add(2*time.Second), edge(40, 10)).Edges[0]
	if *got.Rate != 20 || *got.Success != 0.75 || *got.MTLS {
		t.Errorf("%v a second, %v succeed, mTLS %v", *got.Rate, *got.Success, *got.MTLS)
	}
	got = m.report(at.Add(4*time.Second), edge(40, 10)).Edges[0] // nothing has come
	if *got.Success != 0.75 {
		t.Errorf("of all that came %v succeed", *got.Success)
	}
}

func TestMeshVerify(t *testing.T) {
	checks := []engineapi.MeshCheck{
		{Name: "no certificate", Target: "payment-node-dev", Expected: "refused", Got: "refused", Counter: "ssl.no_certificate", Before: 0, After: 1, OK: true},
		{Name: "wrong name", Target: "payment-node-dev", Expected: "refused", Got: "refused", Counter: "ssl.fail_verify_san", Before: 3, After: 4, OK: true},
		{Name: "a caller of it", Target: "payment-node-dev", Expected: "accepted", Got: "accepted", Counter: "ssl.handshake", Before: 12, After: 13, OK: true},
	}
	for name, tc := range map[string]struct {
		last engineapi.MeshCheck
		code int
		says string
	}{
		"mesh-verify":  {engineapi.MeshCheck{Name: "plaintext", Target: "order-node-dev", Expected: "refused", Got: "refused", OK: true}, exitOK, ""},
		"mesh-breach":  {engineapi.MeshCheck{Name: "plaintext", Target: "order-node-dev", Expected: "refused", Got: "accepted"}, exitFailed, "1 of 4 attempts did not end as they must"},
		"mesh-nothing": {code: exitFailed, says: "no task of shop-mesh-dev takes calls"},
	} {
		synctest.Test(t, func(t *testing.T) {
			all := append(checks[:len(checks):len(checks)], tc.last)
			if tc.last.Name == "" {
				all = nil
			}
			c := meshed(t, nil, all)
			if code := c.run(t.Context(), "mesh", "verify"); code != tc.code {
				t.Errorf("%s: exit code %d: %s", name, code, c.err.String())
			}
			c.want(&c.err, tc.says)
			golden(t, name, c.out.String())
		})
	}
}

// A platform without a mesh, and an engine that knows of none, say so.
func TestMeshThatIsNotThere(t *testing.T) {
	c := newCloud(t)
	c.file(c.manifest, strings.Replace(testManifest, "defaults:", "mesh: {enabled: false}\ndefaults:", 1))
	if code := c.run(t.Context(), "mesh", "verify"); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	c.want(&c.err, "has no mesh; switch it on with mesh: {enabled: true}")
	c = meshed(t, nil, nil)
	if code := c.run(t.Context(), "mesh"); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	c.want(&c.err, "does not know /_slipway/mesh")
}

func TestMeshRotate(t *testing.T) {
	c := meshed(t, nil, []engineapi.MeshCheck{})
	if code := c.run(t.Context(), "mesh", "rotate"); code != exitOK {
		t.Errorf("exit code %d: %s", code, c.err.String())
	}
	c.want(&c.out, "2 certificates are replaced")
}

// road is a mesh whose route payment's calls take: the share of failures that a version has is its callers'.
type road struct {
	*cloud
	weights []string // as they were set
	now     []appmeshapi.WeightedTarget
	failing map[string]float64 // by node
	edges   map[string]*engineapi.MeshEdge
	sent    map[string]float64 // by node, and how many failed under !node
	apart   bool               // callers count each node apart
	last    time.Time
}

const perSecond = 100

func newRoad(t *testing.T, apart bool, failing map[string]float64) *road {
	r := &road{failing: failing, apart: apart, edges: map[string]*engineapi.MeshEdge{}, sent: map[string]float64{}, last: time.Now()}
	r.now = []appmeshapi.WeightedTarget{{VirtualNode: new("payment-node-dev"), Weight: new(int32(100))}}
	r.cloud = meshed(t, r.state, nil)
	handle(r.cloud, r.appmesh, "DescribeVirtualService", func(in *appmeshapi.DescribeVirtualServiceInput) (*appmeshapi.DescribeVirtualServiceOutput, error) {
		if *in.VirtualServiceName != "payment.dev.local" {
			return nil, awsapi.Errorf("NotFoundException", 404, "There is no VirtualService with name %s.", *in.VirtualServiceName)
		}
		return &appmeshapi.DescribeVirtualServiceOutput{VirtualService: &appmeshapi.VirtualServiceData{
			MeshName: in.MeshName, VirtualServiceName: in.VirtualServiceName, Metadata: metadata(), Status: &appmeshapi.VirtualServiceStatus{Status: "ACTIVE"},
			Spec: &appmeshapi.VirtualServiceSpec{Provider: &appmeshapi.VirtualServiceProvider{VirtualRouter: &appmeshapi.VirtualRouterServiceProvider{VirtualRouterName: new("payment-router-dev")}}},
		}}, nil
	})
	handle(r.cloud, r.appmesh, "ListRoutes", func(*appmeshapi.ListRoutesInput) (*appmeshapi.ListRoutesOutput, error) {
		return &appmeshapi.ListRoutesOutput{Routes: []appmeshapi.RouteRef{{RouteName: new("payment-route-dev"), MeshName: new("shop-mesh-dev"), VirtualRouterName: new("payment-router-dev")}}}, nil
	})
	handle(r.cloud, r.appmesh, "ListVirtualNodes", func(*appmeshapi.ListVirtualNodesInput) (*appmeshapi.ListVirtualNodesOutput, error) {
		out := &appmeshapi.ListVirtualNodesOutput{}
		for _, name := range []string{"order-node-dev", "payment-node-dev", "payment-v2-node-dev"} {
			out.VirtualNodes = append(out.VirtualNodes, appmeshapi.VirtualNodeRef{VirtualNodeName: &name, MeshName: new("shop-mesh-dev")})
		}
		return out, nil
	})
	handle(r.cloud, r.appmesh, "DescribeRoute", func(*appmeshapi.DescribeRouteInput) (*appmeshapi.DescribeRouteOutput, error) {
		return &appmeshapi.DescribeRouteOutput{Route: r.route()}, nil
	})
	handle(r.cloud, r.appmesh, "UpdateRoute", func(in *appmeshapi.UpdateRouteInput) (*appmeshapi.UpdateRouteOutput, error) {
		r.drive()
		r.now = targetsOf(in.Spec)
		r.weights = append(r.weights, weightsText(r.now))
		if in.Spec.HttpRoute.RetryPolicy == nil || *in.Spec.HttpRoute.Match.Prefix != "/" {
			t.Errorf("the rest of the route is not as it was: %+v", in.Spec.HttpRoute)
		}
		return &appmeshapi.UpdateRouteOutput{Route: r.route()}, nil
	})
	return r
}

func metadata() *appmeshapi.ResourceMetadata {
	return &appmeshapi.ResourceMetadata{
		Arn: new("arn"), CreatedAt: new(time.Now()), LastUpdatedAt: new(time.Now()), MeshOwner: new("1"), ResourceOwner: new("1"), Uid: new("u"), Version: new(int64(1)),
	}
}

func (r *road) route() *appmeshapi.RouteData {
	return &appmeshapi.RouteData{
		MeshName: new("shop-mesh-dev"), VirtualRouterName: new("payment-router-dev"), RouteName: new("payment-route-dev"), Metadata: metadata(),
		Status: &appmeshapi.RouteStatus{Status: "ACTIVE"},
		Spec: &appmeshapi.RouteSpec{HttpRoute: &appmeshapi.HttpRoute{
			Match: &appmeshapi.HttpRouteMatch{Prefix: new("/")}, Action: &appmeshapi.HttpRouteAction{WeightedTargets: r.now},
			RetryPolicy: &appmeshapi.HttpRetryPolicy{MaxRetries: new(int64(1)), PerRetryTimeout: &appmeshapi.Duration{Unit: "s", Value: new(int64(1))}, TcpRetryEvents: []appmeshapi.TcpRetryPolicyEvent{"connection-error"}},
		}},
	}
}

// drive lets the time since it was last called pass on the road.
func (r *road) drive() {
	passed := time.Since(r.last).Seconds()
	r.last = time.Now()
	for _, t := range r.now {
		n := perSecond * passed * float64(*t.Weight) / 100
		r.sent[*t.VirtualNode] += n
		r.sent["!"+*t.VirtualNode] += n * r.failing[*t.VirtualNode]
	}
	clear(r.edges)
	for node, n := range r.sent {
		name := "payment.dev.local"
		if r.apart {
			name = strings.TrimPrefix(node, "!")
		}
		e := r.edges[name]
		if e == nil {
			e = &engineapi.MeshEdge{Source: "order-node-dev", SourceTask: "1", Destination: name, Codes: map[string]int64{}}
			r.edges[name] = e
		}
		if strings.HasPrefix(node, "!") {
			e.Codes["503"] += int64(math.Round(n))
		} else {
			e.Requests += int64(math.Round(n))
		}
	}
}

func (r *road) state() engineapi.MeshState {
	r.drive()
	out := engineapi.MeshState{Mesh: "shop-mesh-dev"}
	for _, e := range r.edges {
		out.Edges = append(out.Edges, *e)
	}
	return out
}

// Calls move step by step to a version that is as good, and all come back at once from one that is not.
func TestShift(t *testing.T) {
	for _, tc := range []struct {
		name    string
		failing map[string]float64
		args    []string
		code    int
		weights []string
		says    string
	}{
		{
			"as good",
			map[string]float64{"payment-node-dev": 0.02, "payment-v2-node-dev": 0.02},
			[]string{"--to", "v2", "--weight", "100", "--steps", "5,50"},
			exitOK,
			[]string{"payment-node-dev 95, payment-v2-node-dev 5", "payment-node-dev 50, payment-v2-node-dev 50", "payment-node-dev 0, payment-v2-node-dev 100"},
			"",
		},
		{
			"bad",
			map[string]float64{"payment-v2-node-dev": 0.5},
			[]string{"--to", "payment-v2-node-dev", "--weight", "100", "--steps", "20"},
			exitFailed,
			[]string{"payment-node-dev 80, payment-v2-node-dev 20", "payment-node-dev 100"},
			"failed, where 0.0 % did before",
		},
		{
			"bad, and nobody looks",
			map[string]float64{"payment-v2-node-dev": 1},
			[]string{"--to", "payment-v2", "--weight", "30", "--pause", "0s"},
			exitOK,
			[]string{"payment-node-dev 70, payment-v2-node-dev 30"},
			"",
		},
		{"nobody", nil, []string{"--to", "v3", "--weight", "5"}, exitUsage, nil, "there is no virtual node v3 in shop-mesh-dev (nodes: order-node-dev, payment-node-dev, payment-v2-node-dev)"},
		{"another service", nil, []string{"--to", "order", "--weight", "5"}, exitUsage, nil, "order-node-dev is the service order, no version of payment"},
		{"nowhere", nil, []string{"--weight", "5"}, exitUsage, nil, "--to"},
		{"too much", nil, []string{"--to", "v2", "--weight", "50", "--steps", "101"}, exitUsage, nil, "between 0 and 100"},
		{"all there is", nil, []string{"--to", "payment", "--weight", "5"}, exitUsage, nil, "only target"},
	} {
		for _, apart := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				r := newRoad(t, apart, tc.failing)
				if code := r.run(t.Context(), append([]string{"mesh", "shift", "payment"}, tc.args...)...); code != tc.code {
					t.Errorf("%s: exit code %d: %s", tc.name, code, r.err.String())
				}
				if got, want := strings.Join(r.weights, "; "), strings.Join(tc.weights, "; "); got != want {
					t.Errorf("%s: weights went %s, want %s", tc.name, got, want)
				}
				r.want(&r.err, tc.says)
				if tc.name == "bad" {
					r.want(&r.err, "the old weights are back: payment-node-dev 100")
					if bad := r.edges["payment-v2-node-dev"]; apart && bad.Requests > 20*failuresMin {
						t.Errorf("%d calls had failed before anything was done", bad.Codes["503"])
					}
				}
				if tc.name == "as good" && apart {
					golden(t, "mesh-shift", r.out.String())
				}
			})
		}
	}
}

// ^C puts the old weights back too.
func TestShiftIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoad(t, false, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if code := r.run(ctx, "mesh", "shift", "payment", "--to", "v2", "--weight", "5"); code == exitOK {
			t.Error("exit code 0")
		}
		if got := r.weights[len(r.weights)-1]; got != "payment-node-dev 100" {
			t.Errorf("the weights are %s", got)
		}
	})
}

// Whatever the weights were, they are a whole afterwards, the rest keeps its proportions, and who had nothing gets nothing.
func TestShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var before []appmeshapi.WeightedTarget
		for i := range rapid.IntRange(1, 6).Draw(t, "targets") {
			before = append(before, appmeshapi.WeightedTarget{VirtualNode: new(fmt.Sprint("n", i)), Weight: new(int32(rapid.IntRange(0, 40).Draw(t, "weight")))})
		}
		to, weight := fmt.Sprint("n", rapid.IntRange(0, 7).Draw(t, "to")), int32(rapid.IntRange(0, 100).Draw(t, "share"))
		after, err := shares(before, to, weight)
		if err != nil {
			if len(before) > 1 || weight == 100 {
				t.Fatal(err)
			}
			return
		}
		total, had := int32(0), int32(0)
		for _, b := range before {
			if *b.VirtualNode != to {
				had += *b.Weight
			}
		}
		for i, a := range after {
			total += *a.Weight
			switch {
			case *a.VirtualNode == to && *a.Weight != weight:
				t.Errorf("%s has %d, want %d", to, *a.Weight, weight)
			case *a.VirtualNode == to:
			case *a.Weight < 0, had > 0 && *before[i].Weight == 0 && *a.Weight > 0:
				t.Errorf("%s had %d and has %d", *a.VirtualNode, *before[i].Weight, *a.Weight)
			}
		}
		if total != 100 && len(after) > 1 {
			t.Errorf("%s add up to %d", weightsText(after), total)
		}
	})
}
