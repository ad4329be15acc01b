package mesh

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/types/known/durationpb"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
)

// lowest is the priority of routes that have none.
const lowest = math.MaxInt32

// routeOrder puts routes in the order in which they are tried: by priority, 0
// first, and without one last; then what takes less before what takes more, as
// App Mesh's Envoys had it; then by name.
func routeOrder(all map[string]api.RouteSpec) []string {
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		x, y := all[a], all[b]
		return cmp.Or(cmp.Compare(priorityOf(x.Priority), priorityOf(y.Priority)), narrower(routeMatch(x), routeMatch(y)), cmp.Compare(a, b))
	})
}

func priorityOf(p *int32) int32 {
	if p == nil {
		return lowest
	}
	return *p
}

// narrower compares what two matches take: an exact path comes before an
// expression, that before a prefix, the longer before the shorter, and then the
// one with more conditions.
func narrower(a, b *xdsapi.RouteMatch) int {
	rank := func(m *xdsapi.RouteMatch) (kind, length, conditions int) {
		switch p := m.GetPathSpecifier().(type) {
		case *xdsapi.RouteMatch_Path:
			kind, length = 0, len(p.Path)
		case *xdsapi.RouteMatch_SafeRegex:
			kind, length = 1, len(p.SafeRegex.GetRegex())
		case *xdsapi.RouteMatch_Prefix:
			kind, length = 2, len(p.Prefix)
		}
		return kind, length, len(m.GetHeaders()) + len(m.GetQueryParameters())
	}
	ak, al, ac := rank(a)
	bk, bl, bc := rank(b)
	return cmp.Or(cmp.Compare(ak, bk), cmp.Compare(bl, al), cmp.Compare(bc, ac))
}

// routeMatch is what a route takes; nil for TCP.
func routeMatch(r api.RouteSpec) *xdsapi.RouteMatch {
	switch {
	case r.HttpRoute != nil:
		return httpMatch(value(r.HttpRoute.Match))
	case r.Http2Route != nil:
		return httpMatch(value(r.Http2Route.Match))
	case r.GrpcRoute != nil:
		return grpcMatch(value(r.GrpcRoute.Match))
	}
	return nil
}

// routePort is the port that a route is for; nil for the router's only one.
func routePort(r api.RouteSpec) *int32 {
	switch {
	case r.HttpRoute != nil:
		return value(r.HttpRoute.Match).Port
	case r.Http2Route != nil:
		return value(r.Http2Route.Match).Port
	case r.GrpcRoute != nil:
		return value(r.GrpcRoute.Match).Port
	case r.TcpRoute != nil:
		return value(r.TcpRoute.Match).Port
	}
	return nil
}

func targetsOf(r api.RouteSpec) []api.WeightedTarget {
	switch {
	case r.HttpRoute != nil:
		return value(r.HttpRoute.Action).WeightedTargets
	case r.Http2Route != nil:
		return value(r.Http2Route.Action).WeightedTargets
	case r.GrpcRoute != nil:
		return value(r.GrpcRoute.Action).WeightedTargets
	case r.TcpRoute != nil:
		return value(r.TcpRoute.Action).WeightedTargets
	}
	return nil
}

// weighted is a cluster and its share.
type weighted struct {
	cluster string
	weight  int32
}

// action sends requests of a route to its clusters.
func action(to []weighted) *xdsapi.RouteAction {
	out := &xdsapi.RouteAction{Timeout: defaultTimeout, RetryPolicy: defaultRetry()}
	if len(to) == 1 {
		out.ClusterSpecifier = &xdsapi.RouteAction_Cluster{Cluster: to[0].cluster}
		return out
	}
	w := &xdsapi.WeightedCluster{}
	for _, t := range to {
		w.Clusters = append(w.Clusters, &xdsapi.WeightedCluster_ClusterWeight{Name: t.cluster, Weight: number(t.weight)})
	}
	out.ClusterSpecifier = &xdsapi.RouteAction_WeightedClusters{WeightedClusters: w}
	return out
}

// routed is one route of HTTP or gRPC.
func routed(name string, r api.RouteSpec, to []weighted) *xdsapi.Route {
	a := action(to)
	h := r.HttpRoute
	if h == nil {
		h = r.Http2Route
	}
	switch g := r.GrpcRoute; {
	case h != nil:
		timeouts(a, h.Timeout)
		if p := h.RetryPolicy; p != nil {
			a.RetryPolicy = retryPolicy(api.GrpcRetryPolicy{
				HttpRetryEvents: p.HttpRetryEvents, TcpRetryEvents: p.TcpRetryEvents, MaxRetries: p.MaxRetries, PerRetryTimeout: p.PerRetryTimeout,
			})
		}
	case g != nil:
		timeouts(a, (*api.HttpTimeout)(g.Timeout))
		if g.RetryPolicy != nil {
			a.RetryPolicy = retryPolicy(*g.RetryPolicy)
		}
	}
	return &xdsapi.Route{Name: name, Match: routeMatch(r), Action: &xdsapi.Route_Route{Route: a}}
}

// timeouts sets those that are given; 0 is none at all.
func timeouts(a *xdsapi.RouteAction, t *api.HttpTimeout) {
	if t == nil {
		return
	}
	a.Timeout, a.IdleTimeout = orDefault(t.PerRequest), duration(t.Idle)
}

// idleOf is a TCP route's timeout.
func idleOf(r api.RouteSpec) *durationpb.Duration {
	return duration(value(value(r.TcpRoute).Timeout).Idle)
}
