package mesh

import (
	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
)

func everything() *xdsapi.RouteMatch {
	return &xdsapi.RouteMatch{PathSpecifier: &xdsapi.RouteMatch_Prefix{Prefix: "/"}}
}

func exactly(s string) *xdsapi.StringMatcher {
	return &xdsapi.StringMatcher{MatchPattern: &xdsapi.StringMatcher_Exact{Exact: s}}
}

func expression(s string) *xdsapi.RegexMatcher { return &xdsapi.RegexMatcher{Regex: s} }

// httpMatch takes what a route of HTTP takes. Nothing said of the path takes
// every path.
func httpMatch(m api.HttpRouteMatch) *xdsapi.RouteMatch {
	out := everything()
	switch p := value(m.Path); {
	case p.Exact != nil:
		out.PathSpecifier = &xdsapi.RouteMatch_Path{Path: *p.Exact}
	case p.Regex != nil:
		out.PathSpecifier = &xdsapi.RouteMatch_SafeRegex{SafeRegex: expression(*p.Regex)}
	case m.Prefix != nil:
		out.PathSpecifier = &xdsapi.RouteMatch_Prefix{Prefix: *m.Prefix}
	}
	if m.Method != "" {
		out.Headers = append(out.Headers, pseudo(":method", string(m.Method)))
	}
	if m.Scheme != "" {
		out.Headers = append(out.Headers, pseudo(":scheme", string(m.Scheme)))
	}
	for _, h := range m.Headers {
		out.Headers = append(out.Headers, headerMatch(value(h.Name), h.Match, value(h.Invert)))
	}
	for _, q := range m.QueryParameters {
		out.QueryParameters = append(out.QueryParameters, queryMatch(q))
	}
	return out
}

// grpcMatch takes what a route of gRPC takes: a service, a method of it, metadata.
func grpcMatch(m api.GrpcRouteMatch) *xdsapi.RouteMatch {
	out := everything()
	out.Grpc = &xdsapi.RouteMatch_GrpcRouteMatchOptions{}
	switch {
	case m.ServiceName != nil && m.MethodName != nil:
		out.PathSpecifier = &xdsapi.RouteMatch_Path{Path: "/" + *m.ServiceName + "/" + *m.MethodName}
	case m.ServiceName != nil:
		out.PathSpecifier = &xdsapi.RouteMatch_Prefix{Prefix: "/" + *m.ServiceName + "/"}
	}
	for _, d := range m.Metadata {
		var by *api.HeaderMatchMethod
		if d.Match != nil {
			by = new(api.HeaderMatchMethod(*d.Match))
		}
		out.Headers = append(out.Headers, headerMatch(value(d.Name), by, value(d.Invert)))
	}
	return out
}

func pseudo(name, is string) *xdsapi.HeaderMatcher {
	return &xdsapi.HeaderMatcher{Name: name, HeaderMatchSpecifier: &xdsapi.HeaderMatcher_StringMatch{StringMatch: exactly(is)}}
}

// headerMatch wants a header to be there when it is not said how.
func headerMatch(name string, by *api.HeaderMatchMethod, invert bool) *xdsapi.HeaderMatcher {
	out := &xdsapi.HeaderMatcher{Name: name, InvertMatch: invert}
	text := func(m *xdsapi.StringMatcher) {
		out.HeaderMatchSpecifier = &xdsapi.HeaderMatcher_StringMatch{StringMatch: m}
	}
	switch m := value(by); {
	case m.Exact != nil:
		text(exactly(*m.Exact))
	case m.Prefix != nil:
		text(&xdsapi.StringMatcher{MatchPattern: &xdsapi.StringMatcher_Prefix{Prefix: *m.Prefix}})
	case m.Suffix != nil:
		text(&xdsapi.StringMatcher{MatchPattern: &xdsapi.StringMatcher_Suffix{Suffix: *m.Suffix}})
	case m.Regex != nil:
		text(&xdsapi.StringMatcher{MatchPattern: &xdsapi.StringMatcher_SafeRegex{SafeRegex: expression(*m.Regex)}})
	case m.Range != nil:
		out.HeaderMatchSpecifier = &xdsapi.HeaderMatcher_RangeMatch{RangeMatch: &xdsapi.Int64Range{Start: value(m.Range.Start), End: value(m.Range.End)}}
	default:
		out.HeaderMatchSpecifier = &xdsapi.HeaderMatcher_PresentMatch{PresentMatch: true}
	}
	return out
}

func queryMatch(q api.HttpQueryParameter) *xdsapi.QueryParameterMatcher {
	out := &xdsapi.QueryParameterMatcher{
		Name: value(q.Name), QueryParameterMatchSpecifier: &xdsapi.QueryParameterMatcher_PresentMatch{PresentMatch: true},
	}
	if m := value(q.Match); m.Exact != nil {
		out.QueryParameterMatchSpecifier = &xdsapi.QueryParameterMatcher_StringMatch{StringMatch: exactly(*m.Exact)}
	}
	return out
}
