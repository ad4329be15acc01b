package elbv2

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/dataplane/proxy"
	"github.com/slipway-dev/slipway/kernel/store"
)

// planner turns a snapshot into the proxy's configuration: a pure function
// of the rows and the settings here.
type planner struct {
	r        store.Reader
	scaled   func(time.Duration) time.Duration
	hostAddr func(port int) string
	hostPort func(port int) int
	// certificate gives the certificate of an ARN, used for the names.
	certificate func(id string, names []string) (tls.Certificate, error)
}

// vpcSocket is the address of a node's socket, as listen takes it.
func vpcSocket(vpc, ip string, port int) string { return fmt.Sprintf("%s/%s:%d", vpc, ip, port) }

// plan builds the whole configuration. Errors are listeners left out.
func (p planner) plan() (proxy.Config, []error) {
	var cfg proxy.Config
	var errs []error
	owners := map[string]LoadBalancer{} // by group
	for b := range LoadBalancers.List(p.r, "") {
		for l := range Listeners.By(p.r, "loadbalancer", b.ARN) {
			rules := rulesOf(p.r, l.ARN)
			v, err := p.listener(b, l, rules)
			if err != nil {
				errs = append(errs, &proxy.ListenError{Listener: l.ARN, Err: err})
				continue
			}
			for _, n := range b.Nodes {
				inside := v
				inside.ID, inside.Addr = v.ID+"@"+n.Zone, vpcSocket(b.VPC, n.IP, l.Port)
				cfg.Listeners = append(cfg.Listeners, inside)
			}
			v.Rules = p.outside(v.Rules)
			cfg.Listeners = append(cfg.Listeners, v)
			for _, u := range rules {
				for _, id := range groupsOf(u.Actions) {
					owners[id] = b
				}
			}
		}
	}
	for g := range TargetGroups.List(p.r, "") {
		if b, ok := owners[g.ARN]; ok {
			cfg.Groups = append(cfg.Groups, p.group(g, b))
		}
	}
	return cfg, errs
}

func (p planner) listener(b LoadBalancer, l Listener, rules []Rule) (proxy.Listener, error) {
	attr := func(key string) string { return valueOf(balancerAttributes, b.Attributes, key) }
	seconds := func(key string) time.Duration { return time.Duration(atoi(attr(key))) * time.Second }
	v := proxy.Listener{
		ID: l.ARN, Owner: b.ARN, Addr: p.hostAddr(l.Port), Port: l.Port, Names: names(b, rules),
		Settings: proxy.Settings{
			IdleTimeout: seconds("idle_timeout.timeout_seconds"), KeepAlive: seconds("client_keep_alive.seconds"),
			Server: "awselb/2.0", Trace: true, HTTP2: attr("routing.http2.enabled") == "true",
			DropInvalidFields:   attr("routing.http.drop_invalid_header_fields.enabled") == "true",
			ForwardedClientPort: attr("routing.http.xff_client_port.enabled") == "true",
			TLSFields:           attr("routing.http.x_amzn_tls_version_and_cipher_suite.enabled") == "true",
			AccessLog:           attr("access_logs.s3.enabled") == "true",
			ResponseFields:      l.responseFields(),
		},
	}
	switch attr("routing.http.xff_header_processing.mode") {
	case "preserve":
		v.Settings.Forwarded = proxy.Preserve
	case "remove":
		v.Settings.Forwarded = proxy.Remove
	}
	if valueOf(listenerAttributes, l.Attributes, "routing.http.response.server.enabled") == "false" {
		v.Settings.Server = ""
	}
	for _, u := range rules {
		r := proxy.Rule{ID: u.ARN, Priority: u.priority()}
		for _, c := range u.Conditions {
			pc, err := condition(c)
			if err != nil {
				return v, err
			}
			r.Conditions = append(r.Conditions, pc)
		}
		r.Action = action(u.Actions)
		v.Rules = append(v.Rules, r)
	}
	if l.Protocol != "HTTPS" {
		return v, nil
	}
	pol, err := policyNamed(l.SSLPolicy)
	if err != nil {
		return v, err
	}
	v.TLS = &proxy.TLS{MinVersion: pol.min, CipherSuites: pol.suites()}
	for _, id := range l.Certificates {
		c, err := p.certificate(id, v.Names)
		if err != nil {
			return v, err
		}
		v.TLS.Certificates = append(v.TLS.Certificates, c)
	}
	return v, nil
}

// outside are rules as clients on the host need them: redirects to the port
// the host has in place of the listener's.
func (p planner) outside(rules []proxy.Rule) []proxy.Rule {
	out := slices.Clone(rules)
	for i, r := range out {
		if d := r.Action.Redirect; d != nil && atoi(d.Port) > 0 {
			to := *d
			to.Port = strconv.Itoa(p.hostPort(atoi(d.Port)))
			out[i].Action.Redirect = &to
		}
	}
	return out
}

// names are the host names a load balancer is found by: its own, and those
// its rules ask for by name.
func names(b LoadBalancer, rules []Rule) []string {
	out := []string{b.Host()}
	for _, u := range rules {
		for _, c := range u.Conditions {
			if c.HostHeaderConfig == nil {
				continue
			}
			for _, v := range c.HostHeaderConfig.Values {
				if v = strings.ToLower(v); !strings.ContainsAny(v, "*?") && !slices.Contains(out, v) {
					out = append(out, v)
				}
			}
		}
	}
	return out
}

// responseFields are the header fields a listener's attributes set.
func (l Listener) responseFields() (out [][2]string) {
	for _, a := range listenerAttributes {
		name, ok := strings.CutSuffix(strings.TrimPrefix(a.key, "routing.http.response."), ".header_value")
		if v := l.Attributes[a.key]; ok && v != "" {
			out = append(out, [2]string{strings.ReplaceAll(name, "_", "-"), v})
		}
	}
	return out
}

func action(actions []elbv2api.Action) (out proxy.Action) {
	a := actions[len(actions)-1]
	switch {
	case a.RedirectConfig != nil:
		c := a.RedirectConfig
		out.Redirect = &proxy.Redirect{
			Protocol: strings.ToLower(val(c.Protocol)), Host: val(c.Host), Port: val(c.Port), Path: val(c.Path), Query: strings.TrimPrefix(val(c.Query), "?"),
			Status: atoi(strings.TrimPrefix(string(c.StatusCode), "HTTP_")),
		}
	case a.FixedResponseConfig != nil:
		c := a.FixedResponseConfig
		out.Fixed = &proxy.Fixed{Status: atoi(val(c.StatusCode)), ContentType: val(c.ContentType), Body: val(c.MessageBody)}
	default:
		f := &proxy.Forward{}
		for _, t := range tuples(a) {
			f.Groups = append(f.Groups, proxy.Weighted{Group: *t.TargetGroupArn, Weight: int(val(t.Weight))})
		}
		if a.ForwardConfig != nil {
			if st := a.ForwardConfig.TargetGroupStickinessConfig; st != nil && val(st.Enabled) {
				f.Sticky = time.Duration(val(st.DurationSeconds)) * time.Second
			}
		}
		out.Forward = f
	}
	return out
}

// group is the data plane's side of a target group of b. Targets that have
// not passed their first check are not in it, so that a request meets 503
// rather than a process that is still starting.
func (p planner) group(g TargetGroup, b LoadBalancer) proxy.Group {
	out := proxy.Group{
		ID: g.ARN, Network: b.origin(), Version: proxy.Version(g.ProtocolVersion), Balance: proxy.Balance(g.attribute("load_balancing.algorithm.type")),
		SlowStart: p.scaled(time.Duration(atoi(g.attribute("slow_start.duration_seconds"))) * time.Second),
	}
	if g.Protocol == "HTTPS" {
		out.TLS = targetTLS
	}
	if g.attribute("stickiness.enabled") == "true" {
		kind := g.attribute("stickiness.type")
		out.Sticky = &proxy.Sticky{Duration: time.Duration(atoi(g.attribute("stickiness."+kind+".duration_seconds"))) * time.Second}
		if kind == "app_cookie" {
			out.Sticky.Cookie = g.attribute("stickiness.app_cookie.cookie_name")
		}
	}
	for t := range Targets.By(p.r, "group", g.ARN) {
		target := proxy.Target{Addr: t.addr(), Since: t.HealthyAt}
		switch t.State {
		case Healthy:
			target.State = proxy.Healthy
		case Unhealthy:
			target.State = proxy.Unhealthy
		case Draining:
			target.State = proxy.Draining
		default:
			continue
		}
		out.Targets = append(out.Targets, target)
	}
	return out
}

// targetTLS is for targets that speak TLS: as an ALB, which does not check
// their certificates, since they are reached by address inside the VPC.
var targetTLS = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // ALB semantics, see above

// origin is where a load balancer dials from.
func (b LoadBalancer) origin() string {
	if len(b.Nodes) == 0 {
		return b.VPC + "/"
	}
	return b.VPC + "/" + b.Nodes[0].IP
}
