package appmesh

import (
	"strings"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
)

// checkGatewayRoute checks a gateway route's spec by itself.
func checkGatewayRoute(spec *api.GatewayRouteSpec) error {
	var c checker
	c.exactly("spec", choices{"grpcRoute": spec.GrpcRoute != nil, "http2Route": spec.Http2Route != nil, "httpRoute": spec.HttpRoute != nil})
	c.httpGatewayRoute("spec.httpRoute", spec.HttpRoute)
	c.httpGatewayRoute("spec.http2Route", spec.Http2Route)
	if r := spec.GrpcRoute; r != nil {
		c.hostname("spec.grpcRoute.match.hostname", r.Match.Hostname)
		match := like[api.GrpcRouteMatch](*r.Match)
		c.grpcMatch("spec.grpcRoute.match", &match)
		if r.Match.Hostname == nil && r.Match.ServiceName == nil && len(r.Match.Metadata) == 0 {
			c.refuse("spec.grpcRoute.match", "must have a hostname, a serviceName or metadata")
		}
	}
	return c.err()
}

func (c *checker) httpGatewayRoute(path string, r *api.HttpGatewayRoute) {
	if r == nil {
		return
	}
	m := r.Match
	c.hostname(path+".match.hostname", m.Hostname)
	match := like[api.HttpRouteMatch](*m)
	c.httpMatch(path+".match", &match)
	if m.Hostname == nil && m.Path == nil && m.Prefix == nil && m.Method == "" && len(m.Headers)+len(m.QueryParameters) == 0 {
		c.refuse(path+".match", "must have a prefix, a path, a hostname, a method, headers or queryParameters")
	}
	c.rewrite(path+".action.rewrite", r.Action.Rewrite, m)
}

func (c *checker) hostname(path string, h *api.GatewayRouteHostnameMatch) {
	if h != nil {
		c.exactly(path, choices{"exact": h.Exact != nil, "suffix": h.Suffix != nil})
	}
}

// rewrite holds the rewriting of a path to the way it is matched: a prefix by
// a prefix, the whole path by one (App Mesh user guide, Gateway routes).
func (c *checker) rewrite(path string, w *api.HttpGatewayRouteRewrite, m *api.HttpGatewayRouteMatch) {
	if w == nil {
		return
	}
	c.most(path, choices{"path": w.Path != nil, "prefix": w.Prefix != nil})
	if p := w.Prefix; p != nil {
		c.exactly(path+".prefix", choices{"defaultPrefix": p.DefaultPrefix != "", "value": p.Value != nil})
		if m.Prefix == nil {
			c.refuse(path+".prefix", "needs a match by prefix")
		}
		if p.Value != nil && !strings.HasPrefix(*p.Value, "/") {
			c.refuse(path+".prefix.value", "must begin with /")
		}
	}
	if p := w.Path; p != nil {
		if m.Path == nil {
			c.refuse(path+".path", "needs a match by path")
		}
		if !strings.HasPrefix(value(p.Exact), "/") {
			c.refuse(path+".path.exact", "must begin with /")
		}
	}
}
