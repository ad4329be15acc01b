package elbv2

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/store"
)

// attribute is a setting by name: its default, and what values it takes (a
// regular expression, or a range of numbers).
type attribute struct {
	key, initial string
	pattern      string // default: true or false
	min, max     int    // with pattern "number"
}

const number = "number"

// Sources: API reference, LoadBalancerAttribute, TargetGroupAttribute and
// ListenerAttribute. Order is the order of the answers.
var (
	balancerAttributes = []attribute{
		{key: "access_logs.s3.enabled", initial: "false"},
		{key: "access_logs.s3.bucket", pattern: `[a-z0-9.-]{0,63}`},
		{key: "access_logs.s3.prefix", pattern: `.*`},
		{key: "idle_timeout.timeout_seconds", initial: "60", pattern: number, min: 1, max: 4000},
		{key: "deletion_protection.enabled", initial: "false"},
		{key: "routing.http2.enabled", initial: "true"},
		{key: "routing.http.drop_invalid_header_fields.enabled", initial: "false"},
		{key: "routing.http.xff_client_port.enabled", initial: "false"},
		{key: "routing.http.preserve_host_header.enabled", initial: "false"},
		{key: "routing.http.xff_header_processing.mode", initial: "append", pattern: `append|preserve|remove`},
		{key: "load_balancing.cross_zone.enabled", initial: "true", pattern: `true`},
		{key: "routing.http.desync_mitigation_mode", initial: "defensive", pattern: `monitor|defensive|strictest`},
		{key: "client_keep_alive.seconds", initial: "3600", pattern: number, min: 60, max: 604800},
		{key: "waf.fail_open.enabled", initial: "false"},
		{key: "routing.http.x_amzn_tls_version_and_cipher_suite.enabled", initial: "false"},
		{key: "zonal_shift.config.enabled", initial: "false"},
		{key: "connection_logs.s3.enabled", initial: "false", pattern: `false`}, // the engine writes none
		{key: "connection_logs.s3.bucket", pattern: `[a-z0-9.-]{0,63}`},
		{key: "connection_logs.s3.prefix", pattern: `.*`},
		{key: "ipv6.deny_all_igw_traffic", initial: "false"},
	}
	groupAttributes = []attribute{
		{key: "stickiness.enabled", initial: "false"},
		{key: "deregistration_delay.timeout_seconds", initial: "300", pattern: number, max: 3600},
		{key: "stickiness.app_cookie.cookie_name", pattern: `[^\s;,=]{0,256}`},
		{key: "stickiness.type", initial: "lb_cookie", pattern: `lb_cookie|app_cookie`},
		{key: "stickiness.lb_cookie.duration_seconds", initial: "86400", pattern: number, min: 1, max: 604800},
		{key: "slow_start.duration_seconds", initial: "0", pattern: number, max: 900},
		{key: "stickiness.app_cookie.duration_seconds", initial: "86400", pattern: number, min: 1, max: 604800},
		{key: "load_balancing.algorithm.type", initial: "round_robin", pattern: `round_robin|least_outstanding_requests|weighted_random`},
		{key: "load_balancing.algorithm.anomaly_mitigation", initial: "off", pattern: `on|off`},
		{key: "load_balancing.cross_zone.enabled", initial: "use_load_balancer_configuration", pattern: `true|false|use_load_balancer_configuration`},
		{key: "target_group_health.dns_failover.minimum_healthy_targets.count", initial: "1", pattern: `off|[0-9]+`},
		{key: "target_group_health.dns_failover.minimum_healthy_targets.percentage", initial: "off", pattern: `off|[0-9]+`},
		{key: "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", initial: "1", pattern: `[0-9]+`},
		{key: "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", initial: "off", pattern: `off|[0-9]+`},
	}
	listenerAttributes = []attribute{
		{key: "routing.http.response.server.enabled", initial: "true"},
		headerAttribute("strict_transport_security"),
		headerAttribute("access_control_allow_origin"),
		headerAttribute("access_control_allow_methods"),
		headerAttribute("access_control_allow_headers"),
		headerAttribute("access_control_allow_credentials"),
		headerAttribute("access_control_expose_headers"),
		headerAttribute("access_control_max_age"),
		headerAttribute("content_security_policy"),
		headerAttribute("x_content_type_options"),
		headerAttribute("x_frame_options"),
	}
)

func headerAttribute(name string) attribute {
	return attribute{key: "routing.http.response." + name + ".header_value", pattern: `[\x20-\x7e]{0,1024}`}
}

// changeAttributes sets given pairs over old and returns only what differs
// from the defaults.
func changeAttributes(known []attribute, old map[string]string, pairs [][2]string) (map[string]string, error) {
	out := maps.Clone(old)
	if out == nil {
		out = map[string]string{}
	}
	for _, p := range pairs {
		at := -1
		for i, a := range known {
			if a.key == p[0] {
				at = i
			}
		}
		if at < 0 {
			return nil, errValidation("Attribute key '%s' is not recognized", p[0])
		}
		a := known[at]
		if !a.takes(p[1]) {
			return nil, errConfiguration("Attribute value '%s' for key '%s' is not valid", p[1], p[0])
		}
		if out[a.key] = p[1]; p[1] == a.initial {
			delete(out, a.key)
		}
	}
	return out, nil
}

func (a attribute) takes(v string) bool {
	switch a.pattern {
	case "":
		return v == "true" || v == "false"
	case number:
		n, err := strconv.Atoi(v)
		return err == nil && n >= a.min && n <= a.max
	}
	ok, _ := regexp.MatchString(`^(?:`+a.pattern+`)$`, v)
	return ok
}

// valueOf is an attribute's value, its default when it is not set.
func valueOf(known []attribute, set map[string]string, key string) string {
	if v, ok := set[key]; ok {
		return v
	}
	for _, a := range known {
		if a.key == key {
			return a.initial
		}
	}
	return ""
}

// pairs reads any of the three attribute types of the API.
func pairs[A any](in []A, split func(A) (key, value *string)) (out [][2]string) {
	for _, a := range in {
		k, v := split(a)
		out = append(out, [2]string{val(k), val(v)})
	}
	return out
}

func described[A any](known []attribute, set map[string]string, hide func(key string) bool, join func(key, value *string) A) []A {
	out := make([]A, 0, len(known))
	for _, a := range known {
		if hide == nil || !hide(a.key) {
			out = append(out, join(new(a.key), new(valueOf(known, set, a.key))))
		}
	}
	return out
}

// DescribeLoadBalancerAttributes lists all attributes.
func (s *Service) DescribeLoadBalancerAttributes(ctx context.Context, in *elbv2api.DescribeLoadBalancerAttributesInput) (*elbv2api.DescribeLoadBalancerAttributesOutput, error) {
	b, err := balancer(s.store.Snapshot(), scopeOf(ctx), val(in.LoadBalancerArn))
	if err != nil {
		return nil, err
	}
	return &elbv2api.DescribeLoadBalancerAttributesOutput{Attributes: b.attributes()}, nil
}

func (b LoadBalancer) attributes() []elbv2api.LoadBalancerAttribute {
	return described(balancerAttributes, b.Attributes, nil, func(k, v *string) elbv2api.LoadBalancerAttribute {
		return elbv2api.LoadBalancerAttribute{Key: k, Value: v}
	})
}

// ModifyLoadBalancerAttributes sets attributes.
func (s *Service) ModifyLoadBalancerAttributes(ctx context.Context, in *elbv2api.ModifyLoadBalancerAttributesInput) (*elbv2api.ModifyLoadBalancerAttributesOutput, error) {
	given := pairs(in.Attributes, func(a elbv2api.LoadBalancerAttribute) (*string, *string) { return a.Key, a.Value })
	changed := func(r store.Reader) (LoadBalancer, error) {
		b, err := balancer(r, scopeOf(ctx), val(in.LoadBalancerArn))
		if err == nil {
			b.Attributes, err = changeAttributes(balancerAttributes, b.Attributes, given)
		}
		return b, err
	}
	b, err := changed(s.store.Snapshot())
	if err == nil && slices.ContainsFunc(given, func(p [2]string) bool { return strings.HasPrefix(p[0], "access_logs.") }) {
		err = s.checkLogs(ctx, b)
	}
	if err != nil {
		return nil, err
	}
	return update(s, func(tx *store.Tx) (*elbv2api.ModifyLoadBalancerAttributesOutput, error) {
		b, err := changed(tx)
		if err != nil {
			return nil, err
		}
		LoadBalancers.Put(tx, b)
		return &elbv2api.ModifyLoadBalancerAttributesOutput{Attributes: b.attributes()}, nil
	})
}

// DescribeTargetGroupAttributes lists all attributes.
func (s *Service) DescribeTargetGroupAttributes(ctx context.Context, in *elbv2api.DescribeTargetGroupAttributesInput) (*elbv2api.DescribeTargetGroupAttributesOutput, error) {
	g, err := group(s.store.Snapshot(), scopeOf(ctx), val(in.TargetGroupArn))
	if err != nil {
		return nil, err
	}
	return &elbv2api.DescribeTargetGroupAttributesOutput{Attributes: g.attributes()}, nil
}

func (g TargetGroup) attributes() []elbv2api.TargetGroupAttribute {
	return described(groupAttributes, g.Attributes, nil, func(k, v *string) elbv2api.TargetGroupAttribute {
		return elbv2api.TargetGroupAttribute{Key: k, Value: v}
	})
}

func (g TargetGroup) attribute(key string) string { return valueOf(groupAttributes, g.Attributes, key) }

// ModifyTargetGroupAttributes sets attributes.
func (s *Service) ModifyTargetGroupAttributes(ctx context.Context, in *elbv2api.ModifyTargetGroupAttributesInput) (*elbv2api.ModifyTargetGroupAttributesOutput, error) {
	return update(s, func(tx *store.Tx) (*elbv2api.ModifyTargetGroupAttributesOutput, error) {
		g, err := group(tx, scopeOf(ctx), val(in.TargetGroupArn))
		if err != nil {
			return nil, err
		}
		g.Attributes, err = changeAttributes(groupAttributes, g.Attributes,
			pairs(in.Attributes, func(a elbv2api.TargetGroupAttribute) (*string, *string) { return a.Key, a.Value }))
		if err != nil {
			return nil, err
		}
		if err := g.checkAttributes(); err != nil {
			return nil, err
		}
		TargetGroups.Put(tx, g)
		return &elbv2api.ModifyTargetGroupAttributesOutput{Attributes: g.attributes()}, nil
	})
}

func (g TargetGroup) checkAttributes() error {
	slow := atoi(g.attribute("slow_start.duration_seconds"))
	switch {
	case slow > 0 && slow < 30:
		return errConfiguration("Slow start duration must be 0 or between 30 and 900 seconds")
	case slow > 0 && g.attribute("load_balancing.algorithm.type") != "round_robin":
		return errConfiguration("Slow start cannot be used with the algorithm '%s'", g.attribute("load_balancing.algorithm.type"))
	}
	if g.attribute("stickiness.enabled") == "true" && g.attribute("stickiness.type") == "app_cookie" {
		name := g.attribute("stickiness.app_cookie.cookie_name")
		if name == "" {
			return errConfiguration("A cookie name must be specified for stickiness of type 'app_cookie'")
		}
		if strings.HasPrefix(name, "AWSALB") {
			return errConfiguration("Cookie name '%s' is reserved", name)
		}
	}
	return nil
}

// DescribeListenerAttributes lists all attributes.
func (s *Service) DescribeListenerAttributes(ctx context.Context, in *elbv2api.DescribeListenerAttributesInput) (*elbv2api.DescribeListenerAttributesOutput, error) {
	l, err := listener(s.store.Snapshot(), scopeOf(ctx), val(in.ListenerArn))
	if err != nil {
		return nil, err
	}
	return &elbv2api.DescribeListenerAttributesOutput{Attributes: l.attributes()}, nil
}

func (l Listener) attributes() []elbv2api.ListenerAttribute {
	return described(listenerAttributes, l.Attributes, nil, func(k, v *string) elbv2api.ListenerAttribute {
		return elbv2api.ListenerAttribute{Key: k, Value: v}
	})
}

// ModifyListenerAttributes sets attributes.
func (s *Service) ModifyListenerAttributes(ctx context.Context, in *elbv2api.ModifyListenerAttributesInput) (*elbv2api.ModifyListenerAttributesOutput, error) {
	return update(s, func(tx *store.Tx) (*elbv2api.ModifyListenerAttributesOutput, error) {
		l, err := listener(tx, scopeOf(ctx), val(in.ListenerArn))
		if err != nil {
			return nil, err
		}
		l.Attributes, err = changeAttributes(listenerAttributes, l.Attributes,
			pairs(in.Attributes, func(a elbv2api.ListenerAttribute) (*string, *string) { return a.Key, a.Value }))
		if err != nil {
			return nil, err
		}
		Listeners.Put(tx, l)
		return &elbv2api.ModifyListenerAttributesOutput{Attributes: l.attributes()}, nil
	})
}
