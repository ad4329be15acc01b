package sidecar

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// defaultTimeout is Envoy's of a route.
const defaultTimeout = 15 * time.Second

// rules are the routes of a virtual host, in order.
func (t *translation) rules(h *xdsapi.VirtualHost) ([]proxy.Rule, error) {
	var all []proxy.Rule
	for i, r := range h.GetRoutes() {
		id := r.GetName()
		if id == "" {
			id = strconv.Itoa(i)
		}
		conditions, err := conditions(r.GetMatch())
		if err != nil {
			return nil, fmt.Errorf("virtual host %s, route %s: %w", h.GetName(), id, err)
		}
		action, err := t.action(r)
		if err != nil {
			return nil, fmt.Errorf("virtual host %s, route %s: %w", h.GetName(), id, err)
		}
		all = append(all, proxy.Rule{ID: id, Priority: strconv.Itoa(i), Conditions: conditions, Action: action})
	}
	return all, nil
}

func conditions(m *xdsapi.RouteMatch) ([]proxy.Condition, error) {
	var all []proxy.Condition
	switch p := m.GetPathSpecifier().(type) {
	case *xdsapi.RouteMatch_Prefix:
		if p.Prefix != "/" && p.Prefix != "" {
			all = append(all, proxy.Condition{Field: proxy.PathPattern, Prefix: []string{p.Prefix}})
		}
	case *xdsapi.RouteMatch_Path:
		all = append(all, proxy.Condition{Field: proxy.PathPattern, Exact: []string{p.Path}})
	case *xdsapi.RouteMatch_SafeRegex:
		all = append(all, proxy.Condition{Field: proxy.PathPattern, Regex: []string{p.SafeRegex.GetRegex()}})
	default:
		return nil, fmt.Errorf("a route matches by prefix, path or regular expression; this one has %T", p)
	}
	for _, h := range m.GetHeaders() {
		c, err := headerCondition(h)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	for _, q := range m.GetQueryParameters() {
		c := proxy.Condition{Field: proxy.QueryParameter, Name: q.GetName()}
		if q.GetStringMatch() == nil {
			c.Present = true
		} else if err := text(&c, q.GetStringMatch()); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	if m.GetGrpc() != nil {
		all = append(all, proxy.Condition{Field: proxy.HTTPHeader, Name: "content-type", Prefix: []string{"application/grpc"}})
	}
	return all, nil
}

// headerCondition knows the pseudo-headers that a request line holds too.
func headerCondition(h *xdsapi.HeaderMatcher) (proxy.Condition, error) {
	c := proxy.Condition{Field: proxy.HTTPHeader, Name: h.GetName(), Not: h.GetInvertMatch()}
	switch h.GetName() {
	case ":method":
		c.Field, c.Name = proxy.Method, ""
	case ":scheme":
		c.Field, c.Name = proxy.Scheme, ""
	case ":authority", "host":
		c.Field, c.Name = proxy.HostHeader, ""
	case ":path":
		c.Field, c.Name = proxy.PathPattern, ""
	}
	switch by := h.GetHeaderMatchSpecifier().(type) {
	case *xdsapi.HeaderMatcher_StringMatch:
		return c, text(&c, by.StringMatch)
	case *xdsapi.HeaderMatcher_RangeMatch:
		c.Range = &proxy.Range{From: by.RangeMatch.GetStart(), To: by.RangeMatch.GetEnd()}
	case *xdsapi.HeaderMatcher_PresentMatch:
		c.Present = true
		c.Not = c.Not != !by.PresentMatch
	default:
		c.Present = true
	}
	return c, nil
}

func text(c *proxy.Condition, m *xdsapi.StringMatcher) error {
	if m.GetIgnoreCase() {
		return fmt.Errorf("match of %s without regard to case: this proxy does not do that", c.Name)
	}
	switch by := m.GetMatchPattern().(type) {
	case *xdsapi.StringMatcher_Exact:
		c.Exact = []string{by.Exact}
	case *xdsapi.StringMatcher_Prefix:
		c.Prefix = []string{by.Prefix}
	case *xdsapi.StringMatcher_Suffix:
		c.Suffix = []string{by.Suffix}
	case *xdsapi.StringMatcher_SafeRegex:
		c.Regex = []string{by.SafeRegex.GetRegex()}
	default:
		return fmt.Errorf("match of %s by %T: this proxy does not do that", c.Name, by)
	}
	return nil
}

func (t *translation) action(r *xdsapi.Route) (proxy.Action, error) {
	switch a := r.GetAction().(type) {
	case *xdsapi.Route_DirectResponse:
		return proxy.Action{Fixed: &proxy.Fixed{
			Status: int(a.DirectResponse.GetStatus()), ContentType: "text/plain", Body: a.DirectResponse.GetBody().GetInlineString(),
		}}, nil
	case *xdsapi.Route_Redirect:
		out := &proxy.Redirect{Host: a.Redirect.GetHostRedirect(), Path: a.Redirect.GetPathRedirect(), Status: 301}
		if a.Redirect.GetHttpsRedirect() {
			out.Protocol = "HTTPS"
		}
		return proxy.Action{Redirect: out}, nil
	case *xdsapi.Route_Route:
		f, err := t.forward(r.GetMatch(), a.Route)
		return proxy.Action{Forward: f}, err
	}
	return proxy.Action{}, fmt.Errorf("action %T: a route forwards, redirects or answers itself", r.GetAction())
}

func (t *translation) forward(m *xdsapi.RouteMatch, a *xdsapi.RouteAction) (*proxy.Forward, error) {
	f := &proxy.Forward{Timeout: duration(a.GetTimeout(), defaultTimeout), Idle: duration(a.GetIdleTimeout(), defaultStreamIdle)}
	if name := a.GetCluster(); name != "" {
		f.Groups = []proxy.Weighted{{Group: t.group(name), Weight: 1}}
	}
	for _, w := range a.GetWeightedClusters().GetClusters() {
		f.Groups = append(f.Groups, proxy.Weighted{Group: t.group(w.GetName()), Weight: int(w.GetWeight().GetValue())})
	}
	if len(f.Groups) == 0 {
		return nil, fmt.Errorf("the route names no cluster")
	}
	f.Retry = retry(a.GetRetryPolicy())
	rw := proxy.Rewrite{Host: a.GetHostRewriteLiteral()}
	if a.GetPrefixRewrite() != "" {
		if exact := m.GetPath(); exact != "" {
			rw.Path = a.GetPrefixRewrite()
		} else {
			rw.Prefix, rw.Match = a.GetPrefixRewrite(), m.GetPrefix()
		}
	}
	if re := a.GetRegexRewrite(); re != nil {
		rw.Regex, rw.Substitute = re.GetPattern().GetRegex(), re.GetSubstitution()
	}
	if rw != (proxy.Rewrite{}) {
		f.Rewrite = &rw
	}
	return f, nil
}

// retry reads Envoy's words for when to try again ("retry_on").
func retry(p *xdsapi.RetryPolicy) *proxy.Retry {
	if p == nil {
		return nil
	}
	r := &proxy.Retry{Max: 1, PerTry: duration(p.GetPerTryTimeout(), 0), Backoff: duration(p.GetRetryBackOff().GetBaseInterval(), 0)}
	if n := p.GetNumRetries(); n != nil {
		r.Max = int(n.GetValue())
	}
	for on := range strings.SplitSeq(p.GetRetryOn(), ",") {
		switch strings.TrimSpace(on) {
		case "5xx":
			r.Status = append(r.Status, 5)
			r.Connect, r.Reset, r.Refused = true, true, true
		case "gateway-error":
			r.Status = append(r.Status, 502, 503, 504)
			r.Connect, r.Reset, r.Refused = true, true, true
		case "retriable-4xx":
			r.Status = append(r.Status, 409)
		case "retriable-status-codes":
			for _, code := range p.GetRetriableStatusCodes() {
				r.Status = append(r.Status, int(code))
			}
		case "connect-failure":
			r.Connect = true
		case "reset", "reset-before-request":
			r.Reset = true
		case "refused-stream":
			r.Refused = true
		case "cancelled":
			r.GRPC = append(r.GRPC, 1)
		case "deadline-exceeded":
			r.GRPC = append(r.GRPC, 4)
		case "resource-exhausted":
			r.GRPC = append(r.GRPC, 8)
		case "internal":
			r.GRPC = append(r.GRPC, 13)
		case "unavailable":
			r.GRPC = append(r.GRPC, 14)
		}
	}
	return r
}
