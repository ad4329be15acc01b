package elbv2

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/store"
)

var (
	fixedStatus  = regexp.MustCompile(`^(2|4|5)\d\d$`)
	fixedKinds   = []string{"text/plain", "text/css", "text/html", "application/javascript", "application/json"}
	redirectPort = regexp.MustCompile(`^(\d{1,5}|#\{port\})$`)
)

// checkActions validates the actions of a rule of l and brings them into the
// one form kept: order and both ways to name a group filled in.
func checkActions(r store.Reader, l Listener, in []elbv2api.Action) ([]elbv2api.Action, error) {
	if len(in) == 0 {
		return nil, errValidation("At least one action must be specified")
	}
	if len(in) > 1 {
		return nil, fault("TooManyActions", "Only one action is supported by this engine: authentication actions are not available")
	}
	a := in[0]
	if o := val(a.Order); a.Order != nil && (o < 1 || o > 50000) {
		return nil, errValidation("Action order '%d' must be between 1 and 50000", o)
	}
	a.Order = new(int32(1))
	var err error
	switch a.Type {
	case "forward":
		a, err = checkForward(r, l, a)
	case "redirect":
		a, err = checkRedirect(l, a)
	case "fixed-response":
		a, err = checkFixed(a)
	default:
		err = fault("InvalidLoadBalancerAction", "Actions of type '%s' are not supported by this engine", a.Type)
	}
	return []elbv2api.Action{a}, err
}

func checkForward(r store.Reader, l Listener, a elbv2api.Action) (elbv2api.Action, error) {
	if f := a.ForwardConfig; f != nil && a.TargetGroupArn != nil &&
		(len(f.TargetGroups) != 1 || val(f.TargetGroups[0].TargetGroupArn) != *a.TargetGroupArn) {
		return a, errValidation("You cannot specify both a target group ARN and a forward configuration with a different target group")
	}
	groups := slices.Clone(tuples(a))
	if len(groups) == 0 {
		return a, errValidation("A target group ARN must be specified")
	}
	if len(groups) > maxActionGroups {
		return a, errTooMany("TooManyUniqueTargetGroupsPerLoadBalancer", "The maximum number of target groups per action has been reached")
	}
	sticky := &elbv2api.TargetGroupStickinessConfig{Enabled: new(false)}
	if f := a.ForwardConfig; f != nil && f.TargetGroupStickinessConfig != nil {
		sticky = f.TargetGroupStickinessConfig
		if d := val(sticky.DurationSeconds); val(sticky.Enabled) && (d < 1 || d > 604800) {
			return a, errValidation("Target group stickiness duration must be between 1 and 604800 seconds")
		}
	}
	for i, t := range groups {
		if err := checkGroupUse(r, l, val(t.TargetGroupArn)); err != nil {
			return a, err
		}
		switch w := val(t.Weight); {
		case t.Weight == nil:
			groups[i].Weight = new(int32(1))
		case w < 0 || w > 999:
			return a, errValidation("Weight '%d' must be between 0 and 999", w)
		}
	}
	a.ForwardConfig = &elbv2api.ForwardActionConfig{TargetGroups: groups, TargetGroupStickinessConfig: sticky}
	a.TargetGroupArn = nil
	if len(groups) == 1 {
		a.TargetGroupArn = groups[0].TargetGroupArn
	}
	a.RedirectConfig, a.FixedResponseConfig = nil, nil
	return a, nil
}

// checkGroupUse refuses a group that this listener cannot forward to.
func checkGroupUse(r store.Reader, l Listener, id string) error {
	g, err := group(r, l.Scope, id)
	if err != nil {
		return err
	}
	if g.Protocol != "HTTP" && g.Protocol != "HTTPS" {
		return fault("IncompatibleProtocols", "The target group '%s' does not have the protocol HTTP or HTTPS", id)
	}
	if b, err := LoadBalancers.Get(r, l.LoadBalancerARN); err == nil && g.VPC != b.VPC {
		return errConfiguration("The target group '%s' is not in the load balancer's VPC '%s'", id, b.VPC)
	}
	if g.ProtocolVersion == "GRPC" && l.Protocol != "HTTPS" {
		return errConfiguration("Listener protocol 'HTTP' is not supported with a target group with the protocol-version 'GRPC'")
	}
	for _, other := range balancersOf(r, id) {
		if other != l.LoadBalancerARN {
			return fault("TargetGroupAssociationLimit", "The following target groups cannot be associated with more than one load balancer: %s", id)
		}
	}
	return nil
}

func checkRedirect(l Listener, a elbv2api.Action) (elbv2api.Action, error) {
	c := val(a.RedirectConfig)
	if c.StatusCode != "HTTP_301" && c.StatusCode != "HTTP_302" {
		return a, errValidation("Redirect status code '%s' must be HTTP_301 or HTTP_302", c.StatusCode)
	}
	or := func(p *string, otherwise string) *string {
		if val(p) == "" {
			return new(otherwise)
		}
		return p
	}
	c.Protocol, c.Host, c.Port = or(c.Protocol, "#{protocol}"), or(c.Host, "#{host}"), or(c.Port, "#{port}")
	c.Path, c.Query = or(c.Path, "/#{path}"), or(c.Query, "#{query}")
	switch {
	case !slices.Contains([]string{"HTTP", "HTTPS", "#{protocol}"}, *c.Protocol):
		return a, errValidation("Redirect protocol '%s' must be HTTP, HTTPS or #{protocol}", *c.Protocol)
	case l.Protocol == "HTTPS" && *c.Protocol == "HTTP":
		return a, fault("InvalidLoadBalancerAction", "You cannot redirect HTTPS to HTTP")
	case !redirectPort.MatchString(*c.Port):
		return a, errValidation("Redirect port '%s' must be a number from 1 to 65535 or #{port}", *c.Port)
	case !strings.HasPrefix(*c.Path, "/") || len(*c.Path) > 128:
		return a, errValidation("Redirect path '%s' must begin with '/' and be at most 128 characters long", *c.Path)
	case *c.Protocol == "#{protocol}" && *c.Host == "#{host}" && *c.Port == "#{port}" && *c.Path == "/#{path}":
		return a, fault("InvalidLoadBalancerAction", "The redirect configuration is not valid because it creates a loop.")
	}
	a.RedirectConfig, a.FixedResponseConfig, a.ForwardConfig, a.TargetGroupArn = &c, nil, nil, nil
	return a, nil
}

func checkFixed(a elbv2api.Action) (elbv2api.Action, error) {
	c := val(a.FixedResponseConfig)
	switch {
	case !fixedStatus.MatchString(val(c.StatusCode)):
		return a, errValidation("Fixed response status code '%s' must be of the form 2XX, 4XX or 5XX", val(c.StatusCode))
	case c.ContentType != nil && !slices.Contains(fixedKinds, *c.ContentType):
		return a, errValidation("Fixed response content type '%s' must be one of %s", *c.ContentType, strings.Join(fixedKinds, ", "))
	case len(val(c.MessageBody)) > 1024:
		return a, errValidation("Fixed response message body cannot be longer than 1024 characters")
	}
	a.FixedResponseConfig, a.RedirectConfig, a.ForwardConfig, a.TargetGroupArn = &c, nil, nil, nil
	return a, nil
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
