package appmesh

import (
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
)

// httpRetryEvents are what a retry policy may name (API reference,
// HttpRetryPolicy).
var httpRetryEvents = []string{"server-error", "gateway-error", "client-error", "stream-error"}

// weightMost is what the weights of a route add up to at most (App Mesh user
// guide, Routes).
const weightMost = 100

// checkRoute checks a route's spec by itself.
func checkRoute(spec *api.RouteSpec) error {
	var c checker
	c.exactly("spec", choices{"grpcRoute": spec.GrpcRoute != nil, "http2Route": spec.Http2Route != nil, "httpRoute": spec.HttpRoute != nil, "tcpRoute": spec.TcpRoute != nil})
	if len(c.found) > 0 {
		return c.err()
	}
	c.httpRoute("spec.httpRoute", spec.HttpRoute)
	c.httpRoute("spec.http2Route", spec.Http2Route)
	c.grpcRoute("spec.grpcRoute", spec.GrpcRoute)
	if r := spec.TcpRoute; r != nil {
		c.tcpTimeout("spec.tcpRoute.timeout", r.Timeout)
	}
	c.targets("spec.action.weightedTargets", targetsOf(*spec))
	return c.err()
}

func (c *checker) httpRoute(path string, r *api.HttpRoute) {
	if r == nil {
		return
	}
	c.httpMatch(path+".match", r.Match)
	c.httpTimeout(path+".timeout", r.Timeout)
	if p := r.RetryPolicy; p != nil {
		c.retries(path+".retryPolicy", &api.GrpcRetryPolicy{
			HttpRetryEvents: p.HttpRetryEvents, TcpRetryEvents: p.TcpRetryEvents, MaxRetries: p.MaxRetries, PerRetryTimeout: p.PerRetryTimeout,
		})
	}
}

func (c *checker) grpcRoute(path string, r *api.GrpcRoute) {
	if r == nil {
		return
	}
	c.grpcMatch(path+".match", r.Match)
	c.httpTimeout(path+".timeout", (*api.HttpTimeout)(r.Timeout))
	c.retries(path+".retryPolicy", r.RetryPolicy)
}

// httpMatch checks what HTTP requests a route takes: a path in one way only,
// from its beginning.
func (c *checker) httpMatch(path string, m *api.HttpRouteMatch) {
	c.most(path, choices{"path": m.Path != nil, "prefix": m.Prefix != nil})
	if m.Prefix != nil && !strings.HasPrefix(*m.Prefix, "/") {
		c.refuse(path+".prefix", "must begin with /")
	}
	if p := m.Path; p != nil {
		c.exactly(path+".path", choices{"exact": p.Exact != nil, "regex": p.Regex != nil})
		if p.Exact != nil && !strings.HasPrefix(*p.Exact, "/") {
			c.refuse(path+".path.exact", "must begin with /")
		}
		c.regex(path+".path.regex", p.Regex)
	}
	for i, h := range m.Headers {
		c.method(at(path+".headers", i)+".match", h.Match)
	}
}

// grpcMatch checks what calls a route takes: a method needs its service.
func (c *checker) grpcMatch(path string, m *api.GrpcRouteMatch) {
	if m.MethodName != nil && m.ServiceName == nil {
		c.refuse(path+".serviceName", "must be given with methodName")
	}
	for i, h := range m.Metadata {
		c.method(at(path+".metadata", i)+".match", (*api.HeaderMatchMethod)(h.Match))
	}
}

// method checks how the value of a header or of metadata is matched; without
// a method it has to be there.
func (c *checker) method(path string, m *api.HeaderMatchMethod) {
	if m == nil {
		return
	}
	c.exactly(path, choices{"exact": m.Exact != nil, "prefix": m.Prefix != nil, "range": m.Range != nil, "regex": m.Regex != nil, "suffix": m.Suffix != nil})
	c.regex(path+".regex", m.Regex)
	if r := m.Range; r != nil && *r.Start >= *r.End {
		c.refuse(path+".range", "must begin before it ends")
	}
}

// retries wants an event to retry after (API reference, HttpRetryPolicy:
// "Specify at least one value for at least one of the types of RetryEvents").
func (c *checker) retries(path string, p *api.GrpcRetryPolicy) {
	if p == nil {
		return
	}
	if len(p.HttpRetryEvents)+len(p.TcpRetryEvents)+len(p.GrpcRetryEvents) == 0 {
		c.refuse(path, "must have at least one retry event")
	}
	for i, e := range p.HttpRetryEvents {
		if !slices.Contains(httpRetryEvents, e) {
			c.refuse(at(path+".httpRetryEvents", i), "is %q, and must be one of %s", e, strings.Join(httpRetryEvents, ", "))
		}
	}
	c.duration(path+".perRetryTimeout", p.PerRetryTimeout)
}

// targets checks weights: 1 to 100 together, each node and port once.
func (c *checker) targets(path string, targets []api.WeightedTarget) {
	type place struct {
		node string
		port int32
	}
	var sum int32
	seen := map[place]bool{}
	for i, t := range targets {
		sum += *t.Weight
		p := place{*t.VirtualNode, value(t.Port)}
		if seen[p] {
			c.refuse(at(path, i), "names the virtual node %s a second time", p.node)
		}
		seen[p] = true
	}
	if sum < 1 || sum > weightMost {
		c.refuse(path, "have weights that add up to %d, and must add up to between 1 and %d", sum, weightMost)
	}
}
